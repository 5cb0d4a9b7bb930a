"""Scenes of the store: what was counted of a node's disks and servers, as the engine of attribution takes it.

Usage is growth between two readings; in a sample of the grid is the part of it that lies there, by time. Which disks
make up a pool is not known yet: all of a node's are taken for one, rotating, and so are all of its servers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nasacct.reports.attribution.scene import CLASSES, STEP_S, Disks, Members, Scene
from nasacct.reports.questions import question

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa
    from numpy.typing import NDArray

    from nasacct.reports.attribution.scene import Flags, Floats
    from nasacct.store.warehouse import Warehouse

    Times = NDArray[np.int64]

VIEWS = ("nfsd", "ops", "inside"), ("disks", "node")
_STEP_US = STEP_S * 1_000_000
#: A row of usage over more than that says little of when it was.
_LONGEST_US = 15_000_000
_SECTOR_MB = 512 / 1e6
_CALLS = ("reads", "writes", "commits", "lookups", "changes", "removes")


class Grid:
    """Samples of STEP_S seconds from `lo` on, up to `hi` (µs of UTC), whole ones."""

    def __init__(self, lo: int, hi: int) -> None:
        self.start_us = lo // _STEP_US * _STEP_US
        self.edges = np.arange(self.start_us, hi + 1, _STEP_US, dtype=np.int64)

    def __len__(self) -> int:
        return max(len(self.edges) - 1, 0)

    def growth(self, rows: Rows, name: str) -> Floats:
        """How much a measure grew in each sample; 0 where no row says anything."""
        return self._spread(rows.begin, rows.end, rows.of(name))

    def covered(self, rows: Rows) -> Flags:
        """The samples that rows which are not long cover at least half of."""
        short = rows.end - rows.begin <= _LONGEST_US
        begin, end = rows.begin[short], rows.end[short]
        found: Flags = self._spread(begin, end, (end - begin).astype(float)) >= _STEP_US / 2
        return found

    def _spread(self, begin: Times, end: Times, values: Floats) -> Floats:
        """The part of each value that lies in each sample, by time."""
        if not len(values):
            return np.zeros(len(self))
        # of two lives of a server one may begin before the other has ended
        times = np.maximum.accumulate(np.stack([begin, end], axis=1).ravel())
        sums = np.cumsum(np.stack([np.zeros(len(values)), values], axis=1).ravel())
        found: Floats = np.diff(np.interp(self.edges, times, sums, left=0.0, right=float(sums[-1])))
        return found


class Rows:
    """Rows of usage of one subject in the order of time."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table
        self.begin = table.column("t0_us").to_numpy()
        self.end = table.column("t1_us").to_numpy()

    def of(self, name: str) -> Floats:
        """A measure; what is unknown is 0."""
        found: Floats = np.nan_to_num(self._table.column(name).to_numpy().astype(float))
        return found

    def knows(self, name: str) -> bool:
        """Whether it is known in any row."""
        column = self._table.column(name)
        return bool(column.null_count < len(column))


def scene(warehouse: Warehouse, lo: int, hi: int) -> Scene | None:
    """The scene of a warehouse's node from `lo` to `hi` (µs of UTC); None where nothing was read of its disks."""
    grid, span = Grid(lo, hi), {"lo": lo, "hi": hi}
    servers = warehouse.query(question("scene_servers"), span, views=VIEWS[0])
    machine = warehouse.query(question("scene_disks"), span, views=VIEWS[1])
    of_disks = {key: rows for key, rows in _groups(machine, ["disk", "device"]) if key[0] is not None}
    of_node = next((rows for key, rows in _groups(machine, ["disk"]) if key[0] is None), None)
    active = {key[1]: rows for key, rows in of_disks.items() if rows.of("ms_io").any()}
    if not active:
        return None
    present = np.any([grid.covered(rows) for rows in active.values()], axis=0)
    some, full = (
        np.zeros(len(grid)) if of_node is None else grid.growth(of_node, f"io_{kind}_us") / _STEP_US
        for kind in ("some", "full")
    )
    return Scene(
        pool=str(warehouse.node),
        rotational=True,
        transactional=False,
        start=grid.start_us // 1_000_000,
        present=present,
        disks=_disks(grid, active),
        members=_members(grid, servers),
        some=some,
        full=full,
        sync_s=np.zeros(len(grid)),
    )


def _groups(table: pa.Table, keys: list[str]) -> Iterable[tuple[tuple[Any, ...], Rows]]:
    """The rows of each key."""
    places: dict[tuple[Any, ...], list[int]] = {}
    for at, key in enumerate(zip(*(table.column(key).to_pylist() for key in keys), strict=True)):
        places.setdefault(key, []).append(at)
    return [(key, Rows(table.take(found))) for key, found in places.items()]


def _disks(grid: Grid, of: dict[Any, Rows]) -> Disks:
    def per_s(name: str, scale: float = 1.0) -> Floats:
        return np.array([grid.growth(rows, name) for rows in of.values()]) * scale / STEP_S

    reads, writes, ms = per_s("reads"), per_s("writes"), per_s("ms_reading") + per_s("ms_writing")
    ios = reads + writes
    return Disks(
        tuple(map(str, of)),
        reads,
        per_s("sectors_read", _SECTOR_MB),
        writes,
        per_s("sectors_written", _SECTOR_MB),
        np.minimum(per_s("ms_io", 1e-3), 1.0),
        per_s("ms_weighted", 1e-3),
        np.where(ios > 0, ms / np.where(ios > 0, ios, 1), np.nan),
    )


def _members(grid: Grid, servers: pa.Table) -> Members:
    """Each server as one that uses the pool."""
    of: dict[str, dict[str, Rows]] = {}
    for (server, source), rows in _groups(servers, ["server", "source"]):
        of.setdefault(server, {})[source] = rows
    activity = np.zeros((len(of), len(CLASSES), len(grid)))
    thread_s = np.full((len(of), len(grid)), np.nan)
    for at, sources in enumerate(of.values()):
        for name, rates in _activity(grid, sources).items():
            activity[at, CLASSES.index(name)] = rates / STEP_S
        if "inside" in sources:
            thread_s[at] = grid.growth(sources["inside"], "thread_us") / _STEP_US
    known = None if np.isnan(thread_s).all() else np.nan_to_num(thread_s)
    return Members(tuple(f"server:{name}" for name in of), activity, known)


def _activity(grid: Grid, sources: dict[str, Rows]) -> dict[str, Floats]:
    """What was asked of a server in each sample, by class."""
    found = {name: np.zeros(len(grid)) for name in CLASSES}
    told = [sources[name] for name in ("ops", "inside") if name in sources]
    for rows in told:
        for name in _CALLS:
            found[name] = found[name] + grid.growth(rows, name)
    if "nfsd" not in sources:
        return found
    own = sources["nfsd"]
    read, written = (grid.growth(own, f"{name}_bytes") for name in ("read", "written"))
    found |= {"read_mb": read / 1e6, "write_mb": written / 1e6}
    if not any(rows.of(name).any() for rows in told for name in _CALLS):
        # NFSv3 where nobody looks inside: which calls moved what is told by the bytes alone
        calls, moved = grid.growth(own, "calls"), read + written
        bulk = np.minimum(calls, moved / 4096)
        share = np.divide(read, moved, out=np.zeros(len(grid)), where=moved > 0)
        found |= {"reads": bulk * share, "writes": bulk * (1 - share), "lookups": calls - bulk}
    return found
