"""The sources `inside` and `latency`: what each server's nfsd did, as the kernel itself adds it up.

Every call that nfsd has answered goes by the event sunrpc:svc_stats_latency, with the procedure and how long it took
from its arrival to the sending of the answer. Histograms (`tracing.py`) add up, by network namespace: calls and time by
procedure, read in every cycle, and how many calls took how long, read once a minute. What waits for a free thread is
not in it.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nasacct.collect.changes import Changes
from nasacct.collect.tallies import Tallies
from nasacct.collect.tracing import Histogram
from nasacct.store.frame import Batch, Subject
from nasacct.store.schema import BUCKETS, INSIDE, LATENCY, PROCEDURES

if TYPE_CHECKING:
    from collections.abc import Callable

    from nasacct.collect.machine import Listing, Machine, Server
    from nasacct.collect.tallies import Counts, Tally
    from nasacct.collect.tracing import Counting
    from nasacct.store.frame import Instant
    from nasacct.store.stream import Stream

#: How long last readings wait for a cycle that reads.
PATIENCE_S = 0.5
_COLUMNS = {name.upper().encode("ascii"): i for i, name in enumerate(PROCEDURES[:-1])}
_OTHER = len(PROCEDURES) - 1


@dataclass(frozen=True, slots=True)
class Kind:
    """One histogram: its `key`, whether its microseconds are summed, its stream, and a server's counts as its row."""

    stream: Stream
    key: str
    us: bool
    row: Callable[[Counts], list[int]]
    pace_s: float = 0


def procedures(counts: Counts) -> list[int]:
    """Calls and microseconds by procedure; what has no column is in `other` (NFSACL, lockd, callbacks)."""
    calls, times = [0] * len(PROCEDURES), [0] * len(PROCEDURES)
    for key, (hits, us) in counts.items():
        column = _COLUMNS.get(key, _OTHER)
        calls[column] += hits
        times[column] += us
    return calls + times


def buckets(counts: Counts) -> list[int]:
    """Calls by the power of two (microseconds) that they took at most; the last one has all that took longer."""
    row = [0] * BUCKETS
    for key, (hits, _) in counts.items():
        row[min(int(key), BUCKETS - 1)] += hits
    return row


BY_PROCEDURE = Kind(INSIDE, "procedure", us=True, row=procedures)
BY_TIME = Kind(LATENCY, "execute.log2", us=False, row=buckets, pace_s=60)


class Inside:
    """Reads one kind of histogram, and hands out the rows that changed.

    `admit` gives a new subject its sid. With every generation of the histogram a server has a new epoch.
    """

    optional = True

    def __init__(self, admit: Callable[[Subject], int], kind: Kind, counting: Counting | None = None) -> None:
        self.name = kind.stream.source
        self.streams = (kind.stream.name,)
        self.pace_s = kind.pace_s
        self._admit, self._kind = admit, kind
        self._lock = threading.Lock()
        self._tallies = Tallies(
            counting or Histogram(f"nasacct-{self.name}", kind.key, us=kind.us), f"nasacct_{self.name}"
        )
        self._changes = Changes(kind.stream)
        self._subjects: dict[str, Subject] = {}
        self._ended: set[str] = set()

    def read(self, machine: Machine, listing: Listing) -> Batch:
        """Read the histogram. Raises OSError where the kernel has none."""
        with self._lock:
            return self._read(machine, listing)

    def final(self, machine: Machine, server: Server) -> Batch | None:
        """The last counts of a server that is ending; None of one that is not known."""
        if not self._lock.acquire(timeout=PATIENCE_S):
            return None
        try:
            if server.epoch in self._ended:
                return None
            self._ended.add(server.epoch)
            at = machine.now()
            try:
                counts = self._end(server, at)
            except OSError:
                counts = None
            subject = self._subjects.pop(server.epoch, None)
            return None if subject is None else self._last(at, {subject: counts})
        finally:
            self._lock.release()

    def ends(self, machine: Machine) -> Batch | None:
        """The last counts of a generation that is full, after which another one counts; None while it has room."""
        if not self._tallies.full or not self._lock.acquire(timeout=PATIENCE_S):
            return None
        try:
            at = machine.now()
            try:
                last = self._tallies.renew(at)
            except OSError as err:
                self._tallies.note = f"no new histogram can be begun: {err.strerror or err}"
                return None
            subjects, self._subjects = self._subjects, {}
            return self._last(at, {subject: last.get(epoch) for epoch, subject in subjects.items()})
        finally:
            self._lock.release()

    def close(self) -> None:
        """Count no more, and leave nothing in the kernel."""
        with self._lock:
            self._tallies.close()

    def _read(self, machine: Machine, listing: Listing) -> Batch:
        at = machine.now()
        listed: list[Subject] = []
        batch = Batch(self.name, at, listed, complete=listing.complete_at(at))
        there = [server for server in listing.servers if server.epoch not in self._ended]
        moved = self._tallies.read(at, there)
        rows: dict[Subject, list[int]] = {}
        for server in there:
            tally = self._tallies.tally(server.epoch)
            if tally is None:
                batch.note = f"{server.name}: its namespace is not known"
                continue
            subject = self._subjects.get(server.epoch)
            fresh = subject is None or not subject.epoch.endswith(self._tallies.generation)
            if subject is None or fresh:
                subject = self._subjects[server.epoch] = self._open(tally)
            listed.append(subject)
            if self._tallies.dropped:
                batch.failed[subject] = "the kernel's histogram had no room for calls, of this server or of another one"
            elif tally.lost:
                batch.failed[subject] = "another server has its namespace now"
            elif fresh or server.epoch in moved:
                rows[subject] = self._kind.row(self._tallies.of(tally))
        batch.rows = self._changes.rows(list(rows), np.array(list(rows.values()), np.int64))
        batch.unknown_fields = self._tallies.unknown
        batch.note, self._tallies.note = self._tallies.note or batch.note, ""
        if listing.complete:
            self._forget_unlisted({server.epoch for server in listing.servers})
        return batch

    def _end(self, server: Server, at: Instant) -> Counts | None:
        """The last counts of a server; one that lived between two readings is met in this moment."""
        if server.epoch not in self._subjects and (tally := self._tallies.meet(at, server)) is not None:
            self._subjects[server.epoch] = self._open(tally)
        return self._tallies.end(server.epoch, at)

    def _open(self, tally: Tally) -> Subject:
        subject = Subject(
            self.name,
            {"server": tally.server.name},
            f"{tally.server.epoch}/{self._tallies.generation}",
            about={"absent_boot_ns": tally.since_ns},
        )
        subject.sid = self._admit(subject)
        return subject

    def _last(self, at: Instant, counts: dict[Subject, Counts | None]) -> Batch:
        """These as last readings; of those without counts nobody knows them."""
        batch = Batch(self.name, at, None, ended=list(counts))
        known = {subject: self._kind.row(last) for subject, last in counts.items() if last is not None}
        batch.rows = self._changes.rows(list(known), np.array(list(known.values()), np.int64), final=True)
        for subject in counts:
            self._changes.forget(subject)
        return batch

    def _forget_unlisted(self, there: set[str]) -> None:
        """Let those go whose end was not told."""
        self._ended &= there
        for epoch in self._subjects.keys() - there:
            self._tallies.forget(epoch)
            self._changes.forget(self._subjects.pop(epoch))
