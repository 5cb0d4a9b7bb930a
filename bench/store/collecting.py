"""The fleet's counters into a journal, as `nasacct collect` would write it: the product's frames and its writer.

What changed since the last cycle is a row; a source is read a few ms after the beat of the clock, never at the same
place twice. Times that are not so are for months that nobody could wait for: see `Collecting.cycle`.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Self

import numpy as np

from bench.store.fleet import Fleet
from bench.store.machine import POOL, Machine
from nasacct.store import journal
from nasacct.store.frame import Batch, Frame, Instant, Rows, Subject
from nasacct.store.journal_writer import JournalWriter
from nasacct.store.schema import NFSD, STREAMS
from nasacct.store.standing import Standing

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

NODE = "bench"
_S = 1_000_000_000
#: Links of the node that are no server's.
_UPLINKS = 2
#: Frames handed over before the disk is waited for; few enough that the writer never has to merge any.
_AHEAD = 40
_SYNC_S = 600.0
_CALLS = [NFSD.index[name] for name in ("rc_hits", "rc_misses", "rc_nocache")]


def boot_of(seed: int) -> str:
    """A boot id as a kernel has it, the same for the same seed."""
    return str(uuid.UUID(int=np.random.default_rng(seed).integers(0, 1 << 62).item() << 64, version=4))


class Collecting:
    """One run of a collector over `servers` servers that begins at `start_s` (UTC), into the journal `folder`.

    Without a folder nothing is written: `cycle` only gives the frames.
    """

    def __init__(self, folder: Path | None, servers: int, start_s: int, *, operations: bool = True) -> None:
        self.fleet, self.machine = Fleet(servers), Machine()
        self._random = np.random.default_rng(3)
        self._now = Instant(start_s * _S, 40 * 86_400 * _S)
        self._operations, self._seq, self._ahead = operations, 0, 0
        self._subjects = _subjects(servers, boot_of(1))
        self._births = [s for of_source in self._subjects.values() for s in of_source]
        for sid, subject in enumerate(self._births, start=1):
            subject.sid = sid
        self._was: dict[str, NDArray[np.int64]] = {}
        self._folder, self._interval_ns = folder, 10 * _S
        self._number, self._standing = 1, Standing()
        self.writer: JournalWriter | None = None

    def begin(self, interval_s: int, file_s: float) -> None:
        """A new run of the collector on the same machine, with what stands: another interval, other files."""
        self.end()
        self._interval_ns, self._seq = interval_s * _S, 0
        origin = journal.Origin(NODE, boot_of(1), uuid.uuid4().hex, "6.12", "bench", self._interval_ns)
        if self._folder is not None:
            self.writer = JournalWriter(self._folder, origin, self._standing, number=self._number, file_s=file_s)

    def cycle(self, *, boot_s: float | None = None, all_rows: bool = False) -> Frame:
        """One cycle, an interval after the one before.

        With `boot_s` only so many seconds pass on CLOCK_BOOTTIME, and the wall clock is put forward by the rest of the
        interval: usage is then of these seconds alone. `all_rows`: also what has not changed is a row.
        """
        interval_s = self._interval_ns / _S
        passed = interval_s if boot_s is None else boot_s
        wall = self._now.wall_ns + self._interval_ns
        self._now = Instant(wall, self._now.boot_ns + int(passed * _S))
        before = int(self.fleet.counters["nfsd"][:, _CALLS].sum())
        self.fleet.step(passed, wall / _S)
        self.machine.step(passed, int(self.fleet.counters["nfsd"][:, _CALLS].sum()) - before)
        self._seq += 1
        batches = [self._batch(source, of_source, all_rows) for source, of_source in self._subjects.items()]
        frame = Frame(self._seq, self._now, batches, self._births)
        self._births = []
        if self.writer is not None:
            self.writer.put(frame)
            self._ahead += 1
            if self._ahead >= _AHEAD:
                self.sync()
        return frame

    def move(self, folder: Path, *, operations: bool) -> None:
        """What is written from the next `begin` on lies in another folder, its numbers going on."""
        self.end()
        self._folder, self._operations = folder, operations

    def sync(self) -> None:
        """Wait until the journal is on the disk. Raises RuntimeError when it cannot be written."""
        self._ahead = 0
        if self.writer is not None and (not self.writer.flush(_SYNC_S) or self.writer.merged):
            raise RuntimeError(f"the journal was not written: {self.writer.trouble or 'frames were merged'}")

    def end(self) -> None:
        """The run ends."""
        if self.writer is not None:
            self.sync()
            self.writer.close()
            self.writer = None
            assert self._folder is not None
            self._number = max((journal.number_of(p) for p in journal.files(self._folder)), default=0) + 1

    def _batch(self, source: str, subjects: list[Subject], all_rows: bool) -> Batch:
        late = int(self._random.gamma(4, 300_000)) + 500_000
        at = Instant(self._now.wall_ns + late, self._now.boot_ns + late)
        took = int(self._random.gamma(20, 50) + 10 * len(subjects))
        batch = Batch(source, at, subjects, took_us=took, cpu_us=took * 9 // 10)
        sids = np.array([s.sid for s in subjects], np.int32)
        for name, stream in STREAMS.items():
            if stream.source != source or (name == "ops" and not self._operations):
                continue
            values = self._values(name)
            was = self._was.get(name)
            changed = np.ones(len(sids), bool) if was is None or all_rows else (values != was).any(axis=1)
            self._was[name] = values
            batch.rows[name] = Rows(sids[changed], values[changed])
        return batch

    def _values(self, stream: str) -> NDArray[np.int64]:
        if stream in self.machine.counters:
            return self.machine.counters[stream].copy()
        values = self.fleet.counters[stream]
        if stream == "links":
            # what servers move, the uplinks move too
            values = np.concatenate([values, np.tile(values.sum(axis=0) // _UPLINKS, (_UPLINKS, 1))])
        return values.copy()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def names(servers: int) -> list[str]:
    """The servers' names, as osctl-exportfs numbers exports."""
    return [str(101 + i) for i in range(servers)]


def _subjects(servers: int, boot_id: str) -> dict[str, list[Subject]]:
    """Everything there is on the node, by source."""
    nfsd, links = [], []
    for i, name in enumerate(names(servers)):
        pid = 4000 + 7 * i
        nfsd.append(Subject("nfsd", {"server": name}, f"{boot_id}/{pid}.{9000 + 13 * i}", about={"pid": pid}))
        links.append(Subject("links", {"server": name, "link": f"veth{name}"}, f"{boot_id}/if{10 + 2 * i}"))
    links += [Subject("links", {"server": None, "link": f"eth{i}"}, f"{boot_id}/if{2 + i}") for i in range(_UPLINKS)]
    disks = [Subject("disks", {"disk": f"SERIAL{i:04d}", "device": f"sd{chr(97 + i)}"}, boot_id) for i in range(POOL)]
    for disk in disks:
        disk.epoch = f"{boot_id}/{disk.keys['device']}"
    return {
        "nfsd": nfsd,
        "procs": [Subject("procs", {"server": None}, boot_id)],
        "links": links,
        "disks": disks,
        "node": [Subject("node", {}, boot_id)],
    }
