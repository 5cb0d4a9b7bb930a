"""Causes of their own: what made members wait and is no member's guilt.

Threads: all nfsd threads of a server were busy while the disks were not, so its clients waited for a thread: what it
lacks is threads, or what its calls wait for is no disk. Links: what went over one was nearly all that it can carry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nasacct.reports.attribution import episodes
from nasacct.reports.attribution.scene import STEP_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nasacct.reports.attribution.scene import Flags, Floats
    from nasacct.reports.attribution.thresholds import Thresholds

#: From this share of the time on that all threads were busy, while the busiest disk was less than that.
FULL, IDLE = 0.9, 0.5
#: From this share of what it can carry on a link is full: headers and gaps between frames are not counted.
CARRIED = 0.92


class Spell(NamedTuple):
    """Samples from `first` up to, without, `end`, in which something was so of `name`."""

    name: str
    first: int
    end: int


def exhausted(names: Sequence[str], full: Floats, busy: Floats, present: Flags, limits: Thresholds) -> list[Spell]:
    """When all threads of servers were busy and the disks were not.

    `full`: the share of each sample (servers x samples) in which all threads of a server were busy, NaN where nobody
    knows; `busy`: that in which the busiest disk was.
    """
    with np.errstate(invalid="ignore"):
        return list(_spells(names, (full >= FULL) & (busy < IDLE), present, limits))


def congested(names: Sequence[str], bits: Floats, carry: Floats, present: Flags, limits: Thresholds) -> list[Spell]:
    """When links carried nearly all that they can.

    `bits`: a second, of the direction with more (links x samples); `carry`: a second at most (links), NaN: unknown.
    """
    with np.errstate(invalid="ignore"):
        return list(_spells(names, bits >= CARRIED * carry[:, None], present, limits))


def _spells(names: Sequence[str], so: Flags, present: Flags, limits: Thresholds) -> Iterator[Spell]:
    for name, each in zip(names, so, strict=True):
        for found in episodes.found(each & present, present, limits):
            if STEP_S * (found.end - found.first) >= limits.minor_s:
                yield Spell(name, found.first, found.end)
