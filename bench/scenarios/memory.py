"""Memory: which reads it answers.

One cache for data and metadata of all. What is read or written comes in; what has not been asked for the longest goes:
of those whose pieces are asked for again within the time that anything stays at all, hardly anything does (the
characteristic time of an LRU cache: Che, Tung and Wang, IEEE JSAC 20(7), 2002). A stream that reads on and on through
more than memory holds finds nothing of it.

So a small set of files that is read often costs no disk time, a large one does, and one that was cached is not any more
when memory shrinks or somebody reads much else: nothing here says who is cached.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from bench.scenarios.disks import Floats

#: All of a set but so much is in memory if somebody reads it from end to end and finds it.
_WHOLE = 0.98
#: Seconds over which the time that things stay is measured.
_SMOOTH_S = 120.0
_FOREVER_S, _HALVINGS = 1e7, 50


@dataclass(slots=True)
class Memory:
    """What is in memory of each set of files; arrays are of sets."""

    held_mb: Floats
    sets_mb: Floats  #: how large each is
    filled_mb_s: float = 0.0

    @classmethod
    def warm(cls, sets_mb: Floats, asked_mb_s: Floats, streaming: np.ndarray, size_mb: float) -> Memory:
        """Memory after long hours of this: things stay for that time in which as much is asked for as it holds."""

        def held(stays_s: float) -> Floats:
            again = sets_mb * -np.expm1(-asked_mb_s / sets_mb * stays_s)
            found: Floats = np.where(streaming, np.minimum(asked_mb_s * stays_s, sets_mb), again)
            return found

        low, high = 0.0, _FOREVER_S
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (low, middle) if held(middle).sum() > size_mb else (middle, high)
        return cls(held(low), sets_mb, size_mb / low)

    def misses(self, streaming: np.ndarray) -> Floats:
        """The part of what is asked for that is not there."""
        there = self.held_mb / self.sets_mb
        missing: Floats = np.where(streaming, there < _WHOLE, 1 - there)
        return missing

    def after(self, came_mb: Floats, asked_mb_s: Floats, size_mb: float, seconds: float) -> None:
        """So much came in over so many seconds, into memory of this size."""
        self.filled_mb_s += (float(came_mb.sum()) / seconds - self.filled_mb_s) * min(1.0, seconds / _SMOOTH_S)
        self.held_mb = np.minimum(self.held_mb + came_mb, self.sets_mb)
        over = float(self.held_mb.sum()) - size_mb
        stays_s = size_mb / max(self.filled_mb_s, 1e-3)
        while over > 1e-6 * size_mb:
            stale = self.held_mb * (np.exp(-np.minimum(asked_mb_s / self.sets_mb * stays_s, 30.0)) + 1e-9)
            goes = np.minimum(stale * over / stale.sum(), self.held_mb)
            self.held_mb = self.held_mb - goes
            over -= float(goes.sum())
