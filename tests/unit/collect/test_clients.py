"""The source `clients`: all servers side by side, as they come and end."""

import pytest
from crowd import SECOND, Nas, Run
from hypothesis import given, settings
from hypothesis import strategies as st

from nasacct.collect import clients
from nasacct.store.standing import Standing


@pytest.fixture
def run():
    """One server that nobody uses, after the first cycle."""
    nas = Nas()
    nas.start("a")
    made = Run(nas)
    made.cycle()
    return made


def test_a_cycle_makes_no_more_lists_than_it_has_time_for(monkeypatch):
    """Those are listed first that have waited longest; no byte is missed, and all are known once each was listed."""
    monkeypatch.setattr(clients, "LISTS_NS", 0)
    nas = Nas()
    names = [f"server {n}" for n in range(5)]
    for name in names:
        nas.start(name)
    made = Run(nas)
    for n in range(5):
        made.cycle()
        assert nas.asked["all"] == n + 1
        assert made.last.complete == (n == 4)
    for name in names:
        cookie = nas.connect(name, "10.0.0.1")
        nas.move(name, cookie, 1000, 10)
    for n in range(6):
        nas.asked.clear()
        made.cycle()
        assert nas.asked["all"] == (n < 5)
        assert made.last.complete
    assert made.exact()
    # a look at all that is known would be too old to say who is not there
    for name in names:
        nas.connect(name, "10.0.0.2")
    made.cycle(301)
    assert not made.last.complete


def test_the_last_bytes_of_a_server_are_read_when_it_ends(run):
    """Of listed connections, of new ones, and of those that were never listed; then its namespace is let go."""
    first = run.nas.connect("a", "10.0.0.1")
    run.cycle(60)
    run.cycle()
    run.nas.move("a", first, 123, 4)
    run.nas.move("a", run.nas.connect("a", "10.0.0.2"), 5, 6)
    short = run.nas.connect("a", "10.0.0.3")
    run.nas.move("a", short, 7, 8)
    run.nas.disconnect("a", short)
    run.stop("a")
    assert run.exact()
    assert run.nas.open["a"].closed
    run.nas.start("a")
    run.cycle()
    assert run.exact()


def test_a_server_that_vanishes_untold_is_not_kept_alive(run):
    """Its connections end without last bytes."""
    run.nas.servers.clear()
    run.cycle()
    assert run.nas.open["a"].closed


def test_a_server_that_cannot_be_asked_is_told_and_others_go_on(run):
    """It keeps the listing from being complete."""
    run.nas.start("b")
    run.nas.dumb = {"b"}
    cookie = run.nas.connect("a", "10.0.0.1")
    run.nas.move("a", cookie, 10, 10)
    run.cycle(60)
    assert run.last.note == "b: not allowed"
    assert not run.last.complete
    run.nas.dumb.clear()
    run.nas.move("b", run.nas.connect("b", "10.0.0.9"), 3, 3)
    run.cycle(60)
    assert {key: certain for key, (certain, _) in run.usage().items()} == run.nas.truth


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("connect"), st.sampled_from("ab"), st.integers(1, 3)),
        st.tuples(st.just("move"), st.integers(0, 9), st.integers(1, 10_000)),
        st.tuples(st.just("disconnect"), st.integers(0, 9)),
        st.tuples(st.just("cycle"), st.sampled_from([10, 10, 10, 60])),
        st.tuples(st.just("restart"), st.sampled_from("ab")),
    ),
    max_size=40,
)


@settings(deadline=None)
@given(steps=STEPS)
def test_all_bytes_are_told_whatever_happens(steps):
    """Servers are told to end, ends of connections too: then all is exact at the end of all servers.

    Nothing is in doubt but who was there before the first run, and went before it heard of ends.
    """
    nas = Nas()
    for name in "ab":
        nas.start(name)
    made = Run(nas)
    made.cycle()
    made.cycle()
    for step in steps:
        match step:
            case "connect", name, client:
                nas.connect(name, f"10.0.0.{client}")
            case "move", which, size:
                if nas.live:
                    nas.move(*list(nas.live)[which % len(nas.live)], size, size // 3)
            case "disconnect", which:
                if nas.live:
                    nas.disconnect(*list(nas.live)[which % len(nas.live)])
            case "cycle", seconds:
                made.cycle(seconds)
            case "restart", name:
                made.stop(name)
                nas.start(name)
                # what moves before anybody looks at the new one twice is not what is asked here
                made.cycle()
                made.cycle()
    for name in list(nas.servers):
        made.stop(name)
    made.cycle()
    assert made.exact()
    assert made.doubts() == {("a", 0, 10), ("b", 0, 10)}


def test_whoever_came_and_went_between_two_runs_is_in_doubt(run):
    """From the last cycle of the one to the second cycle of the other."""
    run.cycle()
    standing = Standing(boot_id="boot")
    for frame in run.frames:
        standing.apply(frame)
    run.nas.ns += 600 * SECOND
    later = Run(run.nas, standing)
    for _ in range(3):
        later.cycle()
    # seconds are of after the later run's first cycle
    assert later.doubts() == {("a", -612, 10)}


def test_a_new_server_is_doubted_only_where_somebody_escaped(run):
    """It has accepted as many connections as are known, or somebody came before he could be heard to go."""
    run.cycle()
    for name, gone in (("b", False), ("c", True)):
        run.nas.start(name)
        run.nas.connect(name, "10.0.0.1")
        cookie = run.nas.connect(name, "10.0.0.2")
        if gone:
            run.nas.disconnect(name, cookie)
    run.cycle()
    run.cycle()
    assert run.doubts() == {("a", 0, 10), ("c", 10, 20)}


def test_who_comes_to_a_new_server_is_heard_from_the_moment_it_is_known(run):
    """Not only from the next cycle on."""
    run.cycle()
    run.nas.start("b")
    run.source.meet(run.nas, run.listing())
    cookie = run.nas.connect("b", "10.0.0.1")
    run.nas.move("b", cookie, 70, 7)
    run.nas.disconnect("b", cookie)
    run.cycle()
    run.cycle()
    assert run.exact()
    assert run.doubts() == {("a", 0, 10)}


def test_of_a_server_that_ends_unread_the_last_is_in_doubt(run):
    """Who came since the last list, when none could be made, or when the end was not told."""
    run.nas.start("b")
    run.cycle()
    run.cycle()
    run.nas.open["a"].broken = OSError(105, "no room")
    run.nas.ns += 5 * SECOND
    run.stop("a")
    del run.nas.servers["b"]
    run.cycle()
    assert run.doubts() == {("a", 0, 10), ("a", 20, 25), ("b", 20, 35)}
