"""Scenes of one pool put one behind the other, so that something is learnt of all of them at once.

Where they are apart in time there is a gap of samples that are not present, longer than requests take to reach the
disks. Who or what is not in one of them did nothing there; what nobody counted there is not known. Activity, which is
most of it, is in single precision.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np

from nasacct.reports.attribution.scene import CLASSES, Disks, Members

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nasacct.reports.attribution.scene import Floats, Scene

GAP = 12


def joined(parts: Sequence[Scene]) -> tuple[Scene, list[int]]:
    """Scenes in the order of time as one, which begins when the first does; and at which sample of it each begins."""
    begins, count = [], 0
    for at, part in enumerate(parts):
        if at and part.start != parts[at - 1].moment(len(parts[at - 1])):
            count += GAP
        begins.append(count)
        count += len(part)
    slots = [slice(begin, begin + len(part)) for begin, part in zip(begins, parts, strict=True)]

    def course(name: str, missing: float) -> Floats:
        found = np.full(count, missing)
        for slot, part in zip(slots, parts, strict=True):
            found[slot] = getattr(part, name)
        return found

    def known(name: str) -> Floats | None:
        if all(getattr(part, name) is None for part in parts):
            return None
        found = np.full(count, np.nan)
        for slot, part in zip(slots, parts, strict=True):
            if getattr(part, name) is not None:
                found[slot] = getattr(part, name)
        return found

    present = np.zeros(count, bool)
    for slot, part in zip(slots, parts, strict=True):
        present[slot] = part.present
    whole = replace(
        parts[0],
        present=present,
        disks=_disks(parts, slots, count),
        members=_members(parts, slots, count),
        some=course("some", np.nan),
        full=course("full", np.nan),
        sync_s=course("sync_s", 0.0),
        local_mb=known("local_mb"),
        scanned_mb=known("scanned_mb"),
        local_written_mb=known("local_written_mb"),
        beside=known("beside"),
    )
    return whole, begins


def single(scene: Scene) -> Scene:
    """The same with what is most of it in single precision, to be held until there are others to join."""

    def small(numbers: Floats | None) -> Floats | None:
        return None if numbers is None else cast("Floats", numbers.astype(np.float32))

    members = scene.members
    activity = cast("Floats", members.activity.astype(np.float32))
    return replace(scene, members=Members(members.names, activity, small(members.thread_s), small(members.physical_mb)))


def _disks(parts: Sequence[Scene], slots: Sequence[slice], count: int) -> Disks:
    names = tuple(sorted({name for part in parts for name in part.disks.names}))
    arrays = []
    for field in ("reads", "read_mb", "writes", "write_mb", "busy", "queue", "wait_ms"):
        found = np.full((len(names), count), np.nan)
        for slot, part in zip(slots, parts, strict=True):
            found[[names.index(name) for name in part.disks.names], slot] = getattr(part.disks, field)
        arrays.append(found)
    return Disks(names, *arrays)


def _members(parts: Sequence[Scene], slots: Sequence[slice], count: int) -> Members:
    names = tuple(sorted({name for part in parts for name in part.members.names}))
    place = {name: at for at, name in enumerate(names)}
    activity = np.zeros((len(names), len(CLASSES), count), np.float32)
    for slot, part in zip(slots, parts, strict=True):
        activity[[place[name] for name in part.members.names], :, slot] = part.members.activity

    def known(name: str) -> Floats | None:
        if all(getattr(part.members, name) is None for part in parts):
            return None
        found = np.full((len(names), count), np.nan, np.float32)
        for slot, part in zip(slots, parts, strict=True):
            if getattr(part.members, name) is not None:
                found[:, slot] = 0
                found[[place[each] for each in part.members.names], slot] = getattr(part.members, name)
        return cast("Floats", found)

    return Members(names, cast("Floats", activity), known("thread_s"), known("physical_mb"))
