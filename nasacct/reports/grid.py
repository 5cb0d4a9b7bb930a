"""A grid of samples, and the part of usage that lies in each: growth between two readings, divided by time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nasacct.reports.attribution.scene import STEP_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nasacct.reports.attribution.scene import Flags, Floats

    Integers = NDArray[np.int64]

STEP_US = STEP_S * 1_000_000
#: A row of usage over more than that says little of when it was.
LONGEST_US = 15_000_000


class Grid:
    """Samples of STEP_S seconds from `lo` on, up to `hi` (µs of UTC), whole ones."""

    def __init__(self, lo: int, hi: int) -> None:
        self.start_us = lo // STEP_US * STEP_US
        self.edges = np.arange(self.start_us, hi + 1, STEP_US, dtype=np.int64)

    def __len__(self) -> int:
        return max(len(self.edges) - 1, 0)


class Placed:
    """Rows of usage of `count` subjects on a grid.

    `subjects` says whose each row is, ascending; the times of one subject's rows ascend.
    """

    def __init__(self, grid: Grid, begin: Integers, end: Integers, subjects: Integers, count: int) -> None:
        self._shape = count, len(grid)
        self._lengths = np.maximum(end - begin, 1)
        first, last = int(grid.edges[0]), int(grid.edges[-1])
        lower = np.clip(begin, first, last)
        upper = np.clip(begin + self._lengths, first, last)
        self._inside = (upper - lower) / self._lengths
        # each subject's time follows the time of the one before it, so that one search finds all of them
        later = np.arange(count, dtype=np.int64) * (last - first + 1)
        # of two lives of a subject one may begin before the other has ended
        times = np.maximum.accumulate((np.stack([lower, upper], axis=1) + later[subjects][:, None]).ravel())
        asked = (grid.edges[None, :] + later[:, None]).ravel()
        after = np.searchsorted(times, asked, side="right").clip(1, max(len(times) - 1, 1))
        self._before, self._after = after - 1, after
        if len(times):
            low, high = times[self._before], times[self._after]
            part = np.divide(asked - low, high - low, out=np.zeros(len(asked)), where=high > low)
            self._part = np.where(asked >= high, 1.0, part.clip(0, 1))

    def growth(self, values: Floats) -> Floats:
        """How much a measure (of each row) grew in each sample (subjects x samples); 0 where no row says anything."""
        if not len(values):
            return np.zeros(self._shape)
        grown = values * self._inside
        ended = np.cumsum(grown)
        sums = np.stack([ended - grown, ended], axis=1).ravel()
        at_edges = sums[self._before] + self._part * (sums[self._after] - sums[self._before])
        found: Floats = np.diff(at_edges.reshape(self._shape[0], -1), axis=1)
        return found

    def covered(self) -> Flags:
        """The samples of each subject that rows which are not long cover at least half of (subjects x samples)."""
        lengths = np.where(self._lengths <= LONGEST_US, self._lengths, 0)
        found: Flags = self.growth(lengths.astype(float)) >= STEP_US / 2
        return found
