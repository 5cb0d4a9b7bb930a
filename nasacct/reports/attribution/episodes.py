"""Episodes: spans of samples in which the disks did not keep up.

One begins when three of four samples are saturated, with the first of them, and ends with the last saturated one
before six in a row that are not; `Thresholds` says how many. What is missing neither begins nor ends one, unless it is
missing for long.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from nasacct.reports.attribution.scene import STEP_S
from nasacct.reports.attribution.thresholds import Thresholds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nasacct.reports.attribution.scene import Flags

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

    def minor(self, limits: Thresholds) -> bool:
        """Too short to wake somebody."""
        return self.duration_s < limits.minor_s


def found(saturated: Flags, present: Flags, limits: Thresholds | None = None) -> list[Episode]:
    """The episodes among samples of which some are `saturated`, in order."""
    limits = limits or Thresholds()
    spans = _spans(saturated, present, limits)
    return [each for each in _merged(spans, limits.merge_s) if each.duration_s >= limits.least_s]


def begun(saturated: Flags, present: Flags, limits: Thresholds) -> Episode | None:
    """The episode that goes on at the end of these samples, however short it is so far."""
    spans = list(_spans(saturated, present, limits))
    if not spans or len(present) - spans[-1].end >= limits.leave:
        return None
    return _merged(spans, limits.merge_s)[-1]


def quiet(episodes: Iterable[Episode], present: Flags) -> Flags:
    """The samples that are present and far enough from every episode."""
    normal, margin = present.copy(), MARGIN_S // STEP_S
    for each in episodes:
        normal[max(0, each.first - margin) : each.end + margin] = False
    return normal


def _spans(saturated: Flags, present: Flags, limits: Thresholds) -> Iterator[Episode]:
    samples = np.flatnonzero(present)
    full_at = np.flatnonzero(saturated[samples])
    recent: list[tuple[int, bool]] = []
    first, last, calm, before, at = -1, -1, 0, -1, 0
    while at < len(samples):
        if first < 0 and not any(full for _, full in recent):
            # among calm samples nothing begins
            following = np.searchsorted(full_at, at)
            if following == len(full_at):
                return
            at, recent = int(full_at[following]), []
        sample = int(samples[at])
        at += 1
        if recent and STEP_S * (sample - before - 1) > limits.outage_s:
            if first >= 0:
                yield Episode(first, last + 1, truncated=True)
            first, recent = -1, []
        before, full = sample, bool(saturated[sample])
        recent = [*recent, (sample, full)][-limits.of :]
        if first >= 0:
            last, calm = (sample, 0) if full else (last, calm + 1)
            if calm == limits.leave:
                yield Episode(first, last + 1)
                first, recent = -1, []
        elif sum(each for _, each in recent) >= limits.enter:
            first, calm = next(at for at, each in recent if each), 0
            last = max(at for at, each in recent if each)
    if first >= 0:
        yield Episode(first, last + 1)


def _merged(episodes: Iterable[Episode], apart_s: int) -> list[Episode]:
    merged: list[Episode] = []
    for each in episodes:
        if merged and not merged[-1].truncated and STEP_S * (each.first - merged[-1].end) <= apart_s:
            merged[-1] = replace(merged[-1], end=each.end, truncated=each.truncated)
        else:
            merged.append(each)
    return merged
