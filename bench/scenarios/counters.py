"""What a collector would have read of a simulated pool: cumulative counters every ten seconds, in Parquet files.

The files are those that `bench.attribution.scenario` describes. Beside what every kernel has:

inside.parquet   ts, pool, member, thread_us, proc_READ ... proc_REMOVE: microseconds of nfsd's threads, and an NFSv3
                 member's calls by procedure (null of NFSv4, whose calls are all COMPOUND)
threads.parquet  ts, pool, member, physical_bytes: what nfsd's threads had read from disks (page cache only: no ZFS)
member.parquet   `calls` of all members; the columns op_ of those on NFSv3 are null
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bench.scenarios import truth
from bench.scenarios.asked import CALLS

if TYPE_CHECKING:
    from pathlib import Path

    from bench.scenarios.disks import Floats
    from bench.scenarios.pool import Course
    from bench.scenarios.situations import Situation

START = 1_793_000_000
_TREMBLES_S = 0.3
_POOL = "tank"
#: Operations by class of call, with about how they divide.
_OPERATIONS = {
    "reads": {"READ": 1.0},
    "writes": {"WRITE": 1.0},
    "commits": {"COMMIT": 1.0},
    "lookups": {"GETATTR": 0.5, "LOOKUP": 0.25, "ACCESS": 0.2, "READDIR": 0.05},
    "changes": {"CREATE": 0.45, "SETATTR": 0.45, "RENAME": 0.1},
    "removes": {"REMOVE": 1.0},
}
OPERATIONS = [name for each in _OPERATIONS.values() for name in each]
_THREADS = 8
#: Seconds of a thread for a call that waits for nothing, and for a MB copied.
_CALL_S, _COPY_S_MB = 30e-6, 0.4e-3
_KB = 1.024e-3
#: Disks are not used quite alike, by how their data lie and from one sample to the next.
_UNEVEN, _UNEVEN_NOW = 0.02, 0.03


class Seen:
    """Amounts of each sample: what was done, by member, and by the disks."""

    def __init__(self, made: Situation, course: Course) -> None:
        self.made, self.course, self.random = made, course, made.random
        streams, self.steps = made.pool.streams, len(course.done) // truth.STEP_S
        order = self.random.permutation(900)[: made.members] + 100
        self.names = [f"m{each}" for each in order]  # which tell nothing
        done = self.of(course.done)
        per_round = {each: streams[each] for each in CALLS}
        self.calls = {each: np.rint(self._by_member(done * per_round[each])) for each in CALLS}
        moved = {"read": streams["reads"] * streams["read_kb"], "written": streams["writes"] * streams["write_kb"]}
        self.moved = {name: np.rint(self._by_member(done * each * _KB) * 1e6) for name, each in moved.items()}
        self.physical = np.rint(self._by_member(self.of(course.read_mb)) * 1e6)
        self.thread_us = np.rint(self._threads() * 1e6)
        self.ts = START + (np.arange(self.steps) + 1.0) * truth.STEP_S
        self.ts += self.random.uniform(-_TREMBLES_S, _TREMBLES_S, self.steps)

    def of(self, rates: Floats) -> Floats:
        """Amounts of each sample, of amounts a second."""
        return truth.by_step(rates) * truth.STEP_S

    def _by_member(self, amounts: Floats) -> Floats:
        found = np.zeros((self.steps, self.made.members))
        np.add.at(found.T, self.made.pool.streams.member, amounts.T)
        return found

    def _threads(self) -> Floats:
        """Seconds of each member's threads: at work, waiting for disks, and held up when too much is dirty."""
        course, streams = self.course, self.made.pool.streams
        at_disk = course.done * course.misses * course.wait_s[:, None]
        waits = course.waiting * course.misses * (course.misses > 1e-9)
        held = np.outer(1 - course.held_up, streams["outstanding"]) * (streams["writes"] > 0) * (streams.rounds > 0)
        work = course.done * (streams.calls.sum(axis=0) * _CALL_S)
        copied = course.done * (streams["reads"] * streams["read_kb"] + streams["writes"] * streams["write_kb"]) * _KB
        threads = at_disk + waits + held + work + copied * _COPY_S_MB
        members = np.zeros((len(threads), self.made.members))
        np.add.at(members.T, streams.member, threads.T)
        return self.of(np.minimum(members, _THREADS))

    def operations(self, member: int) -> dict[str, Floats]:
        """Calls of each sample by operation."""
        found = {}
        for each, parts in _OPERATIONS.items():
            mix = self.random.dirichlet(30 * np.array(list(parts.values()))) if len(parts) > 1 else [1.0]
            for name, part in zip(parts, mix, strict=True):
                found[name] = np.rint(self.calls[each][:, member] * part)
        return found


