"""The source `local`: what processes here read and wrote that are not nfsd, by what they do.

/proc/<pid>/io of every process (proc_pid_io(5)): bytes that it had the disks read and made dirty, and bytes that it
took and gave by system calls, of which those of `zfs recv` and `zfs send` are the stream: ZFS reads and writes for them
on threads of its own. To its own a process has added what children did that have ended (kernel/exit.c,
wait_task_zombie): what was told of those is taken off again. A process that nobody waits for takes what it did since it
was looked at last with it, so all of it is a lower bound.

Told are no processes but jobs: `zfs recv`, `zfs send`, the names of the node's own programs, and `containers`: all that
is in a namespace of processes of its own, whose names are nobody's business here.
"""

from __future__ import annotations

import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nasacct.collect import process
from nasacct.collect.budget import affordable
from nasacct.collect.changes import Changes
from nasacct.store.frame import Batch, Subject
from nasacct.store.schema import LOCAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nasacct.collect.machine import Listing, Machine

CONTAINERS, OTHERS = "containers", "others"
#: So many jobs are told by name; what begins to do something later is told together, and with that who cannot be told.
MOST = 200
#: The lines of /proc/<pid>/io, in the order of the stream's measures.
LINES = (b"read_bytes", b"write_bytes", b"rchar", b"wchar")
_IO_BYTES, _STAT_BYTES, _COMMAND_BYTES = 512, 2048, 256
#: What `zfs` may do that moves much (zfs-recv(8), zfs-send(8)).
_OF_ZFS = {b"recv": "zfs recv", b"receive": "zfs recv", b"send": "zfs send"}
#: The flag of threads of the kernel in /proc/<pid>/stat (PF_KTHREAD).
_KERNELS = 0x00200000
_GONE = (FileNotFoundError, ProcessLookupError)
#: Read, made dirty, taken, given.
_Io = tuple[int, ...]


@dataclass(slots=True)
class _Process:
    """A process: when it began (ticks), its parent, its job, what it had done when it was looked at last."""

    started: int
    parent: int
    job: str
    done: _Io


