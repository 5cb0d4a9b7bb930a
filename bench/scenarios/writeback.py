"""Writeback: when what was written reaches the disks.

ZFS gathers it in transaction groups: one is open for `timeout_s`, then synced while the next is open; one that takes
longer to sync makes the next wait (zfs_txg_timeout). ext4's pages are written when they are `expire_s` old, looked for
every few seconds, or when there are too many (Documentation/admin-guide/sysctl/vm.rst). In both, who writes when there
is too much dirty waits.

What is dirty is counted in rounds of each stream (see `asked`): all that a round writes and changes.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from bench.scenarios.disks import Floats

#: From this part of the most that may be dirty on writers are made to wait (zfs_delay_min_dirty_percent), and pages
#: are written before they are old (dirty_background_ratio).
_WAIT, _EARLY = 0.6, 0.5
_LOOKED_FOR_S = 5


class Synced(NamedTuple):
    """A transaction group that is on the disks."""

    at_s: int
    number: int
    open_s: int
    sync_s: int
    dirty_mb: float


@dataclass(slots=True)
class Writeback:
    """What is dirty of each stream, and of that what is being written."""

    round_mb: Floats  #: MB dirty of a round
    round_work: Floats  #: disk time of a round
    most_mb: float
    transactional: bool
    period_s: int  #: timeout_s or expire_s
    writing: Floats = field(init=False)  #: rounds
    open: Floats = field(init=False)
    synced: list[Synced] = field(default_factory=list)
    _ages: deque[Floats] = field(default_factory=deque)
    _opened: int = 0
    _began: int = -1
    _size_mb: float = 0.0

    def __post_init__(self) -> None:
        self.writing, self.open = np.zeros(len(self.round_mb)), np.zeros(len(self.round_mb))

    @property
    def dirty(self) -> float:
        """How full of dirty data memory is: 1 is all that may be."""
        return float((self.writing + self.open) @ self.round_mb) / self.most_mb

    @property
    def let(self) -> float:
        """The part of their writes that writers get done: 1 until there is too much dirty."""
        return float(np.clip((1 - self.dirty) / (1 - _WAIT), 0.0, 1.0))

    def due(self, second: int) -> float:
        """Disk time of what is to be written now."""
        if self.transactional:
            self._group(second)
        else:
            self._pages(second)
        return float(self.writing @ self.round_work)

    def written(self, part: float) -> Floats:
        """This part of it was written; rounds of each stream."""
        done: Floats = self.writing * part
        self.writing = self.writing - done
        return done

    def add(self, rounds: Floats) -> None:
        """What was done this second."""
        self.open = self.open + rounds
        if not self.transactional:
            self._ages.append(rounds)

    def _group(self, second: int) -> None:
        if self._began >= 0 and self.writing @ self.round_work < 1e-6:
            self.writing = np.zeros(len(self.writing))
            number, took = len(self.synced) + 1, second - self._began
            self.synced.append(Synced(second, number, self._began - self._opened, took, self._size_mb))
            self._opened, self._began = self._began, -1
        if self._began < 0 and (second - self._opened >= self.period_s or self.dirty > _EARLY):
            self.writing, self.open = self.open, np.zeros(len(self.open))
            self._began, self._size_mb = second, float(self.writing @ self.round_mb)

    def _pages(self, second: int) -> None:
        early = self.dirty > _EARLY and not self.writing.any()
        if second % _LOOKED_FOR_S and not early:
            return
        while self._ages and (early or len(self._ages) > self.period_s):
            old = self._ages.popleft()
            self.writing, self.open = self.writing + old, np.maximum(self.open - old, 0)
