"""When nothing is left: of histories whose future is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasacct.reports.trend import HORIZON_DAYS, LEAST_DAYS, until_nothing

#: How many histories there are of each kind, and for how long their future is made up.
TRIES, FUTURE = 400, 4000


def line(random, days):
    """As much each day, read with errors."""
    return 1000 - random.uniform(2, 10) * np.arange(days) + random.normal(0, 20, days)


def walk(random, days):
    """What each day takes is independent of the others."""
    return 1000 - np.cumsum(random.normal(random.uniform(1, 8), random.uniform(2, 20), days))


def habits(random, days):
    """What a day takes is half of what the day before took off the mean."""
    off, noise = np.zeros(days), random.normal(0, 8, days)
    for day in range(1, days):
        off[day] = off[day - 1] / 2 + noise[day]
    return 1000 - np.cumsum(off + random.uniform(2, 6))


def weekly(random, days):
    """A backup each week."""
    at, takes = random.integers(7), random.uniform(2, 6)
    return 1500 - np.cumsum(np.where((np.arange(days) + at) % 7 == 0, 7 * takes, 0) + random.normal(0, 3, days))


def seldom(random, days):
    """Nothing for a week, and then much."""
    return 2000 - np.cumsum(random.poisson(0.15, days) * random.exponential(40, days))


@pytest.mark.parametrize(
    ("make", "days", "least"),
    [
        (line, 30, 0.9),
        (walk, 30, 0.84),
        (walk, 90, 0.85),
        (habits, 30, 0.78),
        (habits, 90, 0.83),
        (weekly, 60, 0.85),
        (seldom, 60, 0.78),
    ],
)
def test_nine_in_ten_days_lie_between_low_and_high(make, days, least, record_property):
    """Or as many as the docstring admits; of what ends beyond the horizon, none is to be foreseen."""
    random = np.random.default_rng(days)
    inside = tries = 0
    while tries < TRIES:
        left = make(random, days + FUTURE)
        if left[days - 1] <= 0:
            continue
        tries += 1
        ends = np.flatnonzero(left[days - 1 :] <= 0)
        day = ends[0] if len(ends) else np.inf
        found = until_nothing(range(days), left[:days].tolist(), float(left[days - 1]))
        low, high = (np.inf if each is None else each for each in (found.low, found.high))
        # a walk that is looked at once a day is seen to have come to zero within a day
        inside += low - 1 <= day <= high + 1
    record_property("told", f"days foreseen of {make.__name__}, {days} days known: {inside / tries:.3f} within 90 %")
    assert inside / tries >= least


def test_what_goes_evenly_is_foreseen_to_the_day():
    """Without any spread there is one answer."""
    found = until_nothing(range(30), [1000 - 10 * day for day in range(30)], 710)
    assert [round(each, 6) for each in found] == [71, 71, 71]


@pytest.mark.parametrize("left", [[500.0] * 30, [500.0 + day for day in range(30)]])
def test_what_does_not_shrink_is_never_full(left):
    """Nothing is foreseen within the horizon."""
    assert until_nothing(range(30), left, left[-1]) == (None, None, None)


def test_what_is_full_is_full():
    """Now."""
    assert until_nothing(range(30), [10.0] * 30, 0) == (0, 0, 0)


def test_of_few_days_nothing_is_said():
    """However plain they look."""
    assert until_nothing(range(LEAST_DAYS - 1), [100.0 - day for day in range(LEAST_DAYS - 1)], 50) is None


def test_days_that_are_not_known_are_no_days_without_growth():
    """Half of the days tell the same as all."""
    known = [day for day in range(60) if not 20 <= day < 50]
    assert until_nothing(known, [1000 - 10.0 * day for day in known], 410).likely == pytest.approx(41)


@given(
    left=st.lists(st.floats(0, 1e15), min_size=LEAST_DAYS, max_size=40),
    now=st.floats(1, 1e15),
)
def test_whatever_was_left_the_three_are_in_order(left, now):
    """And within the horizon, or none."""
    found = until_nothing(range(len(left)), left, now)
    ends = [HORIZON_DAYS + 1 if each is None else each for each in found]
    assert ends == sorted(ends)
    assert all(0 <= end <= HORIZON_DAYS + 1 for end in ends)
    assert found == until_nothing(range(len(left)), left, now)
