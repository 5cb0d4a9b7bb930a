"""Whatever happens: the truth lies within what is stated, to the byte."""

from __future__ import annotations

from faults.play import play
from faults.schedule import SCHEDULES
from hypothesis import HealthCheck, given, settings


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(schedule=SCHEDULES)
def test_the_truth_lies_within_what_is_stated(schedule):
    """At every level, whatever is lost, killed, restarted, stepped, merged and deleted."""
    play(schedule)
