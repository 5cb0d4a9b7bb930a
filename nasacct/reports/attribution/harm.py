"""Harm: whether those who use the pool suffered while its disks did not keep up.

That disks are busy is no harm: a backup at night may take all there is, and nobody waits for it. Harm is that others
than who caused it are hurt, several of them, for one may have reasons of its own.

Hurt is who waits: whose calls took several times as long inside nfsd as is usual for that server, and so long that a
person notices (a directory of a hundred files takes a second at ten milliseconds a call). Twice as long would be found
in any hour, for what is asked for changes; what asks little is not looked at, for its mean is chance. Where nobody
counts the time inside, hurt is who got much less done than just before (`victims.py`): that is weaker, for jobs also
end by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nasacct.reports.attribution import victims
from nasacct.reports.attribution.scene import CLASSES, STEP_S

if TYPE_CHECKING:
    from nasacct.reports.attribution.episodes import Episode
    from nasacct.reports.attribution.scene import Flags, Floats, Scene

#: Times the usual answer, and at least so long (ms); of at least so many calls a second.
RATIO, LEAST_MS, LEAST = 3.0, 10.0, 1.0
#: So many who are hurt are several; fewer if there are not as many others.
SEVERAL = 2
#: What is usual without a model is that of so much time before.
BEFORE_S = 600
_CALLS = [at for at, name in enumerate(CLASSES) if not name.endswith("_mb")]


@dataclass(frozen=True, slots=True, eq=False)
class Usual:
    """How long servers' calls take in normal hours: mean milliseconds, NaN where nobody knows."""

    members: tuple[str, ...]
    answer_ms: Floats

    def of(self, members: tuple[str, ...]) -> Floats:
        """The same of these."""
        known = dict(zip(self.members, self.answer_ms.tolist(), strict=True))
        return np.array([known.get(name, np.nan) for name in members])


@dataclass(frozen=True, slots=True)
class Hurt:
    """Somebody who was hurt."""

    name: str
    answer_ms: float | None  #: how long a call took; None: nobody counts it
    usual_ms: float | None
    calls: float  #: a second
    calls_before: float


@dataclass(frozen=True, slots=True)
class Harm:
    """Whether an episode was harmful; None: nobody can say. `by` is how that is known: answers or calls."""

    harmful: bool | None
    by: str | None
    hurt: tuple[Hurt, ...]
    others: int  #: how many others were there who might have been


def usual(scene: Scene, calm: Flags) -> Usual:
    """How long calls take in the calm samples of a scene."""
    return Usual(scene.members.names, _answers(scene, calm))


def harm(scene: Scene, episode: Episode, culprits: set[str], normal: Usual | None) -> Harm:
    """Who, beside the culprits, was hurt in an episode of a scene."""
    samples = np.arange(len(scene))
    inside = scene.present & (samples >= episode.first) & (samples < episode.end)
    before = scene.present & (samples >= episode.first - BEFORE_S // STEP_S) & (samples < episode.first)
    names = scene.members.names
    now, was = _calls(scene, inside), _calls(scene, before)
    others = np.array([name not in culprits for name in names], bool) & ((now >= LEAST) | (was >= LEAST))
    if not names or not inside.any() or not others.any():
        return Harm(False if inside.any() else None, None, (), 0)
    answers, levels = _answers(scene, inside), _answers(scene, before)
    if normal is not None:
        known = normal.of(names)
        levels = np.where(np.isfinite(known), known, levels)
    if np.isfinite(answers[others]).any():
        with np.errstate(invalid="ignore"):
            hurt = others & (now >= LEAST) & (answers >= LEAST_MS) & (answers >= RATIO * levels)
        by = "answers"
    elif before.any():
        fell = set(victims.found(scene, episode, culprits))
        hurt, by = others & np.array([name in fell for name in names], bool), "calls"
    else:
        return Harm(None, None, (), int(others.sum()))
    told = tuple(
        Hurt(names[at], _known(answers[at]), _known(levels[at]), float(now[at]), float(was[at]))
        for at in np.flatnonzero(hurt).tolist()
    )
    return Harm(len(told) >= min(SEVERAL, int(others.sum())), by, told, int(others.sum()))


def _calls(scene: Scene, samples: Flags) -> Floats:
    """Calls a second of each member."""
    if not samples.any():
        return np.zeros(len(scene.members.names))
    found: Floats = np.nan_to_num(scene.members.activity[:, _CALLS][..., samples]).sum(axis=1).mean(axis=-1)
    return found


def _answers(scene: Scene, samples: Flags) -> Floats:
    """Mean milliseconds that each member's calls took inside nfsd; NaN where nobody counts it, or nothing was asked."""
    threads = scene.members.thread_s
    if threads is None or not samples.any():
        return np.full(len(scene.members.names), np.nan)
    counted = np.isfinite(threads) & samples
    calls = np.nan_to_num(scene.members.activity[:, _CALLS].sum(axis=1))
    spent = np.where(counted, threads, 0.0).sum(axis=-1, dtype=float)
    asked = np.where(counted, calls, 0.0).sum(axis=-1, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = np.where(asked > 0, 1e3 * spent / asked, np.nan)
    return found


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
