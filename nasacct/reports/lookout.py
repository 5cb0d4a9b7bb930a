"""The lookout: says within a minute that a pool's disks do not keep up, and later whether that was an episode.

It looks at the newest samples of disks and node in the journal's tail, which takes neither DuckDB nor members. What it
finds is provisional, and is kept beside what was judged (`store/judged.py`) until the day is: then it is confirmed or
withdrawn, as is at once what did not last. Of what was withdrawn the last weeks are kept, for who wonders.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nasacct.errors import NasacctError
from nasacct.reports.attribution import episodes
from nasacct.reports.attribution.facts import SCALES, Facts, rounded
from nasacct.reports.attribution.saturation import Levels, saturated
from nasacct.reports.attribution.scene import STEP_S
from nasacct.reports.components import called
from nasacct.reports.grid import STEP_US, Grid, Placed
from nasacct.store import journal, judged
from nasacct.store.journal_ring import mirrored
from nasacct.store.judged import day_of
from nasacct.store.segments import SegmentError
from nasacct.store.tail import Tail
from nasacct.times import iso, of_us
from nasacct.units import in_duration

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nasacct.reports.attribution.episodes import Episode
    from nasacct.reports.attribution.scene import Flags, Floats
    from nasacct.reports.attribution.thresholds import Thresholds
    from nasacct.reports.grid import Integers
    from nasacct.store.tree import Tree

log = logging.getLogger(__name__)

#: How often it looks, and while the newest samples may be an episode's first ones; how long back, and for how long it
#: remembers what was withdrawn.
PAUSE_S, SOON_S, _BACK_S, _REMEMBERED_S = 15.0, 5.0, 1800, 30 * 86_400
#: Journal files that are looked at: the newest may just have been begun.
_FILES = 2
#: After every moment of usage (µs of UTC).
_EVER_US = 1 << 62
_STREAMS = frozenset({"disks", "node"})


class Lookout:
    """Looks at one tree. `name` makes an episode's name of its pool and Unix time. Not for several threads at once."""

    def __init__(self, tree: Tree, limits: Thresholds, ring: Path | None, name: Callable[[str, int], str]) -> None:
        self._tree, self._limits, self._ring, self._name = tree, limits, ring, name
        self._tail = Tail(tree.journal, tree.node)
        self._seen: tuple[Path, int] | None = None
        self._known = {pool: list(told.get("episodes", ())) for pool, told in judged.provisional(tree).items()}
        self._files: frozenset[str] = frozenset()
        self._pools: dict[str, _Pool] = {}
        self._restless = False

    @property
    def pause_s(self) -> float:
        """How long to wait until the next look, so that an episode is told within a minute of its beginning."""
        return min(SOON_S, PAUSE_S) if self._restless else PAUSE_S

    def look(self) -> None:
        """See how the disks are now. NasacctError when the journal is of a newer version; OSError."""
        self._judged()
        paths = journal.files(self._tree.journal)
        paths = (paths + mirrored(self._ring, self._tree.journal, paths))[-_FILES:]
        if not paths or self._seen == (seen := (paths[-1], paths[-1].stat().st_size)):
            return
        self._seen = seen
        self._tail.look(paths, 0, _STREAMS)
        last_ns = self._tail.last_ns
        if last_ns is None:
            return
        now = last_ns // 1_000_000_000
        grid = Grid((now - _BACK_S) * 1_000_000, now * 1_000_000)
        disks, node = map(self._usage, ("disks", "node"))
        self._restless = False
        for name, pool in (self._pools or {self._tree.node: _Pool()}).items():
            facts = newest(disks, node, grid, pool)
            if facts is not None:
                flags = saturated(facts, self._limits, pool.normal)
                self._restless |= bool(flags[-self._limits.of :].any()) and not self._goes_on(name)
                self._take(name, facts, episodes.begun(flags, facts.present, self._limits))

    def _goes_on(self, pool: str) -> bool:
        """Whether an episode was told and has not ended."""
        return any(each["state"] == "goes on" for each in self._known.get(pool, ()))

    def _usage(self, stream: str) -> pa.Table:
        """The usage that the last look found."""
        return pa.concat_tables(self._tail.tables("usage", stream, (), 0, _EVER_US))

    def _take(self, pool: str, facts: Facts, found: Episode | None) -> None:
        """Tell what has begun or ended in a pool."""
        known = self._known.setdefault(pool, [])
        open_ = next((each for each in known if each["state"] == "goes on"), None)
        if found is not None and open_ is None:
            begin = facts.moment(found.first)
            if any(begin < (each["to"] or begin) + self._limits.merge_s for each in known):
                # it is the one that ended just before
                return
            known.append({"id": self._name(pool, begin), "from": begin, "to": None, "state": "goes on"})
            busy = float(np.nanmean(facts.busy[found.first : found.end]))
            log.warning(
                "%s do not keep up since %s: %.0f %% busy, episode %s (provisional)",
                *(called(pool), _at(begin), 100 * busy, known[-1]["id"]),
            )
            self._put(pool)
        elif found is None and open_ is not None:
            self._end(pool, open_, facts)

    def _end(self, pool: str, told: dict[str, Any], facts: Facts) -> None:
        """What went on has ended: it lasted, or is withdrawn."""
        flags = saturated(facts, self._limits, self._pools.get(pool, _Pool()).normal)
        last = np.flatnonzero(flags)
        told["to"] = max(facts.moment(int(last[-1]) + 1) if len(last) else facts.start, told["from"])
        length = told["to"] - told["from"]
        lasted = length >= self._limits.least_s
        told["state"] = "ended" if lasted else "withdrawn"
        log.info(
            "%s keep up again since %s; episode %s took %s%s",
            *(
                called(pool),
                _at(told["to"]),
                told["id"],
                in_duration(length),
                "" if lasted else " and is withdrawn: too short",
            ),
        )
        self._put(pool)

    def _judged(self) -> None:
        """See what was judged since the last look: pools, their disks, and which of what was told are episodes."""
        files = judged.listed(self._tree)
        names = frozenset(file.path.name for file in files)
        if names == self._files:
            return
        self._files = names
        newest_day = max((file.day for file in files if file.kind == "episodes"), default=None)
        self._pools = {}
        for file in files:
            if file.kind == "facts" and file.day == newest_day:
                try:
                    told = judged.said(file)
                    disks = told.get("disks")
                    self._pools[file.pool] = _Pool(
                        None if disks is None else frozenset(disks),
                        frozenset(told.get("beside", ())),
                        bool(told["rotational"]),
                        self._normal(files, file),
                    )
                except (SegmentError, NasacctError, OSError, KeyError):
                    continue
        for pool in list(self._known):
            self._settle(pool, files)

    def _normal(self, files: list[judged.Judged], of: judged.Judged) -> Levels:
        """What is normal of a pool's disks, as the day was judged."""
        for file in files:
            if (file.kind, file.pool, file.day) == ("episodes", of.pool, of.day):
                wait, queue = judged.said(file)["normal"]
                return Levels(np.inf if wait is None else wait, np.inf if queue is None else queue)
        return Levels(np.inf, np.inf)

    def _settle(self, pool: str, files: list[judged.Judged]) -> None:
        """Confirm or withdraw what was told of days that were judged since; forget what is long ago."""
        of_day = {file.day: file for file in files if file.kind == "episodes" and file.pool == pool}
        newest_day = max(of_day, default=None)
        before, stay = [dict(each) for each in self._known[pool]], []
        for told in self._known[pool]:
            day = day_of(told["from"])
            if newest_day is not None and told["from"] < judged.start_of(newest_day) - _REMEMBERED_S:
                continue
            if day not in of_day or told["state"] != "ended":
                stay.append(told)
                continue
            try:
                found = judged.said(of_day[day])["episodes"]
            except (SegmentError, NasacctError, OSError):
                stay.append(told)
                continue
            same = [each for each in found if each["from"] < told["to"] and told["from"] < each["to"]]
            if same:
                log.info("episode %s of pool %s is confirmed as %s", told["id"], pool, same[0]["id"])
            else:
                log.info("episode %s of pool %s is withdrawn: the day's facts say otherwise", told["id"], pool)
                stay.append(told | {"state": "withdrawn"})
        self._known[pool] = stay
        if stay != before:
            self._put(pool)

    def _put(self, pool: str) -> None:
        """Keep what is told of a pool."""
        told = self._known[pool]
        judged.put_provisional(self._tree, pool, {"episodes": told} if told else None)


