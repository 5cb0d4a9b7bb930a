"""The verdict on an episode: who had which share of the disk time, who of its increase, and who caused it.

A culprit is who caused at least GUILTY of the increase of disk time over what is normal for each, more likely than not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from nasacct.reports.sureness import NAMED

if TYPE_CHECKING:
    from nasacct.reports.attribution.costs import Costs
    from nasacct.reports.attribution.fit import Fitted
    from nasacct.reports.attribution.hardware import Slow
    from nasacct.reports.attribution.scene import Floats

#: From this share of the increase on somebody caused an episode; how far blame may be off beside what draws tell.
GUILTY, _BLAME_ERROR = 0.20, 0.05
#: An interval is so many times the draws' own and these errors wide.
_WIDER, _SHARE_ERROR, _SHARE_ERROR_OF = 2.2, 0.01, 0.05
_WHO = 0.5
KINDS_OF = ("members", "local", "hardware", "mixed", "diffuse", "unknown")


@dataclass(frozen=True, slots=True)
class Entity:
    """Somebody or something that used the disks in an episode."""

    kind: str  #: member, local or hardware
    name: str  #: the member's, the disk's, or nothing
    share: float  #: of the disk time
    low: float  #: of the share; nine in ten lie between `low` and `high`
    high: float
    blame: float  #: share of the increase over what is normal for each
    blame_low: float
    blame_high: float
    confidence: float  #: how likely it is that `blame` is GUILTY or more

    @property
    def culprit(self) -> bool:
        """Whether it caused the episode, more likely than not."""
        return self.confidence >= NAMED


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of an episode."""

    verdict: str  #: one of KINDS_OF
    entities: tuple[Entity, ...]  #: by blame; every member, local work and hardware
    unexplained: float  #: share that neither requests nor a collector of local work explain

    @property
    def shark(self) -> Entity:
        """Who had most of the disk time, guilty or not."""
        return max(self.entities, key=lambda each: each.share)

    @property
    def culprits(self) -> tuple[Entity, ...]:
        """Who caused it."""
        return tuple(each for each in self.entities if each.culprit)


def given(fit: Fitted, costs: Costs, slow: Slow, names: tuple[str, ...], *, local_seen: bool) -> Verdict:
    """The verdict on a fitted episode; members of the same name are one."""
    kept = 1 - slow.share
    who = {name: at for at, name in enumerate(dict.fromkeys(names))}
    whose = np.zeros((len(names), len(who)))
    whose[np.arange(len(names)), [who[name] for name in names]] = 1
    shares = np.column_stack(
        [fit.draws[:, :-1] @ whose * kept, fit.draws[:, -1] * kept, np.full(len(fit.draws), slow.share)]
    )
    normal = np.concatenate([costs.normal @ whose, [0.0 if costs.chronic else costs.background.sum(), 0.0]])
    blame = _blame(shares, normal * kept / max(fit.work, 1e-9))
    kinds = ["member"] * len(who) + ["local", "hardware"]
    called = [*who, "", slow.disk or ""]
    entities = list(map(Entity, kinds, called, *_told(shares, blame)))
    entities.sort(key=lambda each: -each.blame)
    return Verdict(_verdict(entities, fit.unexplained * kept, local_seen), tuple(entities), fit.unexplained * kept)


def _blame(shares: Floats, normal: Floats) -> Floats:
    more = np.maximum(shares - normal, 0)
    blame: Floats = more / np.maximum(more.sum(axis=1, keepdims=True), 1e-9)
    return blame


def _told(shares: Floats, blame: Floats) -> list[list[float]]:
    """Of draws (draws x entities): share, its bounds, blame, its bounds, confidence, of each entity."""
    confidence = ndtr((blame - GUILTY) / _BLAME_ERROR).mean(axis=0)
    return [each.tolist() for each in (*_bounded(shares), *_bounded(blame), confidence)]


def _bounded(draws: Floats) -> tuple[Floats, Floats, Floats]:
    low, high = np.quantile(draws, (0.05, 0.95), axis=0)
    mean: Floats = draws.mean(axis=0)
    half = _WIDER * ((high - low) / 2 + _SHARE_ERROR + _SHARE_ERROR_OF * mean)
    return mean, np.maximum(0.0, mean - half), np.minimum(1.0, mean + half)


def _verdict(entities: list[Entity], unexplained: float, local_seen: bool) -> str:
    kinds = {each.kind for each in entities if each.culprit}
    if kinds == {"local"} and not local_seen and unexplained >= _WHO:
        return "unknown"
    if len(kinds) > 1:
        return "mixed"
    if kinds:
        return {"member": "members"}.get(*kinds, *kinds)
    members = sum(each.blame for each in entities if each.kind == "member")
    return "diffuse" if members >= _WHO else "unknown"
