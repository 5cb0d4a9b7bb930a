"""Facts: what a scene's disks and node were like in each sample, as far as saturation asks.

They are few numbers a sample, whole ones of small units, so that a day of them is small, and what is judged from those
that are kept is what was judged at first: `rounded` comes before every judgement.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from nasacct.reports.attribution.scene import STEP_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nasacct.reports.attribution.scene import Flags, Floats, Scene

#: What is told of each sample, in which part of its unit it is kept, and its unit.
SCALES = {
    "busy": 10_000,  # share of the time
    "median": 10_000,
    "wait_ms": 1_000,
    "queue": 1_000,  # IOs in flight
    "some": 10_000,
    "full": 10_000,
    "sync_s": 1_000,
}
#: The same of what only some classes of disks have.
BESIDE = 10_000  # share of the time


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """A pool's samples from `start` (Unix time) on; one that is not present has no numbers."""

    start: int
    rotational: bool
    present: Flags
    busy: Floats  #: share of the time that the busiest disk was busy
    median: Floats  #: the same of the median disk
    wait_ms: Floats  #: of the disk whose IOs took longest; NaN where none ended
    queue: Floats  #: of the disk with most IOs in flight
    some: Floats
    full: Floats
    sync_s: Floats
    beside: Floats | None = field(default=None, kw_only=True)  #: see `Scene.beside`

    def __len__(self) -> int:
        return len(self.present)

    def moment(self, sample: int) -> int:
        """Unix time at which a sample begins."""
        return self.start + STEP_S * sample

    def sample(self, moment: int) -> int:
        """The sample that begins at a Unix time; it need not be there."""
        return (moment - self.start) // STEP_S

    def of(self, begin: int, end: int) -> Facts:
        """Those between two Unix times on the grid; what is not there is not present."""
        first, last = self.sample(begin), self.sample(end)
        before, after = max(0, -first), max(0, last - max(len(self), first))
        chosen = slice(max(0, first), max(0, last))

        def cut(numbers: Floats) -> Floats:
            return np.pad(numbers[chosen], (before, after), constant_values=np.nan)[: max(0, last - first)]

        present = np.pad(self.present[chosen], (before, after))[: max(0, last - first)]
        beside = None if self.beside is None else cut(self.beside)
        return Facts(begin, self.rotational, present, *(cut(getattr(self, name)) for name in SCALES), beside=beside)


def of_scene(scene: Scene) -> Facts:
    """The facts of a scene, rounded as they are kept."""
    if not scene.disks.names:
        nothing = np.full(len(scene), np.nan)
        none = np.zeros(len(scene), bool)
        return Facts(scene.start, scene.rotational, none, *(nothing for _ in SCALES))
    disks = scene.disks
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of samples that are NaN altogether
        median: Floats = np.median(disks.busy, axis=0)
    return rounded(
        Facts(
            scene.start,
            scene.rotational,
            scene.present,
            _worst(disks.busy),
            median,
            _worst(disks.wait_ms),
            _worst(disks.queue),
            scene.some,
            scene.full,
            scene.sync_s,
            beside=scene.beside,
        )
    )


def rounded(facts: Facts) -> Facts:
    """The same as they are when they were kept; what is not present is not told."""

    def whole(numbers: Floats, scale: int) -> Floats:
        return np.where(facts.present, np.rint(numbers * scale) / scale, np.nan)

    values = (whole(getattr(facts, name), scale) for name, scale in SCALES.items())
    beside = None if facts.beside is None else whole(facts.beside, BESIDE)
    return Facts(facts.start, facts.rotational, facts.present, *values, beside=beside)


def joined(parts: Sequence[Facts]) -> Facts:
    """Facts that follow one another, each of which begins where the one before ends."""
    first = parts[0]
    arrays = (np.concatenate([getattr(part, name) for part in parts]) for name in ("present", *SCALES))
    present, *numbers = arrays
    beside = [np.full(len(part), np.nan) if part.beside is None else part.beside for part in parts]
    known = any(part.beside is not None for part in parts)
    return Facts(first.start, first.rotational, present, *numbers, beside=np.concatenate(beside) if known else None)


def _worst(rates: Floats) -> Floats:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        worst: Floats = np.nanmax(rates, axis=0)
    return worst
