"""Least squares whose coefficients are not negative and have priors: ridge NNLS on the normal equations.

A coefficient c of prior mean m and standard deviation s adds ((c - m) / s)^2 to the squared errors (Hoerl and Kennard,
Technometrics 12, 1970); the sum is minimal over c >= 0 by Lawson and Hanson's active sets (`scipy.optimize.nnls`),
which need no more than the Gram matrix's Cholesky factor, however many samples there were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import nnls

if TYPE_CHECKING:
    from nasacct.reports.attribution.scene import Floats

#: Errors of more than so many standard deviations count linearly (Huber, Annals of Mathematical Statistics 35, 1964).
HUBER = 1.5


def solved(gram: Floats, moments: Floats) -> Floats:
    """The c >= 0 (unknowns) at which c' gram c - 2 moments' c is least; `gram` must be positive definite."""
    size = np.sqrt(np.diag(gram))  # so that no unit is so small that it is lost
    upper = cholesky(gram / np.outer(size, size))
    target = solve_triangular(upper, moments / size, trans=1)
    found: Floats = nnls(upper, target, maxiter=30 * len(moments))[0] / size
    return found


def ridge(rows: Floats, target: Floats, mean: Floats, spread: Floats) -> Floats:
    """Coefficients (unknowns) of `rows` (equations x unknowns), whose errors have a standard deviation of 1."""
    precision = spread**-2
    return solved(rows.T @ rows + np.diag(precision), rows.T @ target + precision * mean)


def robust(rows: Floats, target: Floats, mean: Floats, spread: Floats, rounds: int) -> Floats:
    """As `ridge`, and so many rounds more in which large errors count less."""
    found = ridge(rows, target, mean, spread)
    for _ in range(rounds):
        weights = np.sqrt(huber(target - rows @ found))
        found = ridge(rows * weights[:, None], target * weights, mean, spread)
    return found


def huber(errors: Floats) -> Floats:
    """What weight errors (in standard deviations) have."""
    return HUBER / np.maximum(np.abs(errors), HUBER)
