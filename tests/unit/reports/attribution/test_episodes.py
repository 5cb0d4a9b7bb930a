"""Episodes among samples that are saturated, calm or missing."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasacct.reports.attribution import episodes
from nasacct.reports.attribution.thresholds import Thresholds

LIMITS = Thresholds()


def spans(text):
    """Episodes of samples written as `#` saturated, `.` calm, `?` missing."""
    samples = np.array(list(text))
    return [(each.first, each.end) for each in episodes.found(samples == "#", samples != "?")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("..........", []),
        ("..##..........", []),  # two of four are not three
        ("..#.##.###.......", [(2, 10)]),  # begins with the first of three in four
        ("..###.......", []),  # half a minute
        ("..######.....", [(2, 8)]),
        ("..######.....#####", [(2, 18)]),  # five calm samples do not end it
        ("..######......######.", [(2, 20)]),  # six do, and one minute apart is one
        ("..######.......######.", [(2, 8), (15, 21)]),  # seven are two
        ("..###??###......", [(2, 10)]),  # what is missing neither begins
        ("..######???????.#####", [(2, 21)]),  # nor ends one
        ("..######" + 61 * "?" + "######", [(2, 8), (69, 75)]),  # unless it is missing for ten minutes
    ],
)
def test_an_episode_begins_and_ends(text, expected):
    """As `episodes` says."""
    assert spans(text) == expected


def test_an_episode_during_which_nothing_was_read_for_long_is_truncated():
    """And one that ended by itself is not."""
    samples = np.array(list("..######" + 61 * "?" + "######......."))
    first, second = episodes.found(samples == "#", samples != "?")
    assert first.truncated
    assert not second.truncated
    assert first.minor(LIMITS)


def test_what_is_near_an_episode_is_not_quiet():
    """Nor what is missing."""
    present = np.ones(40, bool)
    present[3] = False
    quiet = episodes.quiet([episodes.Episode(20, 26)], present)
    assert np.flatnonzero(~quiet).tolist() == [3, *range(14, 32)]


@given(st.text("#.?", max_size=200))
def test_episodes_are_in_order_apart_and_begin_and_end_saturated(text):
    """Whatever the samples are."""
    found = spans(text)
    for first, end in found:
        assert text[first] == text[end - 1] == "#"
        assert end - first >= LIMITS.least_s // 10
    for (_, end), (first, _) in pairwise(found):
        assert first > end
