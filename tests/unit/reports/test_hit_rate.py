"""How often verdicts were right."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from nasacct.reports.hit_rate import hit_rates, wilson
from nasacct.store.judgements import Judged, Judgement


def judgement(right, verdict=None, confidence=None, holds=True):
    judged = None if verdict is None else Judged(verdict, (), confidence)
    said = "confirmed" if right else "rejected"
    return Judgement("2a4f09c1", "tank@1", said, None, datetime(2026, 11, 27, tzinfo=UTC), None, judged, holds)


@given(judged=st.integers(1, 300), data=st.data())
def test_the_interval_ends_where_the_share_is_just_as_unlikely_as_that(judged, data):
    """By the definition: the shares of which what was seen is 1.645 standard errors away."""
    confirmed = data.draw(st.integers(0, judged))
    share = confirmed / judged

    def off(truth):
        return (share - truth) ** 2 - 1.6448536269514722**2 * truth * (1 - truth) / judged

    low, high = wilson(confirmed, judged)
    assert low == pytest.approx(brentq(off, 0, share - 1e-12) if confirmed > 0 else 0, abs=1e-9)
    assert high == pytest.approx(brentq(off, share + 1e-12, 1) if confirmed < judged else 1, abs=1e-9)


def test_verdicts_are_told_apart_by_kind_and_confidence():
    """The surest first, what is not known last; what was replaced counts nowhere."""
    rates = hit_rates(
        [
            judgement(True, "members", 0.8),
            judgement(False, "members", 0.79),
            judgement(True, "members", 0.5),
            judgement(True, "local", 0.97),
            judgement(False, "diffuse"),
            judgement(True, "members", 0.4),
            judgement(True),
            judgement(False, "members", 0.99, holds=False),
        ]
    )
    assert [(r.of, r.which, r.judged, r.confirmed) for r in rates] == [
        ("all", "all", 7, 5),
        ("verdict", "diffuse", 1, 0),
        ("verdict", "local", 1, 1),
        ("verdict", "members", 4, 3),
        ("verdict", "unknown", 1, 1),
        ("confidence", ">= 0.8", 2, 2),
        ("confidence", "0.5 .. 0.8", 2, 1),
        ("confidence", "< 0.5", 1, 1),
        ("confidence", "nobody accused", 1, 0),
        ("confidence", "unknown", 1, 1),
    ]


def test_of_nothing_nothing_is_claimed():
    """The interval is all there is."""
    (rate,) = hit_rates([])
    assert (rate.judged, rate.rate, rate.rate_lo, rate.rate_hi) == (0, None, 0, 1)
