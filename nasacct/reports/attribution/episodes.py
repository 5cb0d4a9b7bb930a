"""Episodes: spans of samples in which the disks did not keep up.

One begins when three of four samples are saturated, with the first of them, and ends with the last saturated one before
six in a row that are not. What is missing neither begins nor ends one, unless it is missing for long.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from nasacct.reports.attribution.scene import STEP_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nasacct.reports.attribution.scene import Flags

#: So many of the last samples must be saturated for an episode to begin, and so many in a row not, for it to end.
ENTER, OF, LEAVE = 3, 4, 6
MERGE_S, LEAST_S, MINOR_S, OUTAGE_S = 60, 60, 120, 600
#: What is so near an episode is not normal either.
MARGIN_S = 60


@dataclass(frozen=True, slots=True)
class Episode:
    """Samples from `first` up to, without, `end`."""

    first: int
    end: int
    truncated: bool = False  #: samples are missing where it would have ended

    @property
    def duration_s(self) -> int:
        """How long it was."""
        return STEP_S * (self.end - self.first)

    @property
    def minor(self) -> bool:
        """Too short to wake somebody."""
        return self.duration_s < MINOR_S


def found(saturated: Flags, present: Flags) -> list[Episode]:
    """The episodes among samples of which some are `saturated`, in order."""
    return [each for each in _merged(_spans(saturated, present)) if each.duration_s >= LEAST_S]


def quiet(episodes: Iterable[Episode], present: Flags) -> Flags:
    """The samples that are present and far enough from every episode."""
    normal, margin = present.copy(), MARGIN_S // STEP_S
    for each in episodes:
        normal[max(0, each.first - margin) : each.end + margin] = False
    return normal


def _spans(saturated: Flags, present: Flags) -> Iterator[Episode]:
    recent: list[tuple[int, bool]] = []
    first, last, calm, before = -1, -1, 0, -1
    for sample in np.flatnonzero(present).tolist():
        if before >= 0 and STEP_S * (sample - before - 1) > OUTAGE_S:
            if first >= 0:
                yield Episode(first, last + 1, truncated=True)
            first, recent = -1, []
        before, full = sample, bool(saturated[sample])
        recent = [*recent, (sample, full)][-OF:]
        if first >= 0:
            last, calm = (sample, 0) if full else (last, calm + 1)
            if calm == LEAVE:
                yield Episode(first, last + 1)
                first, recent = -1, []
        elif sum(each for _, each in recent) >= ENTER:
            first, calm = next(at for at, each in recent if each), 0
            last = sample if full else max(at for at, each in recent if each)
    if first >= 0:
        yield Episode(first, last + 1)


def _merged(episodes: Iterable[Episode]) -> list[Episode]:
    merged: list[Episode] = []
    for each in episodes:
        if merged and not merged[-1].truncated and STEP_S * (each.first - merged[-1].end) <= MERGE_S:
            merged[-1] = replace(merged[-1], end=each.end, truncated=each.truncated)
        else:
            merged.append(each)
    return merged
