"""Claims weigh as much as what was measured is likely under them."""

import numpy as np
import pytest

from nasacct.reports.attribution.claims import weighed
from nasacct.reports.attribution.columns import Columns


def columns(*courses):
    """Each is a claim of its own, half as likely as not."""
    count = len(courses)
    course = np.array(courses, float)[:, None, :]
    full, none = np.ones(count), np.full(count, 0.02)
    return Columns(course, np.zeros(count), full, none, np.arange(count), np.full(count, 0.5), np.eye(count))


def weights(made, target, error=0.05):
    """Of each claim, how likely it is."""
    rows = made.course[:, 0] / error
    held = weighed(made, rows @ rows.T, rows @ (np.array(target, float) / error))
    return sum(each.weight * (each.spread > 0.5) for each in held)


STEP = [0] * 10 + [1] * 10
LATE = [0] * 15 + [1] * 5


def test_the_claim_that_explains_what_was_measured_holds():
    """And the other one does not."""
    first, second = weights(columns(STEP, LATE), STEP)
    assert first > 0.95
    assert second < 0.5


def test_two_that_explain_the_same_share_the_weight():
    """Neither is sure."""
    first, second = weights(columns(STEP, STEP), STEP)
    assert first == pytest.approx(second)
    assert 0.4 < first < 0.9


def test_where_there_is_nothing_to_explain_no_claim_holds():
    """What could explain much explains nothing no better than what cannot."""
    assert weights(columns(STEP, LATE), [0] * 20) == pytest.approx([0, 0], abs=0.5)
