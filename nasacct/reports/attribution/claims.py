"""Claims: which of them hold, by how much better an episode is explained if they do.

Every combination of the few that matter most is fitted, and weighs as likely as what was measured is under it: a
combination that explains no better is less likely, for it could have explained much else (MacKay, Neural Computation 4,
1992; evidence of a Gaussian fit, of the coefficients that are not 0). Two explanations of the same increase so share
the weight instead of the disk time.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from nasacct.reports.attribution.columns import Columns
    from nasacct.reports.attribution.scene import Floats

#: So many claims are tried in every combination.
TRIED = 6
#: The power to which evidence is taken: the model is only roughly right, so many samples together are not as sure as
#: they would be if it were (Miller and Dunson, Robust Bayesian inference via coarsening, JASA 114, 2019).
_COARSE = 0.3
#: What is less likely than this beside the likeliest is left out.
_UNLIKELY = 1e-3


class Held(NamedTuple):
    """One combination of claims."""

    weight: float  #: how likely it is; all sum to 1
    spread: Floats  #: columns' spreads under it


def weighed(columns: Columns, gram: Floats, moments: Floats) -> list[Held]:
    """Combinations of claims and how likely each is, from whitened columns' products with themselves and the target."""
    tried = _worth(columns, gram, moments)
    scores, spreads = [], []
    for held in product((False, True), repeat=len(tried)):
        holds = np.zeros(len(columns.likely), bool)
        holds[tried] = held
        spread = np.where((columns.claim >= 0) & ~holds[columns.claim], columns.narrow, columns.spread)
        odds = np.log(columns.likely[tried] / (1 - columns.likely[tried]))
        scores.append(_COARSE * _evidence(columns, spread, gram, moments) + float(odds @ np.array(held, float)))
        spreads.append(spread)
    weights = np.exp(np.array(scores) - max(scores))
    weights[weights < _UNLIKELY] = 0
    weights /= weights.sum()
    return [Held(float(w), spread) for w, spread in zip(weights, spreads, strict=True) if w > 0]


def _worth(columns: Columns, gram: Floats, moments: Floats) -> list[int]:
    """The claims that would explain most of what is left if none holds."""
    spread = np.where(columns.claim >= 0, columns.narrow, columns.spread)
    left = moments - gram @ columns.solved(spread, gram, moments)
    gains = np.maximum(left, 0) ** 2 / (np.diag(gram) + columns.spread**-2)
    gain = np.zeros(len(columns.likely))
    matters = (columns.claim >= 0) & (columns.spread > columns.narrow)
    np.maximum.at(gain, columns.claim[matters], gains[matters])
    worth = gain / 2 + np.log(columns.likely / (1 - columns.likely))
    order = np.argsort(-worth, kind="stable")[:TRIED]
    return [int(each) for each in order if gain[each] > 1]


def _evidence(columns: Columns, spread: Floats, gram: Floats, moments: Floats) -> float:
    """Logarithm of how likely the target is, up to what is the same for all combinations."""
    best = columns.solved(spread, gram, moments)
    off = (best - columns.mean) / spread
    errors = best @ gram @ best - 2 * moments @ best + off @ off
    free = best > 0
    scaled = gram[np.ix_(free, free)] * np.outer(spread[free], spread[free]) + np.eye(int(free.sum()))
    return float(-errors / 2 - np.linalg.slogdet(scaled)[1] / 2)
