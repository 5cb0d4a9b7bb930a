"""Pace: windows are as long as there is activity, longer when they cost too much; what stays too dear is given up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasacct.collect.pace import IDLE, LONGEST_NS, PERIOD_NS, SECOND_NS, Pace

SHARE = 0.01


def pace(chance=lambda: 0.5, interval_ns=SECOND_NS):
    return Pace(interval_ns, SHARE, chance, 0, 0)


@given(chance=st.floats(0, 1, exclude_max=True), begin=st.integers(0, 1 << 60), active=st.booleans())
def test_a_window_is_sampled_within_itself(chance, begin, active):
    """At the moment that chance chooses; where nothing happens it is ten times as long."""
    window = pace(lambda: chance).window(begin, active=active)
    assert window.begin_ns <= window.at_ns < window.end_ns
    assert window.length_ns == (SECOND_NS if active else IDLE * SECOND_NS)


def test_moments_are_spread_over_the_window():
    """A disk that completes at a steady rate would be seen wrong by a steady one."""
    chances = iter([0.0, 0.25, 0.999])
    made = pace(lambda: next(chances))
    at = [made.window(0, active=True).at_ns / SECOND_NS for _ in range(3)]
    assert at == [0, 0.25, 0.999]


def test_within_the_budget_nothing_changes():
    """Not even when nine tenths of it are used, which is what it aims at."""
    made = pace()
    for n in range(1, 50):
        made.spent(n * PERIOD_NS, int(n * PERIOD_NS * SHARE * 0.9))
    assert (made.stretch, made.given_up) == (1.0, False)


def test_what_costs_too_much_becomes_rarer_and_recovers():
    """Windows become longer as much as the cost was over the budget; later they shorten again."""
    made = pace()
    made.spent(PERIOD_NS, int(3 * SHARE * PERIOD_NS))
    assert made.stretch == pytest.approx(3 / 0.9)
    assert made.window(0, active=True).length_ns == pytest.approx(3 / 0.9 * SECOND_NS, abs=10)
    cpu = int(3 * SHARE * PERIOD_NS)
    for n in range(2, 9):
        made.spent(n * PERIOD_NS, cpu)
    assert made.stretch == 1


def test_the_cost_follows_the_pace_into_the_budget():
    """If each sample costs the same, the thread takes its part of the CPU and no more, a period or two later."""
    made, now, cpu = pace(), 0, 0
    used = []
    for _ in range(10):
        before = cpu
        while now < (len(used) + 1) * PERIOD_NS:
            # eight times as much as may be
            now, cpu = now + int(SECOND_NS * made.stretch / 100), cpu + int(8 * SHARE * SECOND_NS / 100)
        made.spent(now, cpu)
        used.append((cpu - before) / PERIOD_NS / SHARE)
    assert used[0] == pytest.approx(8, rel=0.05)
    assert all(0.5 < part <= 1 for part in used[3:])
    assert not made.given_up


def test_what_does_not_become_cheaper_is_given_up_after_a_minute():
    """A few dear periods are forgiven."""
    made, cpu = pace(), 0
    for n in range(1, 6):
        cpu += int(5 * SHARE * PERIOD_NS)
        made.spent(n * PERIOD_NS, cpu)
    assert not made.given_up
    made.spent(6 * PERIOD_NS, cpu)
    for n in range(7, 13):
        assert not made.given_up
        cpu += int(5 * SHARE * PERIOD_NS)
        made.spent(n * PERIOD_NS, cpu)
    assert made.given_up


def test_no_window_is_longer_than_a_minute():
    """However slow the pace is."""
    made = pace()
    for n in range(1, 6):
        made.spent(n * PERIOD_NS, n * PERIOD_NS)
    assert made.stretch == 100
    assert made.window(0, active=False).length_ns == LONGEST_NS