class Local:
    """Looks at all processes every `interval_s`, and hands out the rows of jobs that did something.

    `admit` gives a new subject its sid, `share` is how much of a processor the source may take, `proc` is where
    processes are shown. The sums are those of a run of the collector.
    """

    name = LOCAL.source
    streams = (LOCAL.name,)
    optional = True

    def __init__(
        self, admit: Callable[[Subject], int], interval_s: float, share: float = 1.0, *, proc: str = "/proc"
    ) -> None:
        self.pace_s = float(interval_s)
        self._admit, self._interval_s, self._share, self._proc = admit, float(interval_s), share, proc
        self._run = secrets.token_hex(4)
        self._known: dict[int, _Process] = {}
        self._refused: set[int] = set()
        self._sums: dict[str, list[int]] = {}
        self._subjects: dict[str, Subject] = {}
        self._changes = Changes(LOCAL)
        self._began_ns: int | None = None
        self._own: str | None = None

    def read(self, machine: Machine, listing: Listing) -> Batch:  # noqa: ARG002  whatever servers there are
        """Look at every process once. Raises OSError where there is no /proc."""
        began, first = time.thread_time(), self._began_ns is None
        at = machine.now()
        if self._began_ns is None:
            self._began_ns = at.boot_ns
            self._own = self._namespace("self")
        there: dict[int, _Process] = {}
        refused: set[int] = set()
        for pid in self._pids():
            try:
                one = self._look(pid)
            except _GONE:
                continue
            except PermissionError:
                refused.add(pid)
                continue
            if one is not None:
                there[pid] = one
        told = self._told_of_ended(there)
        for pid, one in there.items():
            if not first and pid not in self._refused:
                self._add(one, self._known.get(pid), told.get(pid))
        self._known, self._refused = there, refused
        batch = Batch(self.name, at, [self._subject(machine, job) for job in self._sums])
        batch.note = f"{len(refused)} processes may not be looked at" if refused else ""
        values = np.array(list(self._sums.values()), np.int64).reshape(-1, LOCAL.width)
        batch.rows = self._changes.rows(batch.listed or [], values)
        self.pace_s = affordable(self._interval_s, time.thread_time() - began, self._share)
        return batch

    def __len__(self) -> int:
        """How many processes there were at the last look."""
        return len(self._known)

    def close(self) -> None:
        """Nothing is kept open."""

    def _pids(self) -> Iterator[int]:
        with os.scandir(self._proc) as entries:
            yield from (int(entry.name) for entry in entries if entry.name.isdigit())

    def _look(self, pid: int) -> _Process | None:
        """The process as it is now; None where it is none of a program, or has ended. Raises OSError."""
        file = os.open(f"{self._proc}/{pid}/io", os.O_RDONLY | os.O_CLOEXEC)
        try:
            stat = process.content(f"{self._proc}/{pid}/stat", _STAT_BYTES)
            # read last: as long as it can be read its process lives, so nobody else has begun under that number
            done = process.io(os.read(file, _IO_BYTES), LINES)
        finally:
            os.close(file)
        fields = stat.rpartition(b")")[2].split()
        if done is None or len(fields) < 20 or int(fields[6]) & _KERNELS:
            return None
        started, parent, known = int(fields[19]), int(fields[1]), self._known.get(pid)
        if known is not None and known.started == started:
            return _Process(started, parent, known.job, done)
        return _Process(started, parent, self._job(pid, stat), done)

    def _told_of_ended(self, there: dict[int, _Process]) -> dict[int, _Io]:
        """By process, what had been told of its descendants that have ended since the last look."""
        found: dict[int, _Io] = {}
        for pid, known in self._known.items():
            if _same(there.get(pid), known):
                continue
            above, below = known.parent, {pid}
            # who waited for it may have ended, too, and somebody have waited for that one; processes are looked at one
            # after the other, so a number may have come again, and parents make a ring
            while above in self._known and above not in below and not _same(there.get(above), self._known[above]):
                below.add(above)
                above = self._known[above].parent
            more = found.get(above, (0,) * len(LINES))
            found[above] = tuple(map(sum, zip(more, known.done, strict=True)))
        return found

    def _job(self, pid: int, stat: bytes) -> str:
        space = self._namespace(pid)
        if space != self._own:
            # of one that is ending it is not seen
            return CONTAINERS if space is not None else OTHERS
        program = stat.partition(b"(")[2].rpartition(b")")[0]
        if program == b"zfs":
            words = process.content(f"{self._proc}/{pid}/cmdline", _COMMAND_BYTES).split(b"\0")
            return _OF_ZFS.get(words[1] if len(words) > 1 else b"", "zfs")
        return program.decode("utf-8", "replace")

    def _namespace(self, pid: int | str) -> str | None:
        """The process's namespace of processes; None where that may not be seen."""
        try:
            return str(Path(f"{self._proc}/{pid}/ns/pid").readlink())
        except OSError:
            return None

    def _add(self, one: _Process, before: _Process | None, told: _Io | None) -> None:
        """Add what the process did since the last look, but for what was told of others; of one that has come, all."""
        grown = list(one.done)
        if before is not None and before.started == one.started:
            grown = [now - was for now, was in zip(one.done, before.done, strict=True)]
            if min(grown) < 0:
                # another one of that number, begun within the same hundredth of a second
                grown = list(one.done)
        if told is not None:
            # whose parent waited for nobody, of that it has nothing
            grown = [max(0, more - less) for more, less in zip(grown, told, strict=True)]
        if not any(grown):
            return
        job = one.job if one.job in self._sums or len(self._sums) < MOST else OTHERS
        sums = self._sums.setdefault(job, [0] * len(LINES))
        self._sums[job] = [total + more for total, more in zip(sums, grown, strict=True)]

    def _subject(self, machine: Machine, job: str) -> Subject:
        subject = self._subjects.get(job)
        if subject is None:
            epoch = f"{machine.boot_id}/local/{self._run}/{job}"
            subject = Subject(self.name, {"job": job}, epoch, about={"born_boot_ns": self._began_ns})
            subject.sid = self._admit(subject)
            self._subjects[job] = subject
        return subject


def _same(one: _Process | None, known: _Process) -> bool:
    """Whether a process is still the one it was."""
    return one is not None and one.started == known.started
