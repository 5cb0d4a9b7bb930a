"""Strain: whether the disks keep up now, by what this cycle read of them.

It is said once when they do not, and once when they do again.
The keeper and `nasacct episodes` know better, but ask what lies on a disk, which may be the one that stands still. This
needs nothing but the last two readings, in memory. All disks that are not known to serve many requests at a time are
taken together, for which of them are a pool is not looked at here.

    disks   ms_io: how long at least one request was in flight
    node    io_full_us: how long all tasks stood still for IO
"""

from __future__ import annotations

import logging
import statistics
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from nasacct.store.schema import DISKS, NODE

if TYPE_CHECKING:
    from nasacct.config.tables import Episodes
    from nasacct.store.frame import Batch, Frame

log = logging.getLogger(__name__)

_MS_IO, _FULL = DISKS.index["ms_io"], NODE.index["io_full_us"]
#: Disks that were less busy than that do nothing for anybody.
_USED = 0.01
#: Between readings that are further apart nobody knows when it was.
_LONGEST_NS = 90_000_000_000


class Strain:
    """Takes every frame; `since` is when the disks ceased to keep up (wall clock, ns), None while they do."""

    def __init__(self, limits: Episodes) -> None:
        self._limits = limits
        self.since: int | None = None
        self._last: dict[int, int] = {}
        self._full: int | None = None
        self._at: int | None = None
        self._recent: deque[tuple[int, bool]] = deque(maxlen=limits.of)
        self._calm = 0
        self._until = 0

    def take(self, frame: Frame) -> None:
        """See how busy the disks were since the frame before."""
        batches = {batch.source: batch for batch in frame.batches if batch.listed is not None}
        disks = batches.get("disks")
        if disks is None:
            return
        full = self._stalled(batches.get("node"))
        length, self._at = disks.at.boot_ns - (self._at or 0), disks.at.boot_ns
        busy = self._busy(disks, length)
        if busy is None or not 0 < length <= _LONGEST_NS:
            return
        stalled = None if full is None else full * 1000 / length
        self._judge(disks.at.wall_ns, length, busy, self._saturated(sorted(busy.values()), stalled))

    @property
    def status(self) -> str:
        """What a service manager is told; nothing while the disks keep up."""
        return "" if self.since is None else f"the disks do not keep up since {_at(self.since)}"

    def _busy(self, batch: Batch, length: int) -> dict[str, float] | None:
        """The share of the time that each disk was busy, of those that were used; None without two readings."""
        rows = batch.rows.get("disks")
        now = dict(self._last)
        if rows is not None:
            now |= {sid: int(row[_MS_IO]) for sid, row in zip(rows.sids.tolist(), rows.values, strict=True)}
        # what has not changed is in no row
        there = {s.sid: s for s in batch.listed or () if s.sid in now and s not in batch.failed}
        before, self._last = self._last, {sid: now[sid] for sid in there}
        grown = {
            str(subject.keys["device"]): (now[sid] - before[sid]) * 1_000_000 / max(length, 1)
            for sid, subject in there.items()
            if sid in before and before[sid] >= 0 and now[sid] >= before[sid] and subject.about.get("rotational") != 0
        }
        return {device: share for device, share in grown.items() if share >= _USED} if before else None

    def _stalled(self, batch: Batch | None) -> int | None:
        """For how long all tasks stood still (µs) since the frame before; None: nobody knows."""
        rows = None if batch is None else batch.rows.get("node")
        now = self._full if rows is None else int(rows.values[-1][_FULL])
        before, self._full = self._full, now
        return now - before if now is not None and before is not None and now >= before >= 0 else None

    def _saturated(self, busy: list[float], stalled: float | None) -> bool:
        """As `reports/attribution/saturation.py` says of rotating disks, but for what waits: nothing here is normal."""
        if not busy:
            return False
        limits, most, median = self._limits, busy[-1], statistics.median(busy)
        whole = median >= limits.busy_others or most >= limits.behind * median
        still = stalled is not None and stalled >= limits.full
        return (most >= limits.busy and whole) or (most >= limits.busy_stalled and still)

    def _judge(self, wall_ns: int, length: int, busy: dict[str, float], saturated: bool) -> None:
        self._recent.append((wall_ns - length, saturated))
        if saturated:
            self._calm, self._until = 0, wall_ns
        else:
            self._calm += 1
        if self.since is None and sum(each for _, each in self._recent) >= self._limits.enter:
            self.since = next(at for at, each in self._recent if each)
            worst = max(busy, key=lambda device: busy[device], default="?")
            share = 100 * min(busy.get(worst, 0.0), 1)
            log.warning("the disks do not keep up since %s: %s is %.0f %% busy", _at(self.since), worst, share)
        elif self.since is not None and self._calm >= self._limits.leave:
            took = (self._until - self.since) / 1e9
            log.warning("the disks keep up again since %s, after %.0f s", _at(self._until), took)
            self.since = None
            self._recent.clear()


def _at(wall_ns: int) -> str:
    return datetime.fromtimestamp(wall_ns // 1_000_000_000, UTC).isoformat().replace("+00:00", "Z")
