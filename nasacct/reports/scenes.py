"""Scenes of the store: what was counted of a node's disks and servers, as the engine of attribution takes it.

Usage is growth between two readings; in a sample of the grid is the part of it that lies there, by time. Which disks
make up a pool says `layout.py`, also where nobody knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nasacct.reports.attribution.calls import by_bytes
from nasacct.reports.attribution.scene import CLASSES, DATA, STEP_S, Disks, Members, Scene
from nasacct.reports.grid import STEP_US, Grid, Placed
from nasacct.reports.layout import scans
from nasacct.reports.questions import question
from nasacct.store.warehouse import Question
from nasacct.times import of_us

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nasacct.reports.attribution.scene import Flags, Floats
    from nasacct.reports.grid import Integers
    from nasacct.reports.layout import Pool
    from nasacct.store.warehouse import Warehouse

#: The streams that tell of servers.
OF_SERVERS = ("nfsd", "ops", "inside", "threads")
#: What is asked, of which views.
ASKED = {
    "scene_disks": ("disks", "node"),
    "scene_local": ("local",),
    **{f"scene_{name}": (name,) for name in OF_SERVERS},
}
#: Seconds after which ZFS begins a transaction group where nobody says otherwise (zfs_txg_timeout, zfs(4)).
TXG_TIMEOUT_S = 5
_SECTOR_MB = 512 / 1e6
_CALLS = ("reads", "writes", "commits", "lookups", "changes", "removes")


class Rows:
    """Rows of usage, each of one subject, on a grid; the subjects' keys in the order of their first rows."""

    def __init__(self, table: pa.Table, keys: Sequence[str], grid: Grid) -> None:
        self._table = table
        self.keys, subjects = _subjects(table, keys)
        begin, end = (table.column(name).to_numpy().astype(np.int64) for name in ("t0_us", "t1_us"))
        self._placed = Placed(grid, begin, end, subjects, len(self.keys))

    def growth(self, name: str) -> Floats:
        """How much a measure grew in each sample (subjects x samples); what is unknown is 0."""
        return self._placed.growth(np.nan_to_num(self._table.column(name).to_numpy().astype(float)))

    def covered(self) -> Flags:
        """The samples of each subject that are known (subjects x samples)."""
        return self._placed.covered()


def scene(warehouse: Warehouse, lo: int, hi: int, pool: Pool | None = None) -> Scene | None:
    """The scene of a pool of a warehouse's node from `lo` to `hi` (µs of UTC).

    Without a pool all disks and servers of the node are it; of one that nobody knows, all servers. None where nothing
    was read of its disks.
    """
    grid, span = Grid(lo, hi), {"lo": lo, "hi": hi}
    asked = [Question(question(name), span, views, of_rows=True) for name, views in ASKED.items()]
    if pool is not None and pool.guid is not None:
        asked.append(Question(question("scene_pools"), span | {"pool": pool.guid}, ("pools",), of_rows=True))
    answers = warehouse.answers(asked, of_us(lo), of_us(hi))
    machine, local, found = answers[0], answers[1], answers[len(ASKED) :]
    servers = dict(zip(OF_SERVERS, answers[2 : len(ASKED)], strict=True))
    if not len(grid) or not machine.num_rows:
        return None
    of_node = pc.is_null(machine.column("disk"))
    # a disk that was taken out and put in again is one
    of_disks = machine.filter(pc.invert(of_node)).sort_by([("device", "ascending"), ("t0_us", "ascending")])
    if pool is not None:
        of_disks = among(of_disks, "device", pool.disks)
    if pool is not None and pool.known:
        servers = {name: among(table, "server", pool.servers) for name, table in servers.items()}
    disks = Rows(of_disks, ["device"], grid)
    active: Flags = disks.growth("ms_io").any(axis=1).reshape(-1)
    if not active.any():
        return None
    node = Rows(machine.filter(of_node), [], grid)
    some, full = pressure(node)
    transactional = pool is not None and pool.transactional
    return Scene(
        pool=str(warehouse.node) if pool is None else pool.name,
        rotational=pool is None or pool.rotational is not False,
        transactional=transactional,
        start=grid.start_us // 1_000_000,
        present=seen(disks.covered()[active], node),
        disks=_disks(disks, active),
        members=_members(servers, grid, paged=not transactional),
        some=some,
        full=full,
        sync_s=syncs(found, grid, pool),
        component=DATA if pool is None else pool.component,
        beside=None if pool is None else busiest(machine, pool.beside, grid),
        **_local(local, None if pool is None else scans(warehouse, lo, hi), pool, grid),
    )


def pressure(node: Rows) -> tuple[Floats, Floats]:
    """In each sample the shares of the time in which some, or all, tasks stood still for IO, by the node's rows."""
    some, full = (np.minimum(node.growth(f"io_{kind}_us").sum(axis=0) / STEP_US, 1.0) for kind in ("some", "full"))
    return some, full


def busiest(machine: pa.Table, devices: Sequence[str], grid: Grid) -> Floats | None:
    """See `Scene.beside`: of these devices, by rows of disks; None where there is none."""
    rows = among(machine, "device", devices).sort_by([("device", "ascending"), ("t0_us", "ascending")])
    if not devices or not rows.num_rows:
        return None
    busy = Rows(rows, ["device"], grid).growth("ms_io") / 1e3 / STEP_S
    most: Floats = np.minimum(busy.max(axis=0), 1.0)
    return most


