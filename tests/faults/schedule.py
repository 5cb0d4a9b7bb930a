"""Schedules: what happens to the machine, the collector and the store, drawn so that hypothesis can make it smaller."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

#: How many servers the machine has at most.
SERVERS = 3

LOAD = st.integers(0, 9_999)
SLOT = st.integers(0, SERVERS - 1)
#: How an end is noticed, see `truth.Host.stop`.
HOW = st.sampled_from(["told", "told", "half", "mute", "unseen"])
#: Seconds without a cycle.
GAP = st.sampled_from([0.3, 4, 11, 25, 61, 299, 400, 3_700, 15_000])
CLOCK = st.sampled_from([-1.0, 1.0, 0.05, -0.09, -0.4, 75.0, -75.0, 3_600.0, -3_600.0, -7_300.5, 86_400.0, -400_000.0])

STEPS = st.one_of(
    st.tuples(st.just("read"), st.integers(1, 4), LOAD),
    st.tuples(st.just("read"), st.integers(1, 4), LOAD),
    st.tuples(st.just("lose_cycles"), GAP, LOAD),
    st.tuples(st.just("suspend"), GAP),
    st.tuples(st.just("stand_still"), SLOT, GAP, LOAD),
    st.tuples(st.just("kill"), st.integers(0, 9), st.integers(0, 4_000), GAP, LOAD),
    st.tuples(st.just("die_young"), st.integers(0, 5), st.integers(0, 4_000), LOAD),
    st.tuples(st.just("lose_power"), st.integers(0, 5), st.integers(0, 5_000), GAP, LOAD),
    st.tuples(st.just("restart_collector"), GAP, LOAD),
    st.tuples(st.just("restart_server"), SLOT, HOW, GAP, LOAD),
    st.tuples(st.just("restart_server"), SLOT, HOW, GAP, LOAD),
    st.tuples(st.just("overtake"), SLOT, HOW),
    st.tuples(st.just("several_lives"), SLOT, HOW, st.integers(2, 3), LOAD),
    st.tuples(st.just("end_server"), SLOT, HOW),
    st.tuples(st.just("start_server"), SLOT, LOAD),
    st.tuples(st.just("fail"), SLOT, LOAD),
    st.tuples(st.just("unlisted"), SLOT, LOAD),
    st.tuples(st.just("step_clock"), CLOCK),
    st.tuples(st.just("reboot"), GAP, GAP, LOAD),
    st.tuples(st.just("fill_disk"), st.integers(1, 12), LOAD),
    st.tuples(st.just("hang_disk"), st.integers(1, 12), LOAD),
    st.tuples(st.just("fail_sync"), LOAD),
    st.tuples(st.just("rotate")),
    st.tuples(st.just("keep"), st.booleans(), st.booleans()),
    st.tuples(st.just("keep"), st.booleans(), st.booleans()),
    st.tuples(st.just("damage"), st.integers(0, 9), st.integers(0, 9_999), st.booleans()),
    st.tuples(st.just("wreck"), st.integers(0, 9), st.integers(0, 999)),
    st.tuples(st.just("copy_segment"), st.integers(0, 99)),
    st.tuples(st.just("flip_segment"), st.integers(0, 99), st.integers(0, 99_999)),
    st.tuples(st.just("two_keepers"), st.booleans()),
    st.tuples(st.just("ask")),
)


@dataclass(frozen=True)
class Schedule:
    """One schedule: the machine as it is found, and what happens then."""

    host_wide: bool
    servers: int
    history: int
    seconds: int
    minutes: int
    steps: list[tuple]


SCHEDULES = st.builds(
    Schedule,
    host_wide=st.sampled_from([False, False, False, True]),
    servers=st.integers(0, SERVERS),
    history=st.sampled_from([0, 1_000, 4_294_900_000, 1 << 40, 1 << 62]),
    seconds=st.integers(0, 5_000),
    minutes=st.sampled_from([1, 15]),
    steps=st.lists(STEPS, min_size=6, max_size=30),
)
