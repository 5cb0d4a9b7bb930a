"""The fit of one episode: its measured disk time, divided among members, local work and what is not explained.

Coefficients of the columns are found by ridge NNLS on whitened errors: errors of neighbouring samples resemble each
other (Prais and Winsten, Cowles Commission 383, 1954), so what lasts is little evidence, and what begins and ends with
the episode is much. Uncertainty is that of randomised maximum a posteriori: the same fit, of data and priors to which
errors of their own size were added (Bardsley et al., SIAM J. Sci. Comput. 36, 2014).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.ndimage import maximum_filter1d

from nasacct.reports.attribution import claims, columns, device, requests
from nasacct.reports.attribution.columns import Window
from nasacct.reports.attribution.costs import smooth
from nasacct.reports.attribution.device import CHANNELS
from nasacct.reports.attribution.regression import huber, solved
from nasacct.reports.attribution.requests import CHANNEL
from nasacct.reports.attribution.scene import STEP_S

if TYPE_CHECKING:
    from nasacct.reports.attribution.columns import Columns
    from nasacct.reports.attribution.costs import Costs
    from nasacct.reports.attribution.device import Device
    from nasacct.reports.attribution.episodes import Episode
    from nasacct.reports.attribution.scene import Flags, Floats, Scene

#: So much around an episode is looked at.
AROUND_S = 900
#: Errors: of a disk (within bounds, a part of what a channel has), of what is measured, and how neighbours' are alike.
_BASE, _BASE_OF, _OF_WORK, _ALIKE = (0.003, 0.02), 0.1, 0.15, 0.8
#: By which part of a sample, by channel, disk time may come early or late: dirty pages are written at some moment.
_LATE = (0.1, 0.1, 0.7, 0.7)
_PUT_OFF = 0.5
#: So many samples are whitened together.
_BLOCK = 360
#: What is explained may be this much too little before something unexplained is said to be there.
_SCALE = 1.2
DRAWS = 80


class Fitted(NamedTuple):
    """Entities are the scene's members, then local work with whatever is not explained."""

    draws: Floats  #: draws x entities: shares of the disk time, each row sums to 1
    unexplained: float  #: the part of local work's share that no column explains
    work: float  #: mean measured disk time inside
    error: float  #: root mean square of the fit's errors inside, of a disk


def window(scene: Scene, episode: Episode, others: Flags, costs: Costs, model: Device) -> Window:
    """What is looked at for an episode: it and AROUND_S before and after it, without other episodes' samples."""
    margin = AROUND_S // STEP_S
    first, end = max(0, episode.first - margin), min(len(scene), episode.end + margin)
    use = (scene.present & ~others)[first:end]
    samples = np.flatnonzero(use) + first
    lead = max(0, first - margin)  # what was written before costs later
    activity = scene.members.activity[..., lead:end]
    kinds, prompt = (requests.effective(activity, each)[..., samples - lead] for each in (costs.kernel, np.ones(1)))
    local = None if scene.local_mb is None else np.nan_to_num(scene.local_mb[samples])
    inside = (samples >= episode.first) & (samples < episode.end)
    return Window(
        samples, inside, device.work(scene, device.around(scene, model, samples))[:, samples], kinds, prompt, local
    )


