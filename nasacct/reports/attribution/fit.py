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

from nasacct.reports.attribution import columns, requests
from nasacct.reports.attribution.columns import Window
from nasacct.reports.attribution.costs import smooth
from nasacct.reports.attribution.regression import huber, solved
from nasacct.reports.attribution.scene import STEP_S

if TYPE_CHECKING:
    from nasacct.reports.attribution.costs import Costs
    from nasacct.reports.attribution.device import Device
    from nasacct.reports.attribution.episodes import Episode
    from nasacct.reports.attribution.scene import Flags, Floats, Scene

#: So much around an episode is looked at.
AROUND_S = 900
#: Errors: of a disk, of what is measured, and how neighbours' resemble each other.
_BASE, _OF_WORK, _ALIKE, _ALONE = 0.02, 0.15, 0.8, 0.01
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


def window(scene: Scene, episode: Episode, others: Flags, work: Floats, costs: Costs) -> Window:
    """What is looked at for an episode: it and AROUND_S before and after it, without other episodes' samples."""
    around = AROUND_S // STEP_S
    first, end = max(0, episode.first - around), min(len(scene), episode.end + around)
    use = (scene.present & np.isfinite(work).all(axis=0) & ~others)[first:end]
    samples = np.flatnonzero(use) + first
    lead = max(0, first - around)  # what was written before costs later
    kinds = requests.effective(scene.members.activity[..., lead:end], costs.kernel)[..., samples - lead]
    local = None if scene.local_mb is None else np.nan_to_num(scene.local_mb[samples])
    inside = (samples >= episode.first) & (samples < episode.end)
    return Window(samples, inside, work[:, samples], kinds, local)


def fitted(seen: Window, costs: Costs, device: Device, seed: int) -> Fitted:
    """Whose the disk time inside was."""
    cols = columns.made(seen, costs, device)
    rows, target = _whitened(seen, cols.course, costs.jitter)
    precision = cols.spread**-2
    gram, moments = rows @ rows.T + np.diag(precision), rows @ target + precision * cols.mean
    best = solved(gram, moments)
    weights = np.sqrt(huber(target - best @ rows))
    rows, target = rows * weights, target * weights
    gram = rows @ rows.T + np.diag(precision)
    random = np.random.default_rng(seed)
    errors = random.standard_normal((DRAWS, len(target)))
    means = cols.mean + cols.spread * random.standard_normal((DRAWS, len(cols.mean)))
    best = solved(gram, rows @ target + precision * cols.mean)
    inside = cols.course[..., seen.inside].sum(axis=(1, 2))
    measured = float(seen.work[:, seen.inside].sum())
    found = [
        solved(gram, rows @ (target + error) + precision * mean) for error, mean in zip(errors, means, strict=True)
    ]
    draws = np.stack([_shares(each * inside, cols.whose, measured)[0] for each in found])
    unexplained = _shares(best * inside, cols.whose, measured)[1]
    error = (seen.work - np.einsum("k,kct->ct", best, cols.course)).sum(axis=0)[seen.inside]
    return Fitted(draws, unexplained, measured / max(int(seen.inside.sum()), 1), float(np.sqrt(np.mean(error**2))))


def _shares(parts: Floats, whose: Floats, measured: float) -> tuple[Floats, float]:
    """Entities' shares of the measured disk time, from columns' parts of it; and what is not explained."""
    entities = parts @ whose
    explained = entities.sum()
    entities = entities * min(_SCALE, measured / explained) if explained > 0 else entities
    missing = max(measured - entities.sum(), 0.0)
    entities[-1] += missing
    return entities / measured, missing / measured


def _whitened(seen: Window, course: Floats, jitter: Floats) -> tuple[Floats, Floats]:
    """Columns and measured disk time in standard deviations of independent errors (columns x equations; equations).

    Errors are what one sample has alone, and what lasts: their covariance is that of a first order autoregression with
    white noise added, whose Cholesky factor whitens whatever samples are missing.
    """
    level = smooth(seen.work)
    rows, target = [], []
    for first in range(0, len(seen.samples), _BLOCK):
        block = slice(first, first + _BLOCK)
        apart = np.abs(np.subtract.outer(seen.samples[block], seen.samples[block]))
        for channel, of_work in enumerate(jitter):
            lasting = np.sqrt(_BASE**2 + (_OF_WORK * level[channel, block]) ** 2)
            alone = _ALONE**2 + (of_work * level[channel, block]) ** 2
            lower = cholesky(np.outer(lasting, lasting) * _ALIKE**apart + np.diag(alone), lower=True)
            rows.append(solve_triangular(lower, course[:, channel, block].T, lower=True))
            target.append(solve_triangular(lower, seen.work[channel, block], lower=True))
    return np.concatenate(rows).T, np.concatenate(target)
