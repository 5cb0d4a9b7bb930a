"""Least squares with priors whose coefficients are not negative."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasacct.reports.attribution.regression import ridge, robust, solved


def problem(seed, unknowns=5, equations=200):
    random = np.random.default_rng(seed)
    rows = random.uniform(0, 1, (equations, unknowns))
    truth = random.uniform(0, 2, unknowns)
    return rows, truth, rows @ truth + random.normal(0, 0.01, equations)


def test_what_was_put_in_is_found():
    """If the priors say little."""
    rows, truth, target = problem(1)
    found = ridge(rows / 0.01, target / 0.01, np.ones(5), np.full(5, 10.0))
    assert found == pytest.approx(truth, abs=0.02)


def test_without_evidence_the_prior_stays():
    """And a negative one becomes 0."""
    nothing = np.zeros((1, 2))
    assert ridge(nothing, np.zeros(1), np.array([3.0, -1.0]), np.ones(2)) == pytest.approx([3, 0])


def test_few_wild_samples_move_nothing_when_they_count_linearly():
    """One in twenty is off by a hundred standard deviations."""
    rows, truth, target = problem(2)
    target[::20] += 1
    prior = np.ones(5), np.full(5, 10.0)
    once, often = (robust(rows / 0.01, target / 0.01, *prior, rounds) for rounds in (0, 3))
    assert np.abs(often - truth).max() < np.abs(once - truth).max() / 2


@given(st.integers(0, 1000), st.floats(1e-6, 1e6))
def test_units_change_nothing(seed, scale):
    """An unknown in other units has a coefficient in other units."""
    rows, _, target = problem(seed, 3, 20)
    gram, moments = rows.T @ rows, rows.T @ (target - 0.5)
    unit = np.array([scale, 1, 1])
    here, there = solved(gram, moments), solved(gram * np.outer(unit, unit), moments * unit)
    assert there * unit == pytest.approx(here, abs=1e-6)
