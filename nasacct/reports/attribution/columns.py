"""Columns: what is known of the explanations that an episode's disk time is divided among.

Each is a course of disk time by channel, times a coefficient that is to be found and of which something is known
before: its mean and spread. An explanation that would take much of a disk, and that need not be true, is a claim: that
reads were not from memory, that huge files were removed, that there was local work. Columns of a claim are narrow
unless it holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nasacct.reports.attribution.regression import solved

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nasacct.reports.attribution.scene import Flags, Floats

#: Of a disk: the spread of a claim that holds, and of one that does not.
HOLDS, NOT = 0.8, 0.06
_ALWAYS = -1


class Served(NamedTuple):
    """What disks are known to have read for members inside; each of `members`."""

    part: Floats  #: of all bytes that disks read
    once: Floats  #: the disk time, over all samples, that one IO for each of its reads takes


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """An episode and what was around it; only samples that are present."""

    samples: NDArray[np.int64]  #: their indices in the scene
    inside: Flags  #: of the episode
    work: Floats  #: CHANNELS x samples: measured disk time
    kinds: Floats  #: members x KINDS x samples, when they cost as disks keep up
    prompt: Floats  #: the same if nothing is put off: what is dirty is written at once when there is much of it
    local_mb: Floats | None  #: samples: what scrubs and local processes read
    local_written_mb: Floats | None = None  #: samples; when it costs, as far as it is put off
    sure_mb: Floats | None = None  #: samples: of `local_mb`, what disks are known to have read for it
    served: Served | None = None


class Columns(NamedTuple):
    """Explanations: column k is `course[k]` times a coefficient of about `mean[k]`."""

    course: Floats  #: columns x CHANNELS x samples: disk time
    mean: Floats
    spread: Floats  #: if its claim holds, or it belongs to none
    narrow: Floats  #: if its claim does not hold
    claim: NDArray[np.int64]  #: index in `likely`; negative: none
    likely: Floats  #: claims: how likely each is before anything is seen
    whose: Floats  #: columns x entities (members, then local work): whose its time inside is; each row sums to 1

    def solved(self, spread: Floats, gram: Floats, moments: Floats, off: Floats | float = 0.0) -> Floats:
        """The coefficients under priors of this spread, whose means are `off` so many of them."""
        precision = spread**-2
        return solved(gram + np.diag(precision), moments + precision * (self.mean + off * spread))


class Growing:
    """Columns so far."""

    def __init__(self, window: Window, members: int) -> None:
        self.window, self.entities = window, members + 1
        self.course: list[Floats] = []
        self.priors: list[tuple[float, float, float, int]] = []
        self.likely: list[float] = []
        self.whose: list[Floats] = []

    def claim(self, likely: float) -> int:
        """A claim that columns may belong to."""
        self.likely.append(likely)
        return len(self.likely) - 1

    def add(self, course: Floats, mean: float, spread: float, whose: int | Floats) -> None:
        """A column that belongs to no claim."""
        self._add(course, (mean, spread, spread, _ALWAYS), whose)

    def claimed(
        self, course: Floats, claim: int, whose: int | Floats, most: float = 1.0, otherwise: float = NOT
    ) -> None:
        """A column that is about 0; if its claim holds, up to what takes a disk, but no coefficient above `most`."""
        full = max(float(course[:, self.window.inside].sum(axis=0).mean()), 1e-9)
        self._add(course, (0.0, min(most, HOLDS / full), min(most, otherwise / full), claim), whose)

    def _add(self, course: Floats, prior: tuple[float, float, float, int], whose: int | Floats) -> None:
        if not course.any():
            return
        owners = np.zeros(self.entities)
        if isinstance(whose, int):
            owners[whose] = 1
        else:
            owners[: len(whose)] = whose / whose.sum()
        self.course.append(course)
        self.priors.append(prior)
        self.whose.append(owners)

    def done(self) -> Columns:
        """All of them."""
        mean, spread, narrow, claim = (np.array(each) for each in zip(*self.priors, strict=True))
        return Columns(np.stack(self.course), mean, spread, narrow, claim, np.array(self.likely), np.stack(self.whose))
