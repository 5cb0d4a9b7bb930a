"""Columns and disk time as independent errors."""

from types import SimpleNamespace

import numpy as np
import pytest

from nasacct.reports.attribution.columns import Window
from nasacct.reports.attribution.errors import whitened
from nasacct.reports.attribution.requests import KINDS

SAMPLES = 120
COSTS = SimpleNamespace(jitter=np.full(4, 0.1), kernel=np.full(3, 1 / 3), own=np.ones((1, len(KINDS))))


def window(samples, work):
    kinds = np.zeros((1, len(KINDS), len(samples)))
    return Window(np.asarray(samples), np.ones(len(samples), bool), work, kinds, kinds, None)


def test_what_fits_before_fits_after():
    """Whitening is linear: columns that explain the disk time still do."""
    random = np.random.default_rng(1)
    course = random.uniform(0, 0.2, (3, 4, SAMPLES))
    truth = np.array([1.0, 0.5, 2.0])
    rows, target = whitened(window(range(SAMPLES), np.einsum("k,kct->ct", truth, course)), course, COSTS)
    assert truth @ rows == pytest.approx(target)
    assert rows.shape == (3, 4 * SAMPLES)


def test_what_lasts_is_less_evidence_than_what_comes_and_goes():
    """A level against a course of the same size that changes."""
    level, changing = np.zeros((2, 4, SAMPLES))
    level[0] = 0.1
    changing[0] = 0.1 * (-1.0) ** np.arange(SAMPLES)
    rows, _ = whitened(window(range(SAMPLES), np.full((4, SAMPLES), 0.3)), np.stack([level, changing]), COSTS)
    assert (rows[0] ** 2).sum() < (rows[1] ** 2).sum() / 3


def test_samples_further_apart_are_more_evidence():
    """Of a level, as many samples with gaps between them say more than in a row."""
    course = np.full((1, 4, SAMPLES), 0.1)
    work = np.full((4, SAMPLES), 0.3)
    near, far = (whitened(window(np.arange(SAMPLES) * apart, work), course, COSTS)[0] for apart in (1, 5))
    assert (far**2).sum() > 1.5 * (near**2).sum()
