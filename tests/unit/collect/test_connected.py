"""Who has connections to one server: every byte of every connection is its client's, whenever it came and went."""

from collections import Counter

import pytest
from crowd import Nas, Run, connection


@pytest.fixture
def run():
    """One server that nobody uses, after the first cycle."""
    nas = Nas()
    nas.start("a")
    made = Run(nas)
    made.cycle()
    return made


def test_a_connection_that_comes_counts_from_its_beginning(run):
    """Found by the next list, with what it moved before."""
    cookie = run.nas.connect("a", "10.0.0.1")
    run.nas.move("a", cookie, 1000, 50)
    for _ in range(3):
        run.cycle()
        assert run.exact()
        run.nas.move("a", cookie, 10, 1)


def test_one_that_was_there_before_the_first_cycle_is_a_baseline():
    """A source switched on today adds no years of history."""
    nas = Nas()
    nas.start("a")
    cookie = nas.connect("a", "10.0.0.1")
    nas.move("a", cookie, 10**12, 10**9)
    nas.truth.clear()
    made = Run(nas)
    made.cycle()
    nas.move("a", cookie, 77, 7)
    made.cycle()
    assert made.exact()


def test_what_came_and_went_unseen_is_its_clients(run):
    """Each end says what it moved; all of one client's are one subject."""
    run.cycle()
    for i in range(50):
        cookie = run.nas.connect("a", f"10.0.0.{i % 2}")
        run.nas.move("a", cookie, 1000 + i, i)
        run.nas.disconnect("a", cookie)
        if i % 20 == 0:
            run.cycle()
    run.cycle()
    assert run.exact()
    assert len({s.sid for frame in run.frames for s in frame.births if s.keys["client"]}) == 2


def test_ends_that_may_be_of_before_are_nobodys(run):
    """What is told before the second look at a server may have been counted by the run before."""
    nas = Nas()
    nas.start("a")
    cookie = nas.connect("a", "10.0.0.1")
    nas.move("a", cookie, 5000, 5)
    made = Run(nas)
    made.cycle()
    nas.open["a"].tell(connection(999, "10.0.0.1", 10**9, 0))
    made.cycle()
    made.cycle()
    assert all(certain < 10**6 for certain, _ in made.usage().values())


def test_of_a_server_that_is_new_every_end_counts(run):
    """Nothing can have been there before it was: also what came and went before it was looked at twice."""
    run.nas.start("b")
    run.cycle()
    short = run.nas.connect("b", "10.0.0.1")
    run.nas.move("b", short, 700, 7)
    run.nas.disconnect("b", short)
    run.cycle()
    run.cycle()
    assert run.exact()


def test_a_server_whose_link_stands_still_is_not_asked(run):
    """And its connections are unchanged, which is not the same as not read."""
    cookie = run.nas.connect("a", "10.0.0.1")
    run.nas.move("a", cookie, 10, 10)
    run.cycle(60)
    run.nas.asked.clear()
    run.cycle()
    run.cycle(60)
    assert run.nas.asked == Counter()
    assert (run.last.complete, len(run.last.listed), run.last.failed, run.last.rows) == (True, 1, {}, {})


def test_as_long_as_nobody_comes_only_known_ones_are_asked(run):
    """A full list walks the kernel's whole table; who comes is in the next one, however soon."""
    cookie = run.nas.connect("a", "10.0.0.1")
    run.cycle(60)
    run.nas.asked.clear()
    for _ in range(5):
        run.nas.move("a", cookie, 10, 10)
        run.cycle()
    assert run.nas.asked == Counter(again=5, opens=5)
    assert run.last.complete
    run.nas.move("a", run.nas.connect("a", "10.0.0.2"), 7, 7)
    run.cycle()
    assert run.nas.asked["all"] == 1
    assert run.exact()


def test_an_end_without_a_word_is_bounded(run):
    """When the kernel had no room for it: what it moved last is unknown, and the link bounds it."""
    cookie = run.nas.connect("a", "10.0.0.1")
    run.nas.move("a", cookie, 1000, 10)
    run.cycle(60)
    run.nas.move("a", cookie, 500, 5)
    run.nas.disconnect("a", cookie, unheard=True)
    run.nas.open["a"].lose()
    run.cycle()
    assert "ends of connections were lost" in run.last.note
    for _ in range(3):
        run.nas.links_moved["a"] += 1
        run.cycle(60)
    certain, possible = run.usage()["a", "10.0.0.1", "received_bytes"]
    assert certain == 1000
    assert possible >= 1500


def test_a_late_word_of_one_that_was_given_up_counts_nothing_twice(run):
    """The end was bounded already."""
    cookie = run.nas.connect("a", "10.0.0.1")
    run.nas.move("a", cookie, 1000, 10)
    run.cycle(60)
    run.nas.disconnect("a", cookie, unheard=True)
    for _ in range(3):
        run.nas.links_moved["a"] += 1
        run.cycle(60)
    run.nas.open["a"].tell(connection(cookie, "10.0.0.1", 1000, 10))
    run.cycle()
    assert run.usage()["a", "10.0.0.1", "received_bytes"][0] == 1000


@pytest.mark.parametrize("told", ["lost", "torn"])
def test_where_ends_were_lost_anybody_may_have_come_and_gone(run, told):
    """Since all were heard last: of no client, nothing certain, and no more than the link carries."""
    run.cycle()
    run.cycle()
    if told == "lost":
        run.nas.open["a"].lose()
    else:
        run.nas.open["a"].tell(connection(99, "10.0.0.1", 0, 0))
        run.nas.open["a"].broken = OSError(90, "cut short")
        run.cycle()
        run.nas.open["a"].broken = None
    run.cycle()
    run.cycle()
    assert run.doubts() == {("a", 0, 10), ("a", 20, 30 if told == "lost" else 40)}
    assert [frame.batches[0].note for frame in run.frames if frame.batches[0].note][-1:] == [
        "a: ends of connections were lost"
    ]
