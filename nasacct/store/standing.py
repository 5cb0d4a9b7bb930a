"""What stands at one instant: every live subject, its last reading in each stream, and each source's last listing.

The collector's writer keeps it to begin each journal file with the carry; a reader folds frames into it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from nasacct.store.frame import ABSENT, Instant
from nasacct.store.schema import STREAMS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nasacct.store.frame import Batch, Frame, Subject


@dataclass(slots=True)
class LastRows:
    """The last reading of each subject in one stream, by sid: `have` bool, `values` int64.

    `wall` and `boot` (ns) are when it was last seen to be so, which for an idle subject is later than its last change.
    `stale` ones may have changed since, in frames that are lost: nothing holds until they are read again.
    """

    width: int
    have: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    stale: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    wall: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    boot: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    values: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), np.int64))

    def put(self, sids: NDArray[np.int32], at: Instant, values: NDArray[np.int64]) -> None:
        """Take these rows (int64[n, width]) as the last readings of their subjects."""
        if not len(sids):
            return
        need = int(sids.max()) + 1
        if need > len(self.have):
            size = max(need, 2 * len(self.have), 64)
            grown = LastRows(
                self.width,
                np.zeros(size, bool),
                np.zeros(size, bool),
                np.zeros(size, np.int64),
                np.zeros(size, np.int64),
                np.full((size, self.width), ABSENT, np.int64),
            )
            old = len(self.have)
            if old:
                grown.have[:old], grown.stale[:old], grown.wall[:old] = self.have, self.stale, self.wall
                grown.boot[:old], grown.values[:old] = self.boot, self.values
            self.have, self.stale, self.wall = grown.have, grown.stale, grown.wall
            self.boot, self.values = grown.boot, grown.values
        self.have[sids], self.stale[sids] = True, False
        self.wall[sids], self.boot[sids] = at.wall_ns, at.boot_ns
        self.values[sids] = values

    def hold(self, at: Instant, missed: list[int]) -> None:
        """All but the missed were read again at this instant and had not changed."""
        held = self.boot < at.boot_ns
        held &= self.have
        held &= ~self.stale
        if missed:
            held[[sid for sid in missed if sid < len(held)]] = False
        np.copyto(self.wall, at.wall_ns, where=held)
        np.copyto(self.boot, at.boot_ns, where=held)

    def drop(self, sid: int) -> None:
        """Forget the subject's reading."""
        if sid < len(self.have):
            self.have[sid] = False

    def sids(self) -> NDArray[np.int32]:
        """The subjects that have a reading, ascending."""
        return np.flatnonzero(self.have).astype(np.int32)


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
                last.stale[:] = True
        for subject in frame.births:
            self.live[subject.sid] = subject
        for batch in frame.batches:
            self._apply_batch(batch)

    def _apply_batch(self, batch: Batch) -> None:
        for stream, rows in batch.rows.items():
            self.last(stream).put(rows.sids, batch.at, rows.values)
        for subject in batch.ended:
            self.live.pop(subject.sid, None)
            for last in self.rows.values():
                last.drop(subject.sid)
        if batch.listed is not None:
            missed = [s.sid for s in batch.failed]
            for name, last in self.rows.items():
                if STREAMS[name].source == batch.source:
                    last.hold(batch.at, missed)
        if batch.listed is not None and batch.complete and not self.lossy:
            self.listings[batch.source] = batch.at
