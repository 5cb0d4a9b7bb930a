"""The readings of a journal file: what it says, and what follows from what it does not say, as rows.

A journal holds only what changed. Here the cycles in which a subject was read and had not changed, the moment an epoch
must have begun, ends without a last reading, and what a torn file lost become rows of their own (see `readings.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from nasacct.store.frame import ABSENT, Instant, Subject
from nasacct.store.readings import CARRY, FINAL, HELD, LOST, NEXT, READ, ZERO, Readings
from nasacct.store.schema import HEALTH, STREAMS

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from nasacct.store.frame import Batch
    from nasacct.store.journal import Journal
    from nasacct.store.stream import Stream


#: By how much a time must lie in the future before the clock is taken to have been set back.
_STEPPED_NS = 1_000_000_000


def of_journal(
    journal: Journal, following: Journal | None = None, streams: Collection[str] | None = None
) -> dict[str, Readings]:
    """The readings of one journal file, of these streams or of all, up to the head of the `following` one if given."""
    builders = {name: _Builder(STREAMS[name], journal.origin.boot_id) for name in streams or STREAMS}
    carried: dict[str, set[int]] = {}
    for name, last in journal.carry.rows.items():
        sids = last.sids()
        carried.setdefault(STREAMS[name].source, set()).update(sids.tolist())
        if name not in builders:
            continue
        subjects = [journal.carry.live.get(s) for s in sids.tolist()]
        known = np.array([s is not None for s in subjects], bool)
        builders[name].carry([s for s in subjects if s], *last.of(sids[known]))
    health = builders.get(HEALTH.name)
    monitors: dict[str, Subject] = {}
    by_source = _by_source(builders)
    subjects_by_sid = dict(journal.carry.live)
    # a late source's births come a frame or more before its batch
    fresh: dict[str, list[Subject]] = {}
    for subject in journal.carry.live.values():
        for builder in by_source.get(subject.source, ()):
            if subject.sid not in builder.by_sid:
                builder.know(subject)
            if subject.sid not in carried.get(subject.source, ()):
                # listed in an earlier file, but never read there
                builder.zero(subject, journal.at, -1)
    for frame in journal.frames:
        if following and following.origin.run == journal.origin.run and frame.seq >= following.first_seq:
            break
        if frame.after_loss:
            for builder in builders.values():
                builder.stale[:] = True
        subjects_by_sid.update((s.sid, s) for s in frame.births)
        for subject in frame.births:
            fresh.setdefault(subject.source, []).append(subject)
        for batch in frame.batches:
            born = fresh.pop(batch.source, [])
            for builder in by_source.get(batch.source, ()):
                builder.batch(batch, born, subjects_by_sid)
            if health is not None and batch.listed is not None:
                monitor = monitors.get(batch.source)
                if monitor is None:
                    monitor = Subject(HEALTH.name, {"source_name": batch.source}, journal.origin.run)
                    monitors[batch.source] = monitor
                health.health(monitor, batch)
    alive_next: set[object] = {s.identity for s in following.carry.live.values()} if following else set()
    for name, builder in builders.items():
        builder.end()
        if following is not None:
            if name in following.carry.rows:
                last = following.carry.rows[name]
                sids = last.sids()
                for sid, wall, boot, values in zip(sids.tolist(), *last.of(sids), strict=True):
                    if (later := following.carry.live.get(sid)) is not None:
                        builder.next(later, int(wall), int(boot), values)
            builder.vanished(alive_next, following.at)
    return {name: b.build() for name, b in builders.items()}


def _by_source(builders: dict[str, _Builder]) -> dict[str, list[_Builder]]:
    out: dict[str, list[_Builder]] = {}
    for builder in builders.values():
        if builder.stream is not HEALTH:
            out.setdefault(builder.stream.source, []).append(builder)
    return out


@dataclass(slots=True)
class _Chunk:
    who: NDArray[np.int32]
    wall: NDArray[np.int64]
    boot: NDArray[np.int64]
    kind: NDArray[np.uint8]
    cycle: NDArray[np.int64]
    values: NDArray[np.int64]


@dataclass(slots=True)
class _Builder:
    """Gathers one stream's rows of one file.

    By subject index: `has` any row, `read` one that is more than a birth, `stale` may have changed since in frames
    that are lost, and `last_*`, the row before.
    """

    stream: Stream
    boot_id: str
    subjects: list[Subject] = field(default_factory=list)
    chunks: list[_Chunk] = field(default_factory=list)
    index: dict[object, int] = field(default_factory=dict)
    by_sid: dict[int, int] = field(default_factory=dict)
    cycles: list[Instant] = field(default_factory=list)
    missed: dict[int, set[int]] = field(default_factory=dict)
    ended: set[int] = field(default_factory=set)
    has: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    read: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    stale: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    last_cycle: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    last_wall: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    last_boot: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    last_values: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), np.int64))

    def know(self, subject: Subject) -> int:
        identity = subject.identity
        at = self.index.get(identity)
        if at is None:
            at = self.index[identity] = len(self.subjects)
            self.subjects.append(subject)
            if at >= len(self.last_cycle):
                grow = max(64, at)
                self.has = np.concatenate([self.has, np.zeros(grow, bool)])
                self.read = np.concatenate([self.read, np.zeros(grow, bool)])
                self.stale = np.concatenate([self.stale, np.zeros(grow, bool)])
                self.last_cycle = np.concatenate([self.last_cycle, np.full(grow, -1, np.int64)])
                self.last_wall = np.concatenate([self.last_wall, np.zeros(grow, np.int64)])
                self.last_boot = np.concatenate([self.last_boot, np.zeros(grow, np.int64)])
                blank = np.full((grow, self.stream.width), ABSENT, np.int64)
                self.last_values = np.concatenate([self.last_values.reshape(-1, self.stream.width), blank])
        if subject.sid:
            self.by_sid[subject.sid] = at
        return at

    def add(self, who: NDArray[np.int32], wall: object, boot: object, kind: int, cycle: int, values: object) -> None:
        """Append rows; `wall`, `boot` scalars or int64[n]; `values` int64[n, width]."""
        n = len(who)
        if not n:
            return
        walls = np.broadcast_to(np.asarray(wall, np.int64), n)
        boots = np.broadcast_to(np.asarray(boot, np.int64), n)
        rows = np.asarray(values, np.int64)
        kinds = np.full(n, kind, np.uint8)
        self.chunks.append(_Chunk(who, walls, boots, kinds, np.full(n, cycle, np.int64), rows))
        self.last_cycle[who], self.last_values[who] = cycle, rows
        self.last_wall[who], self.last_boot[who] = walls, boots
        self.has[who], self.stale[who] = True, False
        if kind != ZERO:
            self.read[who] = True

    def carry(
        self, subjects: list[Subject], wall: NDArray[np.int64], boot: NDArray[np.int64], values: NDArray[np.int64]
    ) -> None:
        who = np.array([self.know(s) for s in subjects], np.int32)
        self.add(who, wall, boot, CARRY, -1, values)

    def batch(self, batch: Batch, fresh: list[Subject], by_sid: dict[int, Subject]) -> None:
        regular = batch.listed is not None
        cycle = len(self.cycles)
        if regular:
            self.cycles.append(batch.at)
            if batch.failed:
                self.missed[cycle] = {self.know(s) for s in batch.failed}
        for subject in fresh:
            self.zero(subject, batch.at, cycle - 1)
        rows = batch.rows.get(self.stream.name)
        if rows is not None and len(rows.sids):
            who = np.array([self._at(s, by_sid) for s in rows.sids.tolist()], np.int32)
            self._hold(who, cycle - 1)
            kind = FINAL if rows.final else READ
            self.add(who, batch.at.wall_ns, batch.at.boot_ns, kind, cycle if regular else cycle - 1, rows.values)
            if rows.final:
                self.ended.update(who.tolist())
        for subject in batch.ended:
            at = self.know(subject)
            if at not in self.ended and self._matters(at):
                self._hold(np.array([at], np.int32), cycle - 1)
                self._lose(at, batch.at, cycle)
            self.ended.add(at)

    def zero(self, subject: Subject, seen: Instant, cycle: int) -> None:
        """Begin the subject at 0 where it must have begun, not later than it was seen; if its birth is known."""
        at = self.know(subject)
        if subject.after is None:
            return
        here = self.boot_id in subject.epoch
        if here and subject.since_boot is not None:
            boot = min(max(subject.since_boot, 0), seen.boot_ns)
            wall = seen.wall_ns - (seen.boot_ns - boot)
        else:
            born = subject.about.get("born_ns")
            wall = max(subject.after, born if isinstance(born, int) else 0)
            booted = seen.wall_ns - seen.boot_ns
            # a clock that was set back since tells nothing but that it began after the boot
            wall = booted if here and wall > seen.wall_ns + _STEPPED_NS else min(wall, seen.wall_ns)
            wall = max(wall, booted) if here else wall
            boot = seen.boot_ns - (seen.wall_ns - wall)
        self.add(np.array([at], np.int32), wall, boot, ZERO, cycle, np.zeros((1, self.stream.width), np.int64))

    def _matters(self, at: int) -> bool:
        """Somebody may have used it since its last reading: it is a server's, or was ever used."""
        owned = self.subjects[at].keys.get("server") is not None
        return bool(self.has[at]) and (owned or bool(self.last_values[at].any()))

    def _lose(self, at: int, ended: Instant, cycle: int) -> None:
        """An end without a final reading. An epoch of an earlier boot ended, at the latest, when this boot began."""
        other_boot = self.boot_id not in self.subjects[at].epoch
        wall = max(ended.wall_ns - (ended.boot_ns if other_boot else 0), int(self.last_wall[at]))
        elapsed = wall - int(self.last_wall[at])
        if not other_boot:
            elapsed = max(elapsed, ended.boot_ns - int(self.last_boot[at]))
        lost = np.full((1, self.stream.width), ABSENT, np.int64)
        self.add(np.array([at], np.int32), wall, int(self.last_boot[at]) + elapsed, LOST, cycle, lost)

    def _at(self, sid: int, by_sid: dict[int, Subject]) -> int:
        at = self.by_sid.get(sid)
        return self.know(by_sid[sid]) if at is None else at

    def _hold(self, who: NDArray[np.int32], cycle: int) -> None:
        """Repeat each subject's last row at the latest cycle up to `cycle` in which it was read."""
        if cycle < 0:
            return
        held = who[(self.last_cycle[who] < cycle) & self.read[who] & ~self.stale[who]]
        while len(held):
            missed = self.missed.get(cycle)
            now = held if missed is None else held[~np.isin(held, np.fromiter(missed, np.int32))]
            at = self.cycles[cycle]
            now = now[self.last_boot[now] < at.boot_ns]
            self.add(now, at.wall_ns, at.boot_ns, HELD, cycle, self.last_values[now])
            if missed is None:
                return
            cycle -= 1
            held = held[self.last_cycle[held] < cycle] if cycle >= 0 else held[:0]

    def health(self, monitor: Subject, batch: Batch) -> None:
        listed = len(batch.listed or ())
        row = [batch.took_us, batch.cpu_us, listed, listed - len(batch.failed), len(batch.failed)]
        row += [batch.unknown_fields, batch.late]
        who = np.array([self.know(monitor)], np.int32)
        # its own cycles, from 0 in each file: sources come and go
        cycle = int(self.last_cycle[who[0]]) + 1
        self.add(who, batch.at.wall_ns, batch.at.boot_ns, READ, cycle, np.array([row], np.int64))

    def end(self) -> None:
        """The file ends: everyone still alive was unchanged up to the last cycle that read them."""
        if self.stream is HEALTH or not self.cycles:
            return
        alive = self.has.copy()
        alive[list(self.ended)] = False
        self._hold(np.flatnonzero(alive).astype(np.int32), len(self.cycles) - 1)

    def next(self, subject: Subject, wall: int, boot: int, values: NDArray[np.int64]) -> None:
        at = self.index.get(subject.identity)
        if at is not None and at in self.ended:
            return
        if at is None:
            # born and first read in what this file lost: the zero row is all that is known of before
            if subject.after is None:
                return
            self.zero(subject, Instant(wall, boot), len(self.cycles) - 1)
            at = self.index[subject.identity]
        elif boot <= self.last_boot[at]:
            return
        self.add(np.array([at], np.int32), wall, boot, NEXT, len(self.cycles), values[None, :])

    def vanished(self, live: set[object], at: Instant) -> None:
        """Who is alive here but not in the next head ended in frames that are lost."""
        if self.stream is HEALTH:
            return
        for who, subject in enumerate(self.subjects):
            if who not in self.ended and subject.identity not in live and self._matters(who):
                self._lose(who, at, len(self.cycles))

    def build(self) -> Readings:
        width = self.stream.width
        if not self.chunks:
            none = np.zeros(0, np.int64)
            return Readings(
                self.stream, [], none.astype(np.int32), none, none, none.astype(np.uint8), none, none.reshape(0, width)
            )
        who = np.concatenate([c.who for c in self.chunks])
        order = np.argsort(who, kind="stable")
        return Readings(
            self.stream,
            self.subjects,
            who[order],
            np.concatenate([c.wall for c in self.chunks])[order] // 1000 * 1000,
            np.concatenate([c.boot for c in self.chunks])[order] // 1000 * 1000,
            np.concatenate([c.kind for c in self.chunks])[order],
            np.concatenate([c.cycle for c in self.chunks])[order],
            np.concatenate([c.values for c in self.chunks])[order],
        )
