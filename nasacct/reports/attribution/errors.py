"""Errors: how far off measured disk time may be, and what is left of columns when errors are made independent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.ndimage import maximum_filter1d

from nasacct.reports.attribution.costs import smooth
from nasacct.reports.attribution.device import CHANNELS
from nasacct.reports.attribution.requests import CHANNEL

if TYPE_CHECKING:
    from nasacct.reports.attribution.columns import Window
    from nasacct.reports.attribution.costs import Costs
    from nasacct.reports.attribution.scene import Floats

#: Errors: of a disk (within bounds, a part of what a channel has), of what is measured, and how neighbours' are alike.
_BASE, _BASE_OF, _OF_WORK, _ALIKE = (0.003, 0.02), 0.1, 0.15, 0.8
#: By which part of a sample, by channel, disk time may come early or late: dirty pages are written at some moment.
_LATE = (0.1, 0.1, 0.7, 0.7)
_PUT_OFF = 0.5
#: So many samples are whitened together.
_BLOCK = 360


def whitened(seen: Window, course: Floats, costs: Costs) -> tuple[Floats, Floats]:
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
