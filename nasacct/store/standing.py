"""What stands at one instant: every live subject, its last reading in each stream, and each source's last listing.

The collector's writer keeps it to begin each journal file with the carry; a reader folds frames into it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nasacct.store.frame import Instant
from nasacct.store.last_rows import LastRows
from nasacct.store.schema import STREAMS

if TYPE_CHECKING:
    from nasacct.store.frame import Batch, Frame, Subject


@dataclass(slots=True)
class Standing:
    """All that is needed to go on: `live` by sid, `rows` by stream, `listings` (last complete) by source.

    `lossy`: frames were lost, and with them births perhaps. Who was absent from later listings is not known then, so
    the last ones before the loss stand.
    `boot_id` is the boot to which the times belong; a listing of an earlier one has no time of boot (-1).
    """

    live: dict[int, Subject] = field(default_factory=dict)
    rows: dict[str, LastRows] = field(default_factory=dict)
    listings: dict[str, Instant] = field(default_factory=dict)
    lossy: bool = False
    boot_id: str = ""

    def goes_on(self, boot_id: str) -> None:
        """What comes now belongs to this boot."""
        if self.boot_id not in ("", boot_id):
            self.listings = {name: Instant(at.wall_ns, -1) for name, at in self.listings.items()}
        self.boot_id = boot_id

    def last(self, stream: str) -> LastRows:
        """The last readings of a stream, empty when there are none."""
        rows = self.rows.get(stream)
        if rows is None:
            rows = self.rows[stream] = LastRows(STREAMS[stream].width)
        return rows

    def apply(self, frame: Frame) -> None:
        """Take the frame as having happened."""
        if frame.after_loss:
            self.lossy = True
            for last in self.rows.values():
                last.lose_sight()
        for subject in frame.births:
            self.live[subject.sid] = subject
        for batch in frame.batches:
            self._apply_batch(batch)

    def _apply_batch(self, batch: Batch) -> None:
        for stream, rows in batch.rows.items():
            self.last(stream).put(rows.sids, batch.at, rows.values)
        gone = [subject.sid for subject in batch.ended]
        for sid in gone:
            self.live.pop(sid, None)
        for last in self.rows.values():
            last.drop(gone)
        if batch.listed is not None:
            missed = [s.sid for s in batch.failed]
            for name, last in self.rows.items():
                if STREAMS[name].source == batch.source:
                    last.hold(batch.at, missed)
        if batch.listed is not None and batch.complete and not self.lossy:
            self.listings[batch.source] = batch.at
