"""The engine: from a scene, its episodes and the verdict on each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from nasacct.reports.attribution import costs, device, episodes, fit, hardware, requests, verdict, victims
from nasacct.reports.attribution.reach import reached
from nasacct.reports.attribution.saturation import saturated
from nasacct.reports.attribution.scene import STEP_S, Members

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nasacct.reports.attribution.columns import Window
    from nasacct.reports.attribution.costs import Costs
    from nasacct.reports.attribution.device import Device
    from nasacct.reports.attribution.episodes import Episode
    from nasacct.reports.attribution.fit import Fitted
    from nasacct.reports.attribution.hardware import Slow
    from nasacct.reports.attribution.scene import Flags, Scene
    from nasacct.reports.attribution.verdict import Verdict


#: Of a disk: who cannot have taken more is nobody's suspect.
_NOTHING = 1e-5


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """What was learnt of a pool, so that every verdict can be had again."""

    device: Device
    costs: Costs
    members: tuple[str, ...]  #: whom the costs are of

    def of(self, members: tuple[str, ...]) -> Model:
        """The same model for a scene with these members."""
        return self if members == self.members else Model(self.device, self.costs.of(self.members, members), members)


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """The verdict on an episode, and what it was fitted with."""

    verdict: Verdict
    fitted: Fitted
    window: Window
    slow: Slow


@dataclass(frozen=True, slots=True)
class Attributed:
    """An episode, the verdict on it, and who suffered."""

    episode: Episode
    verdict: Verdict
    victims: tuple[str, ...]


def attributed(scene: Scene) -> list[Attributed]:
    """The episodes of a scene, in order, each with who caused it."""
    found = episodes.found(saturated(scene), scene.present)
    if not found:
        return []
    known = reached(scene)
    model = learned(known, found)
    answers = []
    for each in found:
        said = judged(known, each, found, model)
        culprits = {culprit.name for culprit in said.culprits if culprit.kind == "member"}
        answers.append(Attributed(each, said, victims.found(scene, each, culprits)))
    return answers


def learned(scene: Scene, found: list[Episode], noted: Flags | None = None) -> Model:
    """What a scene tells of costs, outside the episodes that were found.

    Samples in which something was `noted` (`reports/noted.py`) are evidence of nothing.
    """
    if noted is not None:
        scene = replace(scene, present=scene.present & ~noted)
    quiet = episodes.quiet(found, scene.present)
    costing = device.learned(scene, quiet)
    work = device.work(scene, costing)
    found_costs = costs.learned(scene, costing, work, quiet)
    return Model(costing, found_costs, scene.members.names)


def judged(scene: Scene, episode: Episode, found: list[Episode], model: Model) -> Verdict:
    """The verdict on one of the episodes that were found."""
    return looked_at(scene, episode, found, model).verdict


def mattering(scene: Scene, episode: Episode, model: Model) -> Scene:
    """The scene without members who cannot have taken anything of the disks around an episode."""
    margin = fit.AROUND_S // STEP_S
    around = slice(max(0, episode.first - 2 * margin), episode.end + margin)
    asked = np.nan_to_num(scene.members.activity[..., around]).mean(axis=-1)
    kept = np.flatnonzero(asked @ requests.most(model.device) >= _NOTHING)
    members = scene.members
    parts = {
        name: None if (one := getattr(members, name)) is None else one[kept] for name in ("thread_s", "physical_mb")
    }
    names = tuple(members.names[at] for at in kept)
    return replace(scene, members=Members(names, members.activity[kept], **parts))


def looked_at(
    scene: Scene, episode: Episode, found: list[Episode], model: Model, whose: Mapping[str, str] | None = None
) -> Judged:
    """The verdict on an episode, whether it was found or somebody named it, and all it rests on.

    Members of the scene that are one's, by `whose`, are told as one, by that name.
    """
    model = model.of(scene.members.names)
    others = np.zeros(len(scene), bool)
    for each in found:
        if each != episode:
            others[each.first : each.end] = True
    inside = np.zeros(len(scene), bool)
    inside[episode.first : episode.end] = True
    seen = fit.window(scene, episode, others & ~inside, model.costs, model.device)
    fitted = fit.fitted(seen, model.costs, model.device, seed=scene.moment(episode.first))
    slow = hardware.slow(scene, model.device, inside)
    names = tuple((whose or {}).get(name, name) for name in scene.members.names)
    said = verdict.given(fitted, model.costs, slow, names, local_seen=seen.local_mb is not None)
    return Judged(said, fitted, seen, slow)
