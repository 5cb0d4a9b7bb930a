"""Victims: who got less done while the disks did not keep up.

That somebody got less done proves nothing about who caused it: a culprit's own calls wait, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nasacct.reports.attribution.scene import CLASSES, STEP_S

if TYPE_CHECKING:
    from nasacct.reports.attribution.episodes import Episode
    from nasacct.reports.attribution.scene import Scene

#: Calls inside of those before, at most; over so much time before; of at least so many a second; and so many samples
#: just before, in half of which there were as many: who had stopped before lost nothing.
AT_MOST, BEFORE_S, LEAST, _JUST = 0.6, 600, 1.0, 6
_CALLS = [at for at, name in enumerate(CLASSES) if not name.endswith("_mb")]


def found(scene: Scene, episode: Episode, culprits: set[str]) -> tuple[str, ...]:
    """Members, without culprits, whose calls fell; in the scene's order."""
    samples = np.arange(len(scene))
    before = scene.present & (samples >= episode.first - BEFORE_S // STEP_S) & (samples < episode.first)
    inside = scene.present & (samples >= episode.first) & (samples < episode.end)
    if not before.any() or not inside.any():
        return ()
    calls = np.nan_to_num(scene.members.activity[:, _CALLS].sum(axis=1))
    just = np.flatnonzero(before)[-_JUST:]
    was = np.minimum(calls[:, before].mean(axis=1), np.median(calls[:, just], axis=1))
    now = calls[:, inside].mean(axis=1)
    fell = (was >= LEAST) & (now <= AT_MOST * was)
    return tuple(name for name, each in zip(scene.members.names, fell, strict=True) if each and name not in culprits)
