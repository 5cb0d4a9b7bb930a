"""What others do: simple ways to say who fills the disks, each with the same episodes as the engine.

Each gives members a weight; shares are parts of its sum, and blame is the share. None knows local work or hardware.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from nasacct.reports.attribution import episodes
from nasacct.reports.attribution.saturation import saturated
from nasacct.reports.attribution.scene import CLASSES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.attribution.results import Method, Row
    from nasacct.reports.attribution.scene import Flags, Floats, Scene

    #: Members' weights and who of them is a culprit, of a scene's samples inside an episode and normal ones.
    Rule = Callable[[Scene, Flags, Flags], tuple[Floats, Flags]]

_BYTES = [CLASSES.index(each) for each in ("read_mb", "write_mb")]
_CALLS = [at for at in range(len(CLASSES)) if at not in _BYTES]
_MUCH, _SHOWN = 0.20, 0.02
#: CPI2's threshold of correlation (Zhang et al., EuroSys 2013).
_ALIKE = 0.35
_AROUND = 90
#: Beyond so many standard deviations of its own normal hours a workload is out of its expected range.
_RANGE = 3.0


def byte_share(scene: Scene, inside: Flags, _: Flags) -> tuple[Floats, Flags]:
    """Who moved most bytes: a sorted list, as of iftop or Lustre's jobstats."""
    return _most(_mean(scene.members.activity[:, _BYTES].sum(axis=1), inside))


def operation_share(scene: Scene, inside: Flags, _: Flags) -> tuple[Floats, Flags]:
    """Who made most calls."""
    return _most(_mean(scene.members.activity[:, _CALLS].sum(axis=1), inside))


def correlation(scene: Scene, inside: Flags, _: Flags) -> tuple[Floats, Flags]:
    """Whose calls or bytes went up and down with how busy the disks were, in the episode and around it (as CPI2)."""
    near = np.convolve(inside, np.ones(2 * _AROUND + 1), mode="same") > 0
    busy = np.median(scene.disks.busy if scene.rotational else scene.disks.queue, axis=0)
    activity = scene.members.activity
    courses = [activity[:, _BYTES].sum(axis=1), activity[:, _CALLS].sum(axis=1)]
    use = near & scene.present & np.isfinite(busy) & np.isfinite(activity).all(axis=(0, 1))
    alike = np.max([_correlated(each[:, use], busy[use]) for each in courses], axis=0).clip(0)
    return alike, alike >= _ALIKE


def deviation(scene: Scene, inside: Flags, normal: Flags) -> tuple[Floats, Flags]:
    """Who used far more than its own expected range (NetApp's bullies): weights are bytes and calls beyond it."""
    activity = scene.members.activity
    weights, beyond = np.zeros(len(activity)), np.zeros(len(activity), bool)
    for which in (_BYTES, _CALLS):
        course = activity[:, which].sum(axis=1)
        now, usual = _mean(course, inside), _mean(course, normal)
        spread = np.nan_to_num(np.nanstd(course[:, normal], axis=1)) if normal.any() else np.zeros(len(course))
        more = np.maximum(now - usual - _RANGE * spread, 0)
        if more.any():
            weights, beyond = weights + more / more.sum(), beyond | (more > 0)
    return weights, beyond


RULES: dict[str, Rule] = {
    "byte share": byte_share,
    "operation share": operation_share,
    "correlation": correlation,
    "deviation": deviation,
}


def method(rule: Rule) -> Method:
    """A rule as a method whose results can be scored."""

    def said(scene: Scene) -> Iterator[Row]:
        found = episodes.found(saturated(scene), scene.present)
        normal = episodes.quiet(found, scene.present)
        for each in found:
            inside = np.zeros(len(scene), bool)
            inside[each.first : each.end] = True
            weights, culprits = rule(scene, inside & scene.present, normal)
            shares = weights / weights.sum() if weights.any() else weights
            told = [at for at in range(len(shares)) if shares[at] >= _SHOWN or culprits[at]]
            for at in told:
                share, guilty = float(shares[at]), bool(culprits[at])
                name = f"member:{scene.members.names[at]}"
                yield each.first, each.end, name, share, share, share, share, guilty, float(guilty)
            if not told:
                yield each.first, each.end, "unknown", 1.0, 0.0, 1.0, 0.0, False, 0.0

    return said


def _most(weights: Floats) -> tuple[Floats, Flags]:
    return weights, weights >= _MUCH * max(float(weights.sum()), 1e-9)


def _mean(course: Floats, samples: Flags) -> Floats:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of no samples
        found: Floats = np.nan_to_num(np.nanmean(course[:, samples], axis=1))
    return found


def _correlated(courses: Floats, busy: Floats) -> Floats:
    off, level = courses - courses.mean(axis=1, keepdims=True), busy - busy.mean()
    size = np.sqrt((off**2).sum(axis=1) * (level**2).sum())
    found: Floats = np.divide(off @ level, size, out=np.zeros(len(off)), where=size > 0)
    return found
