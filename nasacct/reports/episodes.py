"""Episodes of the store: those of each UTC day, from facts; what was judged of them; what other thresholds would find.

An episode is of the day on which it began, whenever it ends: a day is looked at with the one before and the one after.
One that has lasted for a whole day is cut at midnight: what goes on is another. So the same facts give the same
episodes, whichever days are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from nasacct.errors import NO_INPUT, NasacctError
from nasacct.reports import components
from nasacct.reports import facts as facts_of
from nasacct.reports.attribution import episodes
from nasacct.reports.attribution.episodes import Episode
from nasacct.reports.attribution.facts import SCALES, Facts, joined
from nasacct.reports.attribution.saturation import Levels, levels, saturated
from nasacct.reports.attribution.scene import STEP_S
from nasacct.reports.attribution.thresholds import Thresholds
from nasacct.reports.facts import DAY_S
from nasacct.reports.layout import layout
from nasacct.reports.naming import name_of
from nasacct.reports.noted import noted
from nasacct.store import judged
from nasacct.store.judged import next_day, start_of
from nasacct.store.notes import notes
from nasacct.store.segments import SegmentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import date

    from nasacct.reports.attribution.scene import Floats
    from nasacct.reports.layout import Pool
    from nasacct.store.judged import Judged
    from nasacct.store.tree import Tree
    from nasacct.store.warehouse import Warehouse

    #: The facts of a UTC day; None: there are none.
    Known = Callable[[date], Facts | None]

#: So long after its end an episode is looked at, and so much longer must be known: others may begin meanwhile.
AFTER_S, LATER_S = 900, 600
#: What is normal of disks is that of so many days before.
_DAYS = 7
#: When there is no usage any more (Unix time).
_NEVER_S = 200_000_000_000
#: Of a share, so many digits are told.
_DIGITS = 4


@dataclass(frozen=True, slots=True)
class OfDay:
    """The `episodes` that began on a day, in order, of all that there are in the facts `seen` around it (`others`).

    `until` is the Unix time up to which facts were needed for that.
    """

    day: date
    seen: Facts
    episodes: list[Episode]
    others: list[Episode]
    until: int
    normal: Levels


def of_day(
    day: date, known: Known, limits: Thresholds, normal: Levels | None = None, usual: Known | None = None
) -> OfDay | None:
    """The episodes of a UTC day; None when there are no facts of it.

    `normal`: as they were judged by before, else that of the days before, or of what is `usual` in their facts.
    """
    today = known(day)
    if today is None:
        return None
    if normal is None:
        normal = normal_of(day, usual or known)
        if usual and not np.isfinite(normal.wait_ms):
            # nothing is left that is usual
            normal = normal_of(day, known)
    seen, found = around(day, known, limits, normal)
    begin, end = start_of(day), start_of(day) + DAY_S
    mine = [each for each in found if begin <= seen.moment(each.first) < end]
    ends = [seen.moment(each.end) for each in mine]
    return OfDay(day, seen, mine, found, max([end, *ends]) + AFTER_S + LATER_S, normal)


def around(day: date, known: Known, limits: Thresholds, normal: Levels) -> tuple[Facts, list[Episode]]:
    """The facts of a UTC day, the one before and the one after, and the episodes in them. There must be some."""
    begin = start_of(day)
    parts = [(each, known(next_day(day, each))) for each in (-1, 0, 1)]
    seen = joined([part.of(begin + n * DAY_S, begin + (n + 1) * DAY_S) for n, part in parts if part is not None])
    found = episodes.found(saturated(seen, limits, normal), seen.present, limits)
    return seen, [piece for each in found for piece in _cut(seen, each)]


def normal_of(day: date, known: Known) -> Levels:
    """What was normal of disks in the days before, or on this day if nothing is known of those."""
    before = [part for n in range(_DAYS, 0, -1) if (part := known(next_day(day, -n))) is not None]
    today = known(day)
    if not before and today is None:
        return Levels(np.inf, np.inf)
    return levels(joined(before) if before or today is None else today)


def _cut(seen: Facts, episode: Episode) -> Iterable[Episode]:
    """An episode in pieces of which none is older than a day when another UTC day begins."""
    first = episode.first
    for midnight in range(seen.moment(first) // DAY_S * DAY_S + DAY_S, seen.moment(episode.end), DAY_S):
        if midnight - seen.moment(first) >= DAY_S:
            yield Episode(first, seen.sample(midnight), truncated=True)
            first = seen.sample(midnight)
    yield Episode(first, episode.end, episode.truncated)


def record(pool: str, seen: Facts, episode: Episode, limits: Thresholds) -> dict[str, Any]:
    """What facts tell of an episode: means over its samples, shares of the time and milliseconds; None: not known.

    `pool` is the name under which its disks are judged (`components.py`).
    """
    inside = slice(episode.first, episode.end)
    there = seen.present[inside]
    told: dict[str, Any] = {
        "id": name_of(pool, seen.moment(episode.first)),
        **components.told(pool),
        "from": seen.moment(episode.first),
        "to": seen.moment(episode.end),
        "truncated": episode.truncated,
        "minor": episode.minor(limits),
        "present": _number(float(there.mean())),
        "rotational": seen.rotational,
    }
    for name in SCALES:
        if name != "sync_s":
            told[name] = _mean(getattr(seen, name)[inside])
    syncs = seen.sync_s[inside][there]
    return told | {
        "sync_s": _number(float(syncs.max())) if len(syncs) else None,
        "verdict": None,
        "harm": None,
        "causes": [],
    }


def _mean(numbers: Floats) -> float | None:
    known = numbers[np.isfinite(numbers)]
    return _number(float(known.mean())) if len(known) else None


def _number(value: float) -> float:
    return round(value, _DIGITS)


@dataclass
class Ledger:
    """One node's episodes: what is kept, and from usage what is not kept yet.

    `trouble` tells what could not be read. Facts of days are remembered.
    """

    tree: Tree
    warehouse: Warehouse | None
    limits: Thresholds = field(default_factory=Thresholds)
    trouble: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._files: dict[tuple[str, str, date], Judged] = {}
        self._facts: dict[tuple[str, date], Facts | None] = {}
        self._layouts: dict[date, dict[str, Pool]] = {}
        self._extent: tuple[date, ...] | None = None
        self.look()

    def look(self) -> None:
        """See which files there are now."""
        self._files = {(file.pool, file.kind, file.day): file for file in judged.listed(self.tree)}

    def pools(self) -> list[str]:
        """Those that were judged, and those that are there."""
        there = [name for day in self.extent() for name in self.layout(day)]
        return sorted({*(pool for pool, _, _ in self._files), *there})

    def extent(self) -> tuple[date, ...]:
        """The first and the last UTC day of which usage is kept; none without any."""
        if self.warehouse is None:
            return ()
        if self._extent is None:
            found = self.warehouse.extent(facts_of.VIEWS)
            since = judged.day_of(min(self.warehouse.usage_since(facts_of.VIEWS) / 1e6, _NEVER_S))
            self._extent = ()
            if found is not None and since <= found[1].date():
                self._extent = (max(since, found[0].date()), found[1].date())
        return self._extent

    def layout(self, day: date) -> dict[str, Pool]:
        """The node's pools on a day by their names, as far as usage tells."""
        extent = self.extent()
        if self.warehouse is None or not extent or not extent[0] <= day <= extent[-1]:
            return {}
        if day not in self._layouts:
            begin = start_of(day)
            found = layout(self.warehouse, begin * 1_000_000, (begin + DAY_S) * 1_000_000)
            self._layouts[day] = {pool.name: pool for pool in found}
        return self._layouts[day]

    def file(self, pool: str, kind: str, day: date) -> Judged | None:
        """What is kept of a day."""
        return self._files.get((pool, kind, day))

    def days(self, pool: str, kind: str) -> list[date]:
        """Of which days something is kept."""
        return sorted(day for name, what, day in self._files if (name, what) == (pool, kind))

    def facts(self, pool: str, day: date) -> Facts | None:
        """The facts of a day: as they are kept, else from usage."""
        key = pool, day
        if key not in self._facts:
            self._facts[key] = self._read(pool, day)
        return self._facts[key]

    def usual_facts(self, pool: str, day: date) -> Facts | None:
        """The facts of a day without the samples of which something was noted; None where nothing is left."""
        seen = self.facts(pool, day)
        if seen is None:
            return None
        lo, hi = (1_000_000 * seen.moment(at) for at in (0, len(seen)))
        try:
            told = notes(self.tree.root, self.tree.node, lo, hi, components.parted(pool)[0])
        except (NasacctError, OSError) as error:
            self.trouble.append(f"{error}; what was noted is not left out of what is normal")
            return seen
        present = seen.present & ~noted(seen, told)
        return replace(seen, present=present) if present.any() else None

    def _read(self, pool: str, day: date) -> Facts | None:
        file = self.file(pool, "facts", day)
        if file is not None:
            try:
                return facts_of.kept(file)
            except (SegmentError, OSError) as error:
                self.trouble.append(f"{error}; facts of {day} are made of usage")
        there = self.layout(day).get(pool)
        if self.warehouse is None or there is None:
            return None
        return facts_of.of_time(self.warehouse, there, start_of(day), start_of(day) + DAY_S)

    def kept(self, pool: str, day: date) -> dict[str, Any] | None:
        """What was judged of a day; None: it was not, or that cannot be read."""
        file = self.file(pool, "episodes", day)
        if file is None:
            return None
        try:
            return judged.said(file)
        except (SegmentError, OSError) as error:
            self.trouble.append(f"{error}; the day is looked at anew")
            return None

    def of(self, pool: str, day: date) -> list[dict[str, Any]]:
        """The episodes of a day, as judged; where it was not judged yet from facts, and `state` is provisional."""
        told = self.kept(pool, day)
        if told is not None:
            # what was judged before pools had components tells of none
            found: list[dict[str, Any]] = [
                components.told(pool) | each | {"state": "confirmed"} for each in told["episodes"]
            ]
            return found
        return [each | {"state": "provisional"} for each in self.by(pool, day, self.limits)]

    def by(self, pool: str, day: date, limits: Thresholds) -> list[dict[str, Any]]:
        """The episodes of a day by other thresholds, from facts."""
        told = self.kept(pool, day)
        normal = Levels(*(np.inf if each is None else each for each in told["normal"])) if told is not None else None
        found = of_day(day, partial(self.facts, pool), limits, normal, partial(self.usual_facts, pool))
        return [] if found is None else [record(pool, found.seen, each, limits) for each in found.episodes]


