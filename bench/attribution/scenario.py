"""A scenario's folder of Parquet files as scenes.

meta.json     scenario, interval_s, t0, duration_s, pools[{pool, disks[], rotational, layout, fs (zfs|ext), members[]}]
member.parquet  ts, pool, member, op_READ ... op_REMOVE, nfsd_read_bytes, nfsd_write_bytes, and perhaps calls; of a
                member on NFSv3, of whom no operations are counted, op_ is null
disk.parquet    ts, pool, disk, reads, rd_sectors, rd_ms, writes, wr_sectors, wr_ms, io_ticks_ms, weighted_ms
host.parquet    ts, psi_io_some_us, psi_io_full_us
txg.parquet     ts, pool, stime_ms: one row a transaction group, at its end (ZFS)
local.parquet   ts, pool, source, read_bytes, and perhaps written_bytes: of scrubs and local processes; absent: nobody
                counted it
inside.parquet  ts, pool, member, thread_us, proc_READ ... proc_REMOVE: time of nfsd's threads, and calls of NFSv3 by
                procedure; absent: nobody looks inside nfsd
threads.parquet ts, pool, member, physical_bytes: read from disks for each; absent: nobody counts it

All but txg's are cumulative counters that may begin anew at 0; samples may be missing, `ts` trembles by 0.3 s.
"""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from nasacct.reports.attribution.calls import by_bytes
from nasacct.reports.attribution.scene import CLASSES, STEP_S, Disks, Members, Scene
from nasacct.reports.scenes import TXG_TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from nasacct.reports.attribution.scene import Floats

_CALLS = {
    "reads": ["op_READ"],
    "writes": ["op_WRITE"],
    "commits": ["op_COMMIT"],
    "lookups": ["op_GETATTR", "op_LOOKUP", "op_ACCESS", "op_READDIR"],
    "changes": ["op_CREATE", "op_SETATTR", "op_RENAME"],
    "removes": ["op_REMOVE"],
    "read_mb": ["nfsd_read_bytes"],
    "write_mb": ["nfsd_write_bytes"],
}
_DISK = "reads rd_sectors rd_ms writes wr_sectors wr_ms io_ticks_ms weighted_ms".split()
_SECTOR_MB = 512 / 1e6
#: What is counted of disks and not of processes.
_SCANS = ("scan", "scrub", "resilver")
_LONGEST_S = 15
#: What not every kernel or node has: a scene can be had without.
SIGNALS = ("thread_s", "physical_mb", "local_mb", "procedures")


class _Grid:
    """The samples of a scenario."""

    def __init__(self, meta: dict[str, Any]) -> None:
        self.start, self.steps = int(meta["t0"]), int(meta["duration_s"]) // STEP_S

    def index(self, ts: pd.Series[float]) -> Any:
        """Of readings, the sample that each ends."""
        return np.rint((ts.to_numpy() - self.start) / STEP_S).astype(int) - 1

    def rates(self, frame: pd.DataFrame, columns: list[str]) -> Floats:
        """Columns x samples: growth a second; over a gap its mean, NaN before the second reading."""
        found = np.full((len(columns), self.steps), np.nan)
        frame = frame.sort_values("ts")
        at, ts = self.index(frame.ts), frame.ts.to_numpy()
        values = frame[columns].to_numpy(dtype=float)
        grown = np.diff(values, axis=0)
        grown = np.where(grown < 0, values[1:], grown) / np.diff(ts)[:, None]
        for row, (before, now) in enumerate(pairwise(at)):
            found[:, before + 1 : now + 1] = grown[row][:, None]
        return found


def scenes(folder: Path, without: Collection[str] = ()) -> Iterator[Scene]:
    """The scenes of a scenario, one a pool; without some of SIGNALS, as where nobody counts them."""
    meta = json.loads((folder / "meta.json").read_text())
    grid = _Grid(meta)
    host = pd.read_parquet(folder / "host.parquet").sort_values("ts")
    some, full = grid.rates(host, ["psi_io_some_us", "psi_io_full_us"]) / 1e6
    present = np.zeros(grid.steps, bool)
    present[grid.index(host.ts)[1:][np.diff(host.ts.to_numpy()) <= _LONGEST_S]] = True
    members, disks = pd.read_parquet(folder / "member.parquet"), pd.read_parquet(folder / "disk.parquet")
    inside, threads = _optional(folder / "inside.parquet"), _optional(folder / "threads.parquet")
    for pool in meta["pools"]:
        name = pool["pool"]
        yield Scene(
            pool=name,
            rotational=pool["rotational"],
            transactional=pool["fs"] == "zfs",
            start=grid.start,
            present=present,
            disks=_disks(grid, disks[disks.pool == name], pool["disks"]),
            members=Members(
                tuple(pool["members"]),
                _activity(
                    grid,
                    members[members.pool == name],
                    None if inside is None or "procedures" in without else inside[inside.pool == name],
                    pool["members"],
                ),
                thread_s=None if "thread_s" in without else _each(grid, inside, "thread_us", pool),
                physical_mb=None if "physical_mb" in without else _each(grid, threads, "physical_bytes", pool),
            ),
            some=some,
            full=full,
            sync_s=_syncs(grid, folder / "txg.parquet", name),
            **({} if "local_mb" in without else _local(grid, folder / "local.parquet", name)),
        )