class _Pool(NamedTuple):
    """A pool, or a component of it, as the newest day that was judged tells."""

    disks: frozenset[str] | None = None  #: None: all there are
    beside: frozenset[str] = frozenset()  #: see `Scene.beside`
    rotational: bool = True
    normal: Levels = Levels(np.inf, np.inf)


def newest(disks: pa.Table, node: pa.Table, grid: Grid, pool: _Pool) -> Facts | None:
    """The facts of usage of `disks` and `node` on a grid, of a pool's; None when none of them did anything."""
    if not len(grid) or not disks.num_rows:
        return None
    disks = disks.sort_by([("device", "ascending"), ("t0", "ascending")])
    rows = _of(disks, grid, pool.disks)
    if rows is None:
        return None
    ios, ms = rows("reads") + rows("writes"), rows("ms_reading") + rows("ms_writing")
    busy = _busy(rows)
    active = busy.any(axis=1)
    if not active.any():
        return None
    machine = _placed(node.sort_by("t0"), grid, np.zeros(node.num_rows, np.int64), 1)
    some, full = (np.minimum(machine(f"io_{kind}_us")[0] / STEP_US, 1.0) for kind in ("some", "full"))
    wait = np.divide(ms, ios, out=np.zeros(ios.shape), where=ios > 0)[active].max(axis=0)
    queue = (rows("ms_weighted") / 1e3 / STEP_S)[active].max(axis=0)
    found = {
        "busy": busy[active].max(axis=0),
        "median": np.median(busy[active], axis=0),
        "wait_ms": np.where((ios[active] > 0).any(axis=0), wait, np.nan),
        "queue": queue,
        "some": some,
        "full": full,
        "sync_s": np.zeros(len(grid)),
    }
    present: Flags = rows.covered()[active].any(axis=0).reshape(-1)
    others = _of(disks, grid, pool.beside)
    beside = None if others is None else _busy(others).max(axis=0)
    numbers = (found[name] for name in SCALES)
    return rounded(Facts(grid.start_us // 1_000_000, pool.rotational, present, *numbers, beside=beside))


class _Rows:
    """Rows of usage on a grid."""

    def __init__(self, table: pa.Table, placed: Placed) -> None:
        self._table, self._placed = table, placed

    def __call__(self, name: str) -> Floats:
        """How much a measure grew (subjects x samples)."""
        return self._placed.growth(np.nan_to_num(self._table.column(name).to_numpy().astype(float)))

    def covered(self) -> Flags:
        """The samples of each subject that are known."""
        return self._placed.covered()


def _of(disks: pa.Table, grid: Grid, devices: frozenset[str] | None) -> _Rows | None:
    """The rows of these devices; None where there are none."""
    if devices is not None:
        disks = disks.filter(pc.is_in(disks.column("device"), pa.array(sorted(devices), pa.string())))
    names = disks.column("device").unique().to_pylist()
    if not names:
        return None
    places = np.array([names.index(each) for each in disks.column("device").to_pylist()])
    return _placed(disks, grid, places, len(names))


def _busy(rows: _Rows) -> Floats:
    busy: Floats = np.minimum(rows("ms_io") / 1e3 / STEP_S, 1.0)
    return busy


def _placed(table: pa.Table, grid: Grid, subjects: Integers, count: int) -> _Rows:
    begin, end = (np.asarray(table.column(name).cast(pa.int64()).to_numpy(), np.int64) for name in ("t0", "t1"))
    return _Rows(table, Placed(grid, begin, end, subjects, count))


def _at(moment: int) -> str:
    return iso(of_us(moment * 1_000_000))