def written(made: Situation, course: Course, folder: Path, labels: Path) -> list[dict[str, Any]]:
    """Write a scenario's folder, and its truth to a folder of its own; returns the truth."""
    seen = Seen(made, course)
    folder.mkdir(parents=True)
    labels.mkdir(parents=True, exist_ok=True)
    keep = _kept(seen)
    for name, frame in _frames(seen).items():
        frame[frame.ts.isin(seen.ts[keep]) | (name == "txg")].to_parquet(folder / f"{name}.parquet", index=False)
    (folder / "meta.json").write_text(json.dumps(_meta(seen, folder.name), indent=1))
    found = _truth(seen)
    (labels / f"{folder.name}.json").write_text(json.dumps({"scenario": folder.name, "episodes": found}, indent=1))
    return found


def _truth(seen: Seen) -> list[dict[str, Any]]:
    made, course = seen.made, seen.course
    work = truth.used(course, made.pool.streams.member, made.members, made.pool.slower)
    found = truth.episodes(truth.by_step(course.busy), truth.by_step(course.backlog_s))
    labels = truth.labels(work, found, seen.names)
    for each in labels:
        each |= {"start": each["start"] + START, "end": each["end"] + START, "pool": _POOL}
    return labels


def _meta(seen: Seen, scenario: str) -> dict[str, Any]:
    kind = seen.made.pool.kind
    pool = {
        "pool": _POOL,
        "disks": _disk_names(seen),
        "rotational": kind.rotational,
        "layout": seen.made.kind,
        "fs": "zfs" if kind.transactional else "ext",
        "members": seen.names,
    }
    duration = seen.steps * truth.STEP_S
    return {"scenario": scenario, "interval_s": truth.STEP_S, "t0": START, "duration_s": duration, "pools": [pool]}


def _disk_names(seen: Seen) -> list[str]:
    return [f"d{each}" for each in range(seen.made.pool.kind.disks)]


