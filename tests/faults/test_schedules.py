"""Whatever happens: the truth lies within what is stated, to the byte."""

from __future__ import annotations

import pytest
from faults.play import play
from faults.schedule import SCHEDULES, Schedule
from faults.tally import TALLY
from hypothesis import HealthCheck, example, given, settings

#: A file rots after the file before it, which had rotted too, was bridged up to its head.
ROT_AFTER_ROT = [
    ("fill_disk", 1, 0),
    ("two_keepers", False),
    ("hang_disk", 1, 728),
    ("wreck", 0, 0),
    ("keep", False, False),
    ("reboot", 0.3, 0.3, 0),
    ("wreck", 0, 0),
]
#: A file rots which repeats frames of the file before it, which was kept.
ROT_OF_REPEATED = [
    ("start_server", 0, 500),
    ("read", 2, 700),
    ("fail_sync", 800),
    ("keep", False, False),
    ("read", 1, 900),
    ("rotate",),
    ("read", 1, 950),
    ("wreck", 0, 0),
]
#: Of a file that was bridged and put aside; the one before it is made once more.
ROT_BEHIND_DAMAGE = [
    ("fill_disk", 1, 0),
    ("rotate",),
    ("keep", False, False),
    ("read", 2, 0),
    ("damage", 0, 0, False),
    ("read", 1, 0),
    ("flip_segment", 0, 0),
]
#: A file loses frames that only the one before it holds, which could not sync them.
LOSS_OF_REPEATED = [
    ("read", 2, 0),
    ("restart_server", 0, "told", 0.3, 0),
    ("fail_sync", 0),
    ("read", 1, 0),
    ("lose_power", 2, 0, 0.3, 0),
]
#: The same in suspend, which CLOCK_MONOTONIC knows nothing of.
LATE_SUSPENDED = [
    ("several_lives", 0, "told", 2, 0),
    ("suspend", 299),
    ("restart_server", 1, "told", 0.3, 0),
]
#: The first server of a young machine, whose counters cannot have a long history.
FIRST_SERVER = [("read", 1, 0)] * 5 + [("overtake", 0, "told")]
#: Three servers move more than one link carries, in a kernel that counts them together, and nobody reads it again.
MORE_THAN_A_LINK = [("lose_cycles", 299, 100), ("lose_power", 0, 0, 0.3, 0)]
#: A server comes while the collector is stopped between listing the servers and reading them.
STOPPED_WITH_A_LISTING = [("read", 2, 0), ("stand_still", 0, 299, 100), ("read", 2, 100)]
#: The only run that read a host-wide kernel's first server was killed before that was written down.
FIRST_READING_LOST = [*[("read", 1, 0)] * 3, ("read", 3, 0), ("overtake", 1, "told"), ("kill", 0, 6, 15_000, 14)]
#: A file is bridged and put aside long after the one before it was kept, readings of which rot then.
ROT_BEFORE_A_BRIDGE = [
    ("hang_disk", 12, 357),
    ("keep", False, False),
    *[("read", 1, 0)] * 2,
    ("read", 2, 0),
    ("read", 3, 0),
    ("read", 1, 384),
    ("hang_disk", 2, 109),
    ("damage", 0, 4492, False),
    ("read", 4, 336),
    ("read", 3, 551),
    ("keep", False, False),
    ("die_young", 3, 900, 9998),
    *[("flip_segment", 54, 1249)] * 2,
]
#: A server's end is told after minutes without a cycle, in which another one came that nobody heard of.
LATE_END = [
    ("several_lives", 0, "told", 2, 0),
    ("lose_cycles", 299, 0),
    ("restart_server", 1, "told", 0.3, 0),
]


@pytest.fixture(autouse=True)
def _tally(record_property):
    """What the schedules came to is told."""
    TALLY.clear()
    yield
    record_property("told", "\n".join(TALLY.lines()))


@settings(max_examples=70, deadline=None, suppress_health_check=list(HealthCheck))
@given(schedule=SCHEDULES)
@example(schedule=Schedule(host_wide=False, servers=0, history=0, seconds=1, minutes=1, steps=ROT_AFTER_ROT))
@example(schedule=Schedule(host_wide=False, servers=2, history=1000, seconds=1, minutes=15, steps=ROT_OF_REPEATED))
@example(schedule=Schedule(host_wide=False, servers=0, history=0, seconds=1253, minutes=1, steps=ROT_BEHIND_DAMAGE))
@example(schedule=Schedule(host_wide=False, servers=0, history=0, seconds=0, minutes=1, steps=LOSS_OF_REPEATED))
@example(schedule=Schedule(host_wide=False, servers=3, history=0, seconds=0, minutes=1, steps=LATE_END))
@example(schedule=Schedule(host_wide=True, servers=0, history=1 << 40, seconds=0, minutes=1, steps=FIRST_SERVER))
@example(schedule=Schedule(host_wide=False, servers=3, history=0, seconds=0, minutes=1, steps=LATE_SUSPENDED))
@example(schedule=Schedule(host_wide=True, servers=3, history=0, seconds=0, minutes=1, steps=MORE_THAN_A_LINK))
@example(schedule=Schedule(host_wide=False, servers=2, history=0, seconds=0, minutes=1, steps=STOPPED_WITH_A_LISTING))
@example(schedule=Schedule(host_wide=True, servers=0, history=0, seconds=0, minutes=1, steps=FIRST_READING_LOST))
@example(schedule=Schedule(host_wide=False, servers=1, history=0, seconds=0, minutes=1, steps=ROT_BEFORE_A_BRIDGE))
def test_the_truth_lies_within_what_is_stated(schedule):
    """At every level, whatever is lost, killed, restarted, stepped, merged and deleted."""
    play(schedule)
