"""Which reads reach the disks, where a kernel tells: those that memory answers cost nothing there.

Two counters tell, and neither is everywhere. Threads of nfsd count the bytes that were read from disks for them, on
file systems that use the page cache. And a call that waits for a disk is inside nfsd as long as the disk makes it wait,
one that does not is there for some microseconds; so the time of a server's threads bounds how many of its calls waited.
How long a disk makes IOs wait is counted, too: where it is full, the same call is inside for ten times as long, and has
not cost ten times as much.

Of the disks of a log it is known without counters: what is synced is written to them, and nothing else is.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nasacct.reports.attribution.scene import CLASSES, LOG

if TYPE_CHECKING:
    from nasacct.reports.attribution.scene import Floats, Members, Scene

#: Seconds that a call which waits for a disk is inside nfsd at least: rotating disks, and others.
_WAITS = {True: 1e-3, False: 30e-6}
#: The least part of a disk's mean wait that it waits: some IOs are quicker than others, or were begun before the call.
_QUICK = 0.3
#: A read that reaches a disk reads at least a page.
_PAGE_MB = 4096 / 1e6
_READS = [CLASSES.index(each) for each in ("reads", "read_mb")]
_CALLS = [CLASSES.index(each) for each in ("reads", "lookups")]
_WRITTEN = [CLASSES.index(each) for each in ("writes", "write_mb")]
_SYNCED = [CLASSES.index(each) for each in ("commits", "changes", "removes")]
_COMMITS = CLASSES.index("commits")
_READ_MB, _LOOKUPS = CLASSES.index("read_mb"), CLASSES.index("lookups")


def reached(scene: Scene) -> Scene:
    """The scene without those reads of which is known that memory answered them."""
    if scene.component == LOG:
        return _synced(scene)
    members = scene.members
    if members.thread_s is None and members.physical_mb is None:
        return scene
    if members.physical_mb is not None and scene.local_mb is not None:
        scene = replace(scene, local_mb=_local(scene, members.physical_mb, scene.local_mb))
    activity = members.activity.copy()
    if members.physical_mb is not None:
        activity[:, _READS] *= _part(members.physical_mb, activity[:, _READ_MB])[:, None]
        activity[:, _LOOKUPS] *= _part(members.physical_mb, activity[:, _LOOKUPS] * _PAGE_MB)
    if members.thread_s is not None:
        calls = [each for each in _CALLS if members.physical_mb is None or each not in _READS]
        waited = _waited(members, activity[:, calls].sum(axis=1), _least_s(scene))
        for each in {*calls, *(_READS if members.physical_mb is None else ())}:
            activity[:, each] *= waited
    return replace(scene, members=replace(members, activity=activity))


def _synced(scene: Scene) -> Scene:
    """What a log takes: what is written, and commits; nfsd has each change of metadata committed before it answers."""
    activity = np.zeros_like(scene.members.activity)
    activity[:, _WRITTEN] = scene.members.activity[:, _WRITTEN]
    activity[:, _COMMITS] = scene.members.activity[:, _SYNCED].sum(axis=1)
    return replace(scene, members=replace(scene.members, activity=activity))


def _local(scene: Scene, physical_mb: Floats, local_mb: Floats) -> Floats:
    """What processes read, as far as disks read it for nobody else: clients on this machine are counted twice."""
    left = np.nansum(scene.disks.read_mb, axis=0) - np.nansum(physical_mb, axis=0)
    if scene.scanned_mb is not None:
        left = left - np.nan_to_num(scene.scanned_mb)
    found: Floats = np.minimum(local_mb, np.maximum(left, 0))
    return found


def _least_s(scene: Scene) -> Floats:
    """Seconds that a call which waits for a disk is inside nfsd at least, of each sample."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of samples in which no IO ended
        wait_s = np.nan_to_num(np.nanmedian(scene.disks.wait_ms, axis=0) / 1e3)
    least: Floats = np.maximum(_QUICK * wait_s, _WAITS[scene.rotational])
    return least


def _waited(members: Members, calls: Floats, each_s: Floats) -> Floats:
    assert members.thread_s is not None
    return _part(members.thread_s, calls * each_s)


def _part(known: Floats, most: Floats) -> Floats:
    """`known` of `most`, 1 where it is not known."""
    with np.errstate(invalid="ignore", divide="ignore"):
        part: Floats = np.where(np.isfinite(known) & (most > 0), np.minimum(known / most, 1), 1.0)
    return part