def _frames(seen: Seen) -> dict[str, pd.DataFrame]:
    zfs = seen.made.pool.kind.transactional
    members, inside, logical = [], [], []
    for at, name in enumerate(seen.names):
        operations = seen.operations(at)
        of_v4, begun = not seen.made.nfs3[at], int(seen.random.integers(0, 10**6))
        known = {f"op_{each}": _counted(seen, amounts, begun) for each, amounts in operations.items()}
        read, written_ = (seen.moved[each][:, at] for each in ("read", "written"))
        calls = sum(operations.values(), np.zeros(seen.steps))
        sizes = {"rx": written_ * 1.03 + 180 * calls, "tx": read * 1.03 + 160 * calls}
        member = {
            **(known if of_v4 else dict.fromkeys(known)),
            "calls": _counted(seen, calls, begun),
            "nfsd_read_bytes": _counted(seen, read),
            "nfsd_write_bytes": _counted(seen, written_),
            **{f"{each}_bytes": _counted(seen, amounts) for each, amounts in sizes.items()},
            **{f"{each}_packets": _counted(seen, amounts / 1200 + calls) for each, amounts in sizes.items()},
        }
        procedures = {f"proc_{each}": _counted(seen, amounts) for each, amounts in operations.items()}
        threads = {
            "thread_us": _counted(seen, seen.thread_us[:, at]),
            **(dict.fromkeys(procedures) if of_v4 else procedures),
        }
        physical = {} if zfs else {"physical_bytes": _counted(seen, seen.physical[:, at])}
        if seen.made.gaps and seen.random.random() < 0.5:  # the server starts anew
            again = int(seen.random.integers(seen.steps // 4, seen.steps))
            for counters in (member, threads, physical):
                for column, values in counters.items():
                    if values is not None:
                        counters[column] = np.append(values[:again], values[again:] - values[again - 1])
        members.append(_frame(seen, member, member=name))
        inside.append(_frame(seen, threads | physical, member=name))
        reads, writes = operations["READ"], operations["WRITE"]
        counted = {"reads": reads, "nread": read, "writes": writes, "nwritten": written_}
        of = {each: _counted(seen, amounts) for each, amounts in counted.items()}
        logical.append(_frame(seen, of, member=name, dataset=f"{_POOL}/{name}"))
    inner = pd.concat(inside)
    found = {
        "member": pd.concat(members),
        "inside": inner.drop(columns="physical_bytes", errors="ignore"),
        "disk": _disks(seen),
        "host": _host(seen),
        "local": _local(seen),
    }
    if zfs:
        return found | {"dataset": pd.concat(logical), "txg": _groups(seen)}
    return found | {"threads": inner[["ts", "pool", "member", "physical_bytes"]]}


def _counted(seen: Seen, amounts: Floats, begun: int = 0) -> Any:
    """A counter after each sample; what is less than one stays for the next."""
    assert len(amounts) == seen.steps
    return np.floor(np.cumsum(amounts) + 1e-6).astype("int64") + begun


def _frame(seen: Seen, columns: dict[str, Any], **of: str) -> pd.DataFrame:
    frame = pd.DataFrame({"ts": seen.ts, "pool": _POOL, **of, **columns})
    unknown = [name for name, values in columns.items() if values is None]
    return frame.astype(dict.fromkeys(unknown, "float64"))


def _disks(seen: Seen) -> pd.DataFrame:
    """Each disk's part of what all did; in a pool with a slow disk the others wait for it."""
    course, pool = seen.course, seen.made.pool
    disk = {name: seen.of(values) for name, values in course.disk.items()}
    disk["reading"] /= truth.STEP_S
    count, parallel = pool.kind.disks, pool.kind.parallel
    parts = seen.random.normal(1, _UNEVEN, count) * seen.random.normal(1, _UNEVEN_NOW, (seen.steps, count))
    parts /= parts.sum(axis=1, keepdims=True)
    busy, depth = truth.by_step(course.busy), truth.by_step(course.depth)
    slower = np.ones(seen.steps) if pool.slower is None else truth.by_step(pool.slower)
    frames = []
    for at, name in enumerate(_disk_names(seen)):
        slow = pool.slower is None or at == pool.slow_disk
        part = parts[:, at]
        works = np.minimum(
            busy / (1 if slow else slower) * (1 if slow and pool.slower is not None else part * count), 1
        )
        flying = depth * (1 if slow else 1 / slower)
        if not pool.kind.rotational:
            works = 1 - np.exp(-np.maximum(flying, works * parallel))
        weighted = np.maximum(flying, works if pool.kind.rotational else 0) * truth.STEP_S * 1e3
        columns = {
            "reads": disk["reads"] * part,
            "rd_sectors": disk["read_mb"] * part * 1e6 / 512,
            "rd_ms": weighted * disk["reading"],
            "writes": disk["writes"] * part,
            "wr_sectors": disk["write_mb"] * part * 1e6 / 512,
            "wr_ms": weighted * (1 - disk["reading"]),
            "io_ticks_ms": works * truth.STEP_S * 1e3,
            "weighted_ms": weighted,
        }
        frames.append(_frame(seen, {each: _counted(seen, amounts) for each, amounts in columns.items()}, disk=name))
    return pd.concat(frames)


def _host(seen: Seen) -> pd.DataFrame:
    """Pressure: some task waits for IO, all of them do."""
    course = seen.course
    waiting = (course.waiting * course.misses).sum(axis=1) + (course.done * course.misses).sum(axis=1) * course.wait_s
    some = 1 - np.exp(-waiting)
    full = some * 0.9 * np.minimum(waiting / 6, 1)
    us = {"some": seen.of(some) * 1e6, "full": seen.of(full) * 1e6}
    return pd.DataFrame(
        {"ts": seen.ts, **{f"psi_io_{each}_us": _counted(seen, amounts) for each, amounts in us.items()}}
    )


def _local(seen: Seen) -> pd.DataFrame:
    """What local jobs read and wrote, but for the one that nobody counts."""
    rows = {source: np.zeros((2, seen.steps)) for source in ("scan", "process")}
    for at, job in enumerate(seen.made.pool.local):
        if job.name != "hidden":
            moved = [seen.of(each[:, at]) * 1e6 for each in (seen.course.local_mb, seen.course.local_written_mb)]
            rows["scan" if job.name == "scrub" else "process"] += np.stack(moved)
    return pd.concat(
        _frame(seen, {"read_bytes": _counted(seen, read), "written_bytes": _counted(seen, written_)}, source=source)
        for source, (read, written_) in rows.items()
    )


def _groups(seen: Seen) -> pd.DataFrame:
    rows = [
        (START + each.at_s, _POOL, each.number, each.open_s * 1e3, each.sync_s * 1e3, int(each.dirty_mb * 1e6))
        for each in seen.course.groups
    ]
    return pd.DataFrame(rows, columns=["ts", "pool", "txg", "otime_ms", "stime_ms", "dirty_bytes"])


def _kept(seen: Seen) -> np.ndarray:
    """Readings that were not lost: one in fifty is, and two minutes at a time."""
    if not seen.made.gaps:
        return np.ones(seen.steps, bool)
    keep = seen.random.random(seen.steps) > 0.02
    hole = int(seen.random.integers(seen.steps // 3, seen.steps - 30))
    keep[hole : hole + 12] = False
    return keep