def seen(covered: Flags, node: Rows) -> Flags:
    """The samples that were read: in which a disk did something (disks x samples), or the node was read at all.

    A disk that stands still has one row for as long as it does, like one that nobody reads.
    """
    found: Flags = covered.any(axis=0).reshape(-1) | node.covered().any(axis=0)
    return found


def among(table: pa.Table, name: str, values: Sequence[str]) -> pa.Table:
    """The rows with one of these values."""
    return table.filter(pc.is_in(table.column(name), pa.array(values, pa.string()))) if table.num_rows else table


def _subjects(table: pa.Table, keys: Sequence[str]) -> tuple[list[tuple[Any, ...]], Integers]:
    """The keys of subjects whose rows follow each other, and of each row which subject's it is."""
    if not table.num_rows:
        return [], np.zeros(0, np.int64)
    first = np.zeros(table.num_rows, bool)
    first[0] = True
    for key in keys:
        codes: Any = table.column(key).combine_chunks().dictionary_encode()
        first[1:] |= np.diff(codes.indices.to_numpy()) != 0
    begins = table.select(list(keys)).take(np.flatnonzero(first))
    found = [begins.column(key).to_pylist() for key in keys]
    return list(zip(*found, strict=True)) if found else [()], np.cumsum(first) - 1


def _disks(rows: Rows, active: Flags) -> Disks:
    def per_s(name: str, scale: float = 1.0) -> Floats:
        rates: Floats = rows.growth(name)[active] * scale / STEP_S
        return rates

    reads, writes, ms = per_s("reads"), per_s("writes"), per_s("ms_reading") + per_s("ms_writing")
    ios = reads + writes
    return Disks(
        tuple(str(key[0]) for key, used in zip(rows.keys, active, strict=True) if used),
        reads,
        per_s("sectors_read", _SECTOR_MB),
        writes,
        per_s("sectors_written", _SECTOR_MB),
        np.minimum(per_s("ms_io", 1e-3), 1.0),
        per_s("ms_weighted", 1e-3),
        np.where(ios > 0, ms / np.where(ios > 0, ios, 1), np.nan),
    )


def _local(jobs: pa.Table, scanned: pa.Table | None, pool: Pool | None, grid: Grid) -> dict[str, Floats | None]:
    """MB a second that scrubs read, and that the machine's processes read and wrote; None where nobody counts it."""
    read = written = scanned_mb = None
    if jobs.num_rows:
        rows = Rows(jobs, ["job"], grid)
        read, written = (rows.growth(f"{what}_bytes").sum(axis=0) / 1e6 / STEP_S for what in ("read", "written"))
    # how much of it was read of which class of disks nobody counts; nearly all data are on those of data
    if scanned is not None and pool is not None and pool.component == DATA:
        of_pool = among(scanned, "pool", [pool.whole])
        if of_pool.num_rows:
            scanned_mb = Rows(of_pool.sort_by("t0_us"), ["pool"], grid).growth("bytes").sum(axis=0) / 1e6 / STEP_S
    return {"local_mb": read, "scanned_mb": scanned_mb, "local_written_mb": written}


def syncs(tables: Sequence[pa.Table], grid: Grid, pool: Pool | None) -> Floats:
    """See `Scene.sync_s`."""
    timeout_s = TXG_TIMEOUT_S if pool is None or pool.txg_timeout_s is None else pool.txg_timeout_s
    longest = np.zeros(len(grid))
    for table in tables:
        for row in table.to_pylist():
            first, end = (int(row[name] - grid.start_us) for name in ("t0_us", "t1_us"))
            samples = slice(max(first // STEP_US, 0), max(-(-end // STEP_US), 0))
            longest[samples] = np.maximum(longest[samples], (row["longest_sync_us"] or 0) / 1e6 - timeout_s)
    return longest


def _members(tables: Mapping[str, pa.Table], grid: Grid, *, paged: bool) -> Members:
    """Each server as one that uses the pool, by the rows of OF_SERVERS.

    What disks read for its threads is known only of file systems that use the page cache (`paged`): of ZFS's reads they
    are not told.
    """
    rows = {name: Rows(table, ["server"], grid) for name, table in tables.items() if table.num_rows}
    names = sorted({server for each in rows.values() for (server,) in each.keys})
    # single precision is far more than counters are worth here, and half of what a thousand servers take
    activity = cast("Floats", np.zeros((len(names), len(CLASSES), len(grid)), np.float32))

    def put(measure: str, *sources: str) -> Floats:
        """What a measure grew by, by server, from these sources."""
        grown = np.zeros((len(names), len(grid)))
        for source in sources:
            if source in rows:
                places = np.searchsorted(names, [server for (server,) in rows[source].keys])
                grown[places] += rows[source].growth(measure)
        return grown

    for name in _CALLS:
        activity[:, CLASSES.index(name)] = put(name, "ops", "inside")
    told = activity.any(axis=(1, 2))
    read, written = put("read_bytes", "nfsd"), put("written_bytes", "nfsd")
    activity[:, CLASSES.index("read_mb")], activity[:, CLASSES.index("write_mb")] = read / 1e6, written / 1e6
    if not told.all():
        # NFSv3 where nobody looks inside: which calls moved what is told by the bytes alone
        for name, rates in by_bytes(put("calls", "nfsd"), read, written).items():
            activity[~told, CLASSES.index(name)] = rates[~told]
    activity /= STEP_S
    return Members(
        tuple(names),
        activity,
        put("thread_us", "inside") / STEP_US if "inside" in rows else None,
        put("physical_bytes", "threads") / 1e6 / STEP_S if "threads" in rows and paged else None,
    )
