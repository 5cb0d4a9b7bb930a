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


def short(full: Floats, busy: Floats) -> Flags:
    """In which samples all threads of servers were busy and the disks were not.

    `full`: the share of each sample (servers x samples) in which all threads of a server were busy, NaN where nobody
    knows; `busy`: that in which the busiest disk was (of each server, or of all).
    """
    with np.errstate(invalid="ignore"):
        found: Flags = (full >= FULL) & (busy < IDLE)
    return found


def filled(bits: Floats, carry: Floats) -> Flags:
    """In which samples links carried nearly all that they can.

    `bits`: a second, of the direction with more (links x samples); `carry`: a second at most, NaN: unknown.
    """
    with np.errstate(invalid="ignore"):
        found: Flags = bits >= CARRIED * carry
    return found


def spells(names: Sequence[str], so: Flags, present: Flags, limits: Thresholds) -> Iterator[Spell]:
    """When something was so of names (names x samples) for minutes; `present`: which of the samples were read."""
    for name, each, there in zip(names, so, present, strict=True):
        for found in episodes.found(each & there, there, limits):
            if STEP_S * (found.end - found.first) >= limits.minor_s:
                yield Spell(name, found.first, found.end)
