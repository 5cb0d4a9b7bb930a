"""A rehearsal: what a collector would read and store here, and at what cost, without a byte written."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nasacct.store import journal
from nasacct.store.frame import Frame

if TYPE_CHECKING:
    from nasacct.store.frame import Batch


@dataclass(slots=True)
class SourceCost:
    """One source's part: the cycles in which it ran or was late, what it read, what it cost (microseconds)."""

    source: str
    cycles: int = 0
    late: int = 0
    subjects: int = 0
    failed: int = 0
    unknown_fields: int = 0
    rows: int = 0
    bytes: int = 0
    took_us: list[int] = field(default_factory=list)
    cpu_us: list[int] = field(default_factory=list)
    reasons: dict[str, int] = field(default_factory=dict)

    @property
    def median_took_us(self) -> int:
        """Median time from the source's start to its end."""
        return round(statistics.median(self.took_us)) if self.took_us else 0

    @property
    def median_cpu_us(self) -> int:
        """Median CPU time of the source's thread."""
        return round(statistics.median(self.cpu_us)) if self.cpu_us else 0


@dataclass(slots=True)
class Rehearsal:
    """All cycles of a dry run: `bytes` is what the journal would have grown by."""

    interval_s: float
    sources: dict[str, SourceCost] = field(default_factory=dict)
    cycles: int = 0
    bytes: int = 0
    servers: int = 0
    notes: list[str] = field(default_factory=list)

    def take(self, frame: Frame) -> None:
        """Count a frame and forget it."""
        self.cycles += any(b.listed is not None for b in frame.batches)
        self.bytes += len(journal.encode_frame(frame))
        for batch in frame.batches:
            cost = self.sources.setdefault(batch.source, SourceCost(batch.source))
            self._count(cost, batch)
            cost.bytes += len(journal.encode_frame(Frame(frame.seq, frame.at, [batch], [])))

    def _count(self, cost: SourceCost, batch: Batch) -> None:
        if batch.listed is not None:
            cost.cycles += 1
            cost.subjects = len(batch.listed)
            cost.took_us.append(batch.took_us)
            cost.cpu_us.append(batch.cpu_us)
        cost.late += batch.late
        cost.failed = max(cost.failed, len(batch.failed))
        cost.unknown_fields = max(cost.unknown_fields, batch.unknown_fields)
        cost.rows += sum(len(r.sids) for r in batch.rows.values())
        for why in batch.failed.values():
            cost.reasons[why] = cost.reasons.get(why, 0) + 1

    @property
    def bytes_per_day(self) -> int:
        """The journal's growth in a day at this pace (before it is compacted to a fraction)."""
        return round(self.bytes / max(self.cycles, 1) * 86_400 / self.interval_s)
