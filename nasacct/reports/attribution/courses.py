"""Courses: what of a disk's time somebody would take, by channel, over the samples of a window (CHANNELS x samples)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nasacct.reports.attribution.device import CHANNELS, READ_MB, READS
from nasacct.reports.attribution.requests import CHANNEL

if TYPE_CHECKING:
    from nasacct.reports.attribution.device import Device
    from nasacct.reports.attribution.scene import Flags, Floats

#: Of the mean inside: what is more of a course is cut off.
_CUT = 0.3


def by_channel(parts: Floats) -> Floats:
    """Sums over the KINDS of each channel (... x CHANNELS x samples)."""
    return np.stack([parts[..., channel == CHANNEL, :].sum(axis=-2) for channel in range(len(CHANNELS))], axis=-2)


def only(channel: int, course: Floats) -> Floats:
    """A course of one channel."""
    courses = np.zeros((len(CHANNELS), len(course)))
    courses[channel] = course
    return courses


def flat(course: Floats, inside: Flags) -> Floats:
    """A course cut off at a part of its mean inside: who asks for more than a disk can do takes what it gives."""
    total = course.sum(axis=0)
    top = _CUT * total[inside].mean()
    cut: Floats = course * np.minimum(1, top / np.maximum(total, 1e-12))
    return cut


def stream(moved: Floats, size_mb: float, device: Device, calls: int = READS, mb: int = READ_MB) -> Floats:
    """Disk time of moving what takes `moved` of it for its bytes alone, by IOs of this size."""
    seconds = device.seconds
    course = np.zeros((len(CHANNELS), len(moved)))
    course[calls], course[mb] = moved * seconds[calls] / (seconds[mb] * size_mb), moved
    return course
