"""Used: whose the disk time was over hours and days, by what requests cost.

Each sample's measured disk time is divided among members as their requests cost by the model, no more than there was;
what is left is nobody's. In an episode that was judged it is divided by the verdict, which knows better.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nasacct.reports.attribution import device, requests
from nasacct.reports.attribution.courses import by_channel
from nasacct.reports.attribution.scene import STEP_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nasacct.reports.attribution.engine import Model
    from nasacct.reports.attribution.scene import Floats, Scene

_BLOCK = 64


class Judged(NamedTuple):
    """Samples that were judged, from `first` to before `end`, and the shares of those who were named."""

    first: int
    end: int
    shares: Mapping[str, float]


class Used(NamedTuple):
    """Seconds of the pool's median disk, by sample."""

    members: Floats  #: members x samples
    whole: Floats  #: samples: all that was measured, 0 where nothing was

    @property
    def nobodys(self) -> Floats:
        """Samples: what no member's requests explain."""
        left: Floats = np.maximum(self.whole - self.members.sum(axis=0), 0)
        return left


def used(scene: Scene, model: Model, judged: Sequence[Judged] = ()) -> Used:
    """Whose the disk time of a scene was."""
    names = scene.members.names
    costs = model.of(names).costs
    work = np.nan_to_num(device.work(scene, model.device)) * STEP_S
    expected = np.zeros((len(names), *work.shape))
    for first in range(0, len(names), _BLOCK):
        block = slice(first, first + _BLOCK)
        kinds = requests.effective(scene.members.activity[block], costs.kernel)
        expected[block] = by_channel(kinds * costs.own[block, :, None]) * STEP_S
    total = expected.sum(axis=0)
    part = np.minimum(1, np.divide(work, total, out=np.zeros_like(work), where=total > 0))
    members, whole = (expected * part).sum(axis=1), work.sum(axis=0)
    for each in judged:
        shares = np.array([each.shares.get(name, 0.0) for name in names])
        inside = slice(each.first, each.end)
        members[:, inside] = shares[:, None] / max(shares.sum(), 1) * whole[inside]
    return Used(members, whole)