def compared(now: list[dict[str, Any]], then: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Episodes by other thresholds beside those there are, in order.

    `change` is `same`, `comes`, `goes`, or `other` for one that begins or ends at another time.
    """
    found = []
    for each in then:
        meets = [one for one in now if one["from"] < each["to"] and each["from"] < one["to"]]
        alike = [one for one in meets if (one["from"], one["to"]) == (each["from"], each["to"])]
        judged_as = {key: one[key] for one in alike for key in ("verdict", "harm", "causes", "state")}
        found.append(each | judged_as | {"change": "same" if alike else "other" if meets else "comes"})
    found += [
        one | {"change": "goes"}
        for one in now
        if not any(one["from"] < each["to"] and each["from"] < one["to"] for each in then)
    ]
    return sorted(found, key=lambda each: (each["from"], each["pool"]))


def by_id(tree: Tree, called: str) -> dict[str, Any] | None:
    """What was judged of the episode of that id; None when none of that name was judged.

    SegmentError when its file is damaged, NasacctError when it is newer, OSError.
    """
    day = called.split("-")[-2:][0]
    for file in judged.listed(tree):
        if file.kind == "episodes" and f"{file.day:%Y%m%d}" == day:
            for each in judged.said(file)["episodes"]:
                if each["id"] == called:
                    return dict(each)
    return None


def unknown(called: str) -> NasacctError:
    """The sentence for an episode that is not there."""
    return NasacctError(f"there is no episode {called}; `nasacct episodes --all` lists them", NO_INPUT)


def duration_s(told: dict[str, Any]) -> int:
    """How long it was."""
    return int(told["to"] - told["from"]) // STEP_S * STEP_S
