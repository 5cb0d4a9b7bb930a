"""The source `threads`: what each server's nfsd threads had read from the disks, by their own /proc/<tid>/io.

Only where file systems use the page cache (ext4, XFS): ZFS reads on threads of its own. Nothing in /proc tells whose a
thread is; a histogram of the kernel does (`tracing.py`), by the namespace whose calls it has answered. One that has
answered none since the last look has read nothing and is not looked at. What a thread had read before the source began
is taken off.

/proc/<tid>/io is printed by do_io_accounting (fs/proc/base.c): lines of `name: number`, of which two count. What is
written counts when it makes a page dirty, not when it reaches the disk.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nasacct.collect import process
from nasacct.collect.changes import Changes
from nasacct.collect.descriptor import Descriptor
from nasacct.collect.generations import Generations
from nasacct.collect.tracing import Histogram, entry
from nasacct.store.frame import Batch, Subject
from nasacct.store.schema import THREADS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from nasacct.collect.machine import Listing, Machine, Server
    from nasacct.collect.tracing import Counting, Section
    from nasacct.store.frame import Rows

#: How long last readings wait for a cycle that reads.
PATIENCE_S = 0.5
_IO_BYTES = 1024
#: The lines of an io file that count, in the order of the stream's measures.
LINES = (b"read_bytes", b"write_bytes")
#: Bytes read and written.
_Io = tuple[int, ...]


@dataclass(slots=True, eq=False)
class _Thread:
    """A thread of a server: its io file, which is of no other thread, and what it had read and written, less `base`."""

    tid: int
    server: str
    subject: Subject
    file: Descriptor
    base: _Io
    values: _Io


def _read(file: Descriptor) -> _Io | None:
    try:
        return process.io(file.text(_IO_BYTES), LINES)
    except (FileNotFoundError, ProcessLookupError):
        return None


class Threads:
    """Reads the threads of every server that has answered something, and hands out the rows that changed.

    `admit` gives a new subject its sid, `proc` is where processes are shown.
    """

    name = THREADS.source
    streams = (THREADS.name,)
    optional = True
    pace_s = 30.0

    def __init__(
        self, admit: Callable[[Subject], int], counting: Counting | None = None, *, proc: str = "/proc"
    ) -> None:
        self._admit, self._proc = admit, proc
        self._generations = Generations(
            counting or Histogram("nasacct-threads", "common_pid", us=False), "nasacct_threads"
        )
        self._lock = threading.Lock()
        self._lines: frozenset[bytes] = frozenset()
        self._threads: dict[int, _Thread] = {}
        #: of every nfsd thread that was there when the source began, when it began and what it had read and written
        self._before: dict[int, tuple[int, _Io]] = {}
        self._looked_ns = 0
        self._changes = Changes(THREADS)

    def read(self, machine: Machine, listing: Listing) -> Batch:
        """Read the histogram, and the threads it names. Raises OSError where the kernel has none."""
        with self._lock:
            return self._read(machine, listing)

    def final(self, machine: Machine, server: Server) -> Batch | None:
        """The last readings of an ending server's threads.

        What those that are gone have read is known if they have answered nothing since the last look.
        """
        if not self._lock.acquire(timeout=PATIENCE_S):
            return None
        try:
            threads = [thread for thread in self._threads.values() if thread.server == server.epoch]
            if not threads:
                return None
            batch = Batch(self.name, machine.now(), None, ended=[thread.subject for thread in threads])
            moved = self._moved_since()
            sure = [thread for thread in threads if thread.tid not in moved or self._look(thread)]
            batch.rows = self._rows(sure, final=True)
            for thread in threads:
                del self._threads[thread.tid]
                self._changes.forget(thread.subject)
            return batch
        finally:
            self._lock.release()

    def close(self) -> None:
        """Count no more, and leave nothing in the kernel."""
        with self._lock:
            self._generations.close()

    def _read(self, machine: Machine, listing: Listing) -> Batch:
        at = machine.now()
        servers: dict[object, Server] = {server.about.get("netns"): server for server in listing.servers}
        if not self._generations.begun:
            self._begin(len(servers))
            self._looked_ns = machine.now().boot_ns
            self._before = dict(self._nfsd_threads())
        moved = self._moved(servers)
        batch = Batch(self.name, at, [], complete=listing.complete_at(at))
        there = {server.epoch for server in listing.servers}
        looked = []
        for thread in list(self._threads.values()):
            if thread.server not in there or (thread.tid in moved and not self._look(thread)):
                # it is not listed, and so it has ended
                del self._threads[thread.tid]
                self._changes.forget(thread.subject)
            elif thread.tid in moved:
                looked.append(thread)
        looked += self._met({tid: server for tid, server in moved.items() if tid not in self._threads})
        batch.listed = [thread.subject for thread in self._threads.values()]
        batch.rows = self._rows(looked)
        self._looked_ns = at.boot_ns
        return batch

    def _moved(self, servers: dict[object, Server]) -> dict[int, Server]:
        """The threads that have answered calls since the last look, and whose."""
        section = self._generations.read()
        answered = self._answered(section)
        self._lines = section.lines
        if section.dropped or self._generations.crowded(section):
            old = self._generations.name
            self._begin(len(servers))
            self._generations.remove(old)
        return {tid: servers[namespace] for tid, namespace in answered if namespace in servers}

    def _moved_since(self) -> set[int]:
        """The threads that have answered calls since the last look; all when that cannot be had."""
        try:
            section = self._generations.all().get(self._generations.name)
        except OSError:
            section = None
        if section is None or section.dropped or not self._lines:
            return set(self._threads)
        return {tid for tid, _ in self._answered(section)}

    def _answered(self, section: Section) -> list[tuple[int, int]]:
        """The threads that have answered calls since the last look, and of which namespace."""
        entries = [one for one in map(entry, section.lines - self._lines) if one is not None and one.key.isdigit()]
        return [(int(one.key), one.namespace) for one in entries]

    def _begin(self, servers: int) -> None:
        self._generations.begin(servers)
        self._lines = frozenset()

    def _met(self, fresh: dict[int, Server]) -> list[_Thread]:
        """The threads that are new, if they can be read."""
        met = []
        for tid, server in fresh.items():
            found = self._thread(tid)
            if found is None:
                continue
            started, values, file = found
            before = self._before.pop(tid, None)
            base = before[1] if before is not None and before[0] == started else (0, 0)
            # it had answered nothing at the last look, and so it had read nothing
            since = max(self._looked_ns, process.born_boot_ns(started))
            epoch = f"{server.epoch}/{tid}.{started}-{self._generations.prefix}"
            subject = Subject(self.name, {"server": server.name}, epoch, about={"absent_boot_ns": since})
            subject.sid = self._admit(subject)
            self._threads[tid] = _Thread(tid, server.epoch, subject, file, base, values)
            met.append(self._threads[tid])
        return met

    def _nfsd_threads(self) -> Iterator[tuple[int, tuple[int, _Io]]]:
        """All threads of nfsd that are there: when each began, what it has read and written."""
        with os.scandir(self._proc) as entries:
            for name in (entry.name for entry in entries):
                if name.isdigit() and self._is_nfsd(name) and (found := self._thread(int(name))):
                    yield int(name), found[:2]

    def _is_nfsd(self, tid: str) -> bool:
        try:
            return process.content(f"{self._proc}/{tid}/comm", 64) == b"nfsd\n"
        except OSError:
            return False

    def _thread(self, tid: int) -> tuple[int, _Io, Descriptor] | None:
        """When the thread began, what it has read and written, and its file; None when it is no more."""
        try:
            file = Descriptor(os.open(f"{self._proc}/{tid}/io", os.O_RDONLY | os.O_CLOEXEC))
        except (FileNotFoundError, ProcessLookupError):
            return None
        started = process.started(self._proc, tid)
        # read last: as long as the file can be read its thread lives, so nobody else has begun under that number
        values = _read(file)
        return None if started is None or values is None else (started, values, file)

    def _look(self, thread: _Thread) -> bool:
        """Read the thread's file; whether it still lives."""
        values = _read(thread.file)
        if values is not None:
            thread.values = values
        return values is not None

    def _rows(self, threads: Iterable[_Thread], *, final: bool = False) -> dict[str, Rows]:
        some = list(threads)
        grown = [[v - b for v, b in zip(thread.values, thread.base, strict=True)] for thread in some]
        values = np.array(grown, np.int64).reshape(-1, THREADS.width)
        return self._changes.rows([thread.subject for thread in some], values, final=final)