def _optional(path: Path) -> pd.DataFrame | None:
    return pd.read_parquet(path) if path.exists() else None


def _each(grid: _Grid, frame: pd.DataFrame | None, column: str, pool: dict[str, Any]) -> Floats | None:
    """Millions of a counter a second, of each member."""
    if frame is None:
        return None
    of = dict(iter(frame[frame.pool == pool["pool"]].groupby("member")))
    unknown = np.full(grid.steps, np.nan)
    return np.stack([grid.rates(of[name], [column])[0] / 1e6 if name in of else unknown for name in pool["members"]])


def _activity(grid: _Grid, frame: pd.DataFrame, inside: pd.DataFrame | None, names: list[str]) -> Floats:
    activity = np.zeros((len(names), len(CLASSES), grid.steps))
    of = dict(iter(frame.groupby("member")))
    procedures = {} if inside is None else dict(iter(inside.groupby("member")))
    for at, name in enumerate(names):
        for each, rates in _calls(grid, of[name], procedures.get(name)).items():
            activity[at, CLASSES.index(each)] = rates
    for each in ("read_mb", "write_mb"):
        activity[:, CLASSES.index(each)] /= 1e6
    return activity


def _calls(grid: _Grid, own: pd.DataFrame, inside: pd.DataFrame | None) -> dict[str, Floats]:
    """A member's activity by class: by operation; of NFSv3 by procedure, or else by bytes."""
    operations = [column for name, columns in _CALLS.items() if not name.endswith("_mb") for column in columns]
    read, written = grid.rates(own, ["nfsd_read_bytes", "nfsd_write_bytes"])
    moved = {"read_mb": read, "write_mb": written}
    if own[operations].isna().to_numpy().all():
        if inside is None:
            return moved | by_bytes(grid.rates(own, ["calls"])[0], read, written)
        own = inside.rename(columns=lambda name: name.replace("proc_", "op_"))
    rates = dict(zip(operations, grid.rates(own, operations), strict=True))
    calls = {
        name: np.sum([rates[each] for each in columns], axis=0)
        for name, columns in _CALLS.items()
        if not name.endswith("_mb")
    }
    return moved | calls


def _disks(grid: _Grid, frame: pd.DataFrame, names: list[str]) -> Disks:
    of = dict(iter(frame.groupby("disk")))
    reads, read, read_ms, writes, written, write_ms, busy_ms, weighted_ms = np.stack(
        [grid.rates(of[name], _DISK) for name in names], axis=1
    )
    ios = reads + writes
    wait = np.where(ios > 0, (read_ms + write_ms) / np.where(ios > 0, ios, 1), np.nan)
    mb = (read * _SECTOR_MB, written * _SECTOR_MB)
    return Disks(tuple(names), reads, mb[0], writes, mb[1], busy_ms / 1e3, weighted_ms / 1e3, wait)


def _syncs(grid: _Grid, path: Path, pool: str) -> Floats:
    longest = np.zeros(grid.steps)
    if path.exists():
        frame = pd.read_parquet(path)
        frame = frame[frame.pool == pool]
        at = ((frame.ts.to_numpy() - grid.start) // STEP_S).astype(int).clip(0, grid.steps - 1)
        np.maximum.at(longest, at, frame.stime_ms.to_numpy() / 1e3 - TXG_TIMEOUT_S)
    return longest


def _local(grid: _Grid, path: Path, pool: str) -> dict[str, Any]:
    """What the node itself moves, by the scene's name of it."""
    if not path.exists():
        return {}
    frame = pd.read_parquet(path)
    frame = frame[frame.pool == pool]
    scans = frame.source.isin(_SCANS)
    moved = (
        ("scanned_mb", frame[scans], "read_bytes"),
        ("local_mb", frame[~scans], "read_bytes"),
        ("local_written_mb", frame, "written_bytes"),
    )
    found: dict[str, Floats] = {
        name: sum((grid.rates(each, [column])[0] for _, each in rows.groupby("source")), np.zeros(grid.steps)) / 1e6
        for name, rows, column in moved
        if column in frame
    }
    return found