def fitted(seen: Window, costs: Costs, model: Device, seed: int) -> Fitted:
    """Whose the disk time inside was."""
    cols = columns.made(seen, costs, model)
    rows, target = _whitened(seen, cols.course, costs)
    likeliest = max(claims.weighed(cols, rows @ rows.T, rows @ target), key=lambda each: each.weight)
    weights = np.sqrt(huber(target - _solved(cols, likeliest.spread, rows @ rows.T, rows @ target) @ rows))
    rows, target = rows * weights, target * weights
    gram = rows @ rows.T
    held = claims.weighed(cols, gram, rows @ target)
    inside = cols.course[..., seen.inside].sum(axis=(1, 2))
    measured = float(seen.work[:, seen.inside].sum())
    random = np.random.default_rng(seed)
    moments = (target + random.standard_normal((DRAWS, len(target)))) @ rows.T
    normal = random.standard_normal((DRAWS, len(cols.mean)))
    upto = np.cumsum([each.weight for each in held])
    found = [
        _solved(cols, held[which].spread, gram, moments[draw], normal[draw])
        for draw, which in enumerate(np.searchsorted(upto, (np.arange(DRAWS) + 0.5) / DRAWS).clip(0, len(held) - 1))
    ]
    draws, missing = zip(*(_shares(each * inside, cols.whose, measured) for each in found), strict=True)
    course = np.einsum("k,kct->ct", np.mean(found, axis=0), cols.course)
    error = (seen.work - course).sum(axis=0)[seen.inside]
    return Fitted(
        np.stack(draws),
        float(np.mean(missing)),
        measured / int(seen.inside.sum()),
        float(np.sqrt(np.mean(error**2))),
    )


def _solved(cols: Columns, spread: Floats, gram: Floats, moments: Floats, off: Floats | float = 0.0) -> Floats:
    """The coefficients under priors of this spread, whose means are `off` so many of them."""
    precision = spread**-2
    return solved(gram + np.diag(precision), moments + precision * (cols.mean + off * spread))


def _shares(parts: Floats, whose: Floats, measured: float) -> tuple[Floats, float]:
    """Entities' shares of the measured disk time, from columns' parts of it; and what is not explained."""
    entities = parts @ whose
    explained = entities.sum()
    entities = entities * min(_SCALE, measured / explained) if explained > 0 else entities
    missing = max(measured - entities.sum(), 0.0)
    entities[-1] += missing
    return entities / measured, missing / measured


def _whitened(seen: Window, course: Floats, costs: Costs) -> tuple[Floats, Floats]:
    """Columns and measured disk time in standard deviations of independent errors (columns x equations; equations).

    Errors are what one sample has alone, and what lasts: their covariance is that of a first order autoregression with
    white noise added, whose Cholesky factor whitens whatever samples are missing.
    """
    level = smooth(seen.work)
    base = np.clip(_BASE_OF * level.mean(axis=1), *_BASE)
    late = _late(seen, costs)
    rows, target = [], []
    for first in range(0, len(seen.samples), _BLOCK):
        block = slice(first, first + _BLOCK)
        apart = np.abs(np.subtract.outer(seen.samples[block], seen.samples[block]))
        for channel, of_work in enumerate(costs.jitter):
            lasting = np.sqrt(base[channel] ** 2 + (_OF_WORK * level[channel, block]) ** 2)
            alone = (base[channel] / 2) ** 2 + (of_work * level[channel, block]) ** 2
            alone += late[channel, block] ** 2
            lower = cholesky(np.outer(lasting, lasting) * _ALIKE**apart + np.diag(alone), lower=True)
            rows.append(solve_triangular(lower, course[:, channel, block].T, lower=True))
            target.append(solve_triangular(lower, seen.work[channel, block], lower=True))
    return np.concatenate(rows).T, np.concatenate(target)


def _late(seen: Window, costs: Costs) -> Floats:
    """How far off disk time may be for coming early or late: where it changes, and where it could have been put off."""
    steps = np.abs(np.diff(seen.work, axis=-1, prepend=seen.work[:, :1], append=seen.work[:, -1:]))
    late: Floats = np.array(_LATE)[:, None] * np.maximum(steps[:, :-1], steps[:, 1:])
    put_off, at_once = (np.einsum("mkt,mk->kt", each, costs.own) for each in (seen.kinds, seen.prompt))
    highest = maximum_filter1d(seen.work, 2 * len(costs.kernel) + 1, axis=-1)
    for channel in range(len(CHANNELS)):
        first, second = (each[channel == CHANNEL].sum(axis=0) for each in (put_off, at_once))
        differ = np.abs(first - second) / np.maximum(np.maximum(first, second), 1e-9)
        late[channel] = np.hypot(late[channel], _PUT_OFF * differ * highest[channel])
    return late
