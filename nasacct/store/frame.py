"""One cycle as the collector hands it to the journal: who exists, who was read, what changed.

A *subject* is one epoch of one thing a source reads (a server's nfsd, a link, a disk). Rows name subjects by `sid`,
a number that is good for one run of the collector. A cycle holds only rows that changed; who was read is in the
source's own entry, so that "unchanged" is never mistaken for "not collected".
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

#: In int64 value matrices: absent. No counter or gauge of the kernel files read here is negative.
ABSENT = -1


@dataclass(frozen=True, slots=True)
class Instant:
    """One moment on both clocks: wall (UTC, may step) and CLOCK_BOOTTIME (never steps, counts suspend), in ns."""

    wall_ns: int
    boot_ns: int


@dataclass(slots=True, eq=False)
class Subject:
    """One epoch of one thing that a source reads.

    `keys` are the key columns of the source's streams; `epoch` is unique for ever (it contains the boot id or the
    recording's name). `after` is set by the sampler: the wall time of the last complete listing of the source in
    which this epoch was absent, None when there was none before it (its first reading is then a baseline).
    `since_boot` is when it can have begun at the earliest by CLOCK_BOOTTIME (ns) of the boot in which it was admitted,
    for the wall clock may be stepped before anybody asks; None in journals of 0.1.0.
    `bits32` names the measures that this kernel counts in 32 bits beyond those that every kernel does.
    `about` is for people and later joins (pid, cookie, interface, export directory); `born_ns` in it, the wall time
    at which the epoch began, narrows `after`; so does `born_boot_ns`, the same by CLOCK_BOOTTIME, when it was admitted;
    `absent_boot_ns`, at which its source knows that it was not there, is `after`.
    """

    source: str
    keys: Mapping[str, str | None]
    epoch: str
    sid: int = 0
    after: int | None = None
    bits32: frozenset[str] = frozenset()
    about: dict[str, str | int | None] = field(default_factory=dict)
    since_boot: int | None = None

    @property
    def identity(self) -> tuple[str, str, tuple[tuple[str, str | None], ...]]:
        """What tells this subject from every other one, in any run of any collector."""
        return self.source, self.epoch, tuple(sorted(self.keys.items()))

    def as_json(self) -> dict[str, Any]:
        """The subject as a journal has it."""
        return {
            "sid": self.sid,
            "source": self.source,
            "keys": dict(self.keys),
            "epoch": self.epoch,
            "after": self.after,
            "bits32": sorted(self.bits32),
            "about": dict(self.about),
            **({} if self.since_boot is None else {"since_boot": self.since_boot}),
        }

    @classmethod
    def of_json(cls, data: dict[str, Any]) -> Self:
        """The same back."""
        subject = cls(data["source"], data["keys"], data["epoch"], about=data["about"])
        subject.sid, subject.after, subject.bits32 = data["sid"], data["after"], frozenset(data["bits32"])
        subject.since_boot = data.get("since_boot")
        return subject


@dataclass(slots=True)
class Rows:
    """Changed readings of one stream: `sids` int32[n], `values` int64[n, width], `final` the last of their epoch."""

    sids: NDArray[np.int32]
    values: NDArray[np.int64]
    final: bool = False


@dataclass(slots=True)
class Batch:
    """What one source gave in one cycle (or one source's finals between two cycles).

    `listed` are all subjects that exist now, read or not; `complete` says that nothing else can exist. `failed` are
    the listed ones that could not be read, with the reason. `listed` is None for finals, which list nobody.
    `ended` are subjects that exist no more.
    """

    source: str
    at: Instant
    listed: list[Subject] | None
    complete: bool = True
    rows: dict[str, Rows] = field(default_factory=dict)
    failed: dict[Subject, str] = field(default_factory=dict)
    ended: list[Subject] = field(default_factory=list)
    unknown_fields: int = 0
    took_us: int = 0
    cpu_us: int = 0
    late: int = 0
    note: str = ""

    def broken(self, subject: Subject | None, why: str) -> None:
        """Something cannot be understood: that subject, or one that is not known, so there is more than listed."""
        self.note = self.note or why
        if subject is None:
            self.complete = False
        else:
            self.failed[subject] = why


@dataclass(slots=True)
class Frame:
    """One cycle of all sources (or the finals between two cycles): the unit that is written whole or not at all.

    `seq` counts the frames of one run of the collector. `births` are the subjects that this frame introduces.
    `after_loss`: frames before this one were damaged, so what is not in it may have changed all the same.
    """

    seq: int
    at: Instant
    batches: list[Batch]
    births: list[Subject]
    after_loss: bool = False

    @property
    def nbytes(self) -> int:
        """About how much memory the frame takes."""
        rows = sum(r.values.nbytes + r.sids.nbytes for b in self.batches for r in b.rows.values())
        return rows + 1000 * len(self.births) + 1000 * len(self.batches)


def merge(earlier: Frame, later: Frame) -> Frame:
    """One frame for two, when memory is short: resolution goes, bytes, births and finals stay.

    Every row is an absolute reading, so of two ordinary readings of a subject the later one says all, and one that was
    read later and had not changed was the same then. A final row is kept as the batch it came in. So is an ordinary one
    whose subject could not be read later, or had ended: when it was taken says up to when it was true.
    """
    finals = [b for b in (*earlier.batches, *later.batches) if b.listed is None]
    gone = {s.sid for b in finals for s in b.ended}
    gone |= {sid for b in finals for r in b.rows.values() if r.final for sid in r.sids.tolist()}
    pending = {b.source: b for b in earlier.batches if b.listed is not None}
    between = [b for b in earlier.batches if b.listed is None]
    apart: list[Batch] = []
    batches: list[Batch] = []
    for batch in later.batches:
        old = pending.pop(batch.source, None) if batch.listed is not None else None
        if old is None:
            batches.append(batch)
            continue
        last, rest = _split(old, gone | {s.sid for s in (*batch.failed, *batch.ended)})
        apart += last
        batches.append(_merge_batches(rest, batch))
    # a source that did not run later keeps its own entry, before those that did
    return Frame(later.seq, later.at, [*pending.values(), *apart, *between, *batches], earlier.births + later.births)


def _split(batch: Batch, sids: set[int]) -> tuple[list[Batch], Batch]:
    """The rows of these subjects as a batch that lists nobody, if there are any, and the batch without them."""
    wanted = np.fromiter(sids, np.int32, len(sids))
    taken: dict[str, Rows] = {}
    left: dict[str, Rows] = {}
    for stream, rows in batch.rows.items():
        which = np.isin(rows.sids, wanted)
        if which.any():
            taken[stream] = Rows(rows.sids[which], rows.values[which], rows.final)
        left[stream] = Rows(rows.sids[~which], rows.values[~which], rows.final)
    if not taken:
        return [], batch
    return [Batch(batch.source, batch.at, None, rows=taken)], replace(batch, rows=left)


def _merge_batches(old: Batch, new: Batch) -> Batch:
    rows = dict(new.rows)
    for stream, was in old.rows.items():
        now = rows.get(stream)
        if now is None:
            rows[stream] = was
            continue
        kept = ~np.isin(was.sids, now.sids)
        rows[stream] = Rows(
            np.concatenate([was.sids[kept], now.sids]), np.concatenate([was.values[kept], now.values]), now.final
        )
    return Batch(
        new.source,
        new.at,
        new.listed,
        complete=new.complete,
        rows=rows,
        failed=new.failed,
        ended=old.ended + new.ended,
        unknown_fields=old.unknown_fields + new.unknown_fields,
        took_us=old.took_us + new.took_us,
        cpu_us=old.cpu_us + new.cpu_us,
        late=old.late + new.late + 1,
        note=new.note or old.note,
    )
