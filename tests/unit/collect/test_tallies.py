"""What a histogram counted, by server: over reused inodes, generations, and servers that nobody knows."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasacct.collect.machine import Server
from nasacct.collect.tallies import KEPT_NS, Tallies
from nasacct.store.frame import Instant


class Clock:
    def __init__(self):
        self.s = 0

    def __call__(self):
        self.s += 1
        return Instant(self.s * 10**9, self.s * 10**9)


@pytest.fixture
def kernel(histograms):
    return histograms()


@pytest.fixture
def tallies(kernel):
    return Tallies(kernel, "t")


@pytest.fixture
def now():
    return Clock()


def server(name, inode):
    return Server(name, f"boot/{name}", about={"netns": inode})


def hits(counts):
    return sum(calls for calls, _ in counts.values())


def test_a_server_has_what_was_called_since_counting_began(kernel, tallies, now):
    """Calls and microseconds by procedure, from zero."""
    a = server("a", 1)
    assert list(tallies.read(now(), [a])) == ["boot/a"]
    kernel.call(1)
    kernel.call(1, "WRITE", 100)
    kernel.call(1, "WRITE", 50)
    moved = tallies.read(now(), [a])
    assert tallies.of(moved["boot/a"]) == {b"READ": (1, 7), b"WRITE": (2, 150)}


def test_only_those_that_moved_are_told(kernel, tallies, now):
    """Whoever was called nothing is not in the answer."""
    both = [server("a", 1), server("b", 2)]
    tallies.read(now(), both)
    kernel.call(2)
    assert list(tallies.read(now(), both)) == ["boot/b"]
    assert not tallies.read(now(), both)


def test_the_next_owner_of_an_inode_begins_at_zero(kernel, tallies, now):
    """What stood there when the server ended is the old one's alone."""
    a, b = server("a", 1), server("b", 1)
    tallies.read(now(), [a])
    for _ in range(5):
        kernel.call(1)
    assert hits(tallies.end("boot/a", now())) == 5
    ended_ns = now.s * 10**9
    kernel.call(1)
    moved = tallies.read(now(), [b])
    assert hits(tallies.of(moved["boot/b"])) == 1
    assert moved["boot/b"].since_ns == ended_ns


def test_an_owner_whose_end_nobody_saw_leaves_nothing_behind(kernel, tallies, now):
    """The new one begins when it is found, the old one's end is not known, and a note says so."""
    a, b = server("a", 1), server("b", 1)
    tallies.read(now(), [a])
    kernel.call(1)
    moved = tallies.read(now(), [a, b])
    assert tallies.of(moved["boot/b"]) == {b"READ": (0, 0)}
    assert "b has the namespace of another server" in tallies.note
    kernel.call(1)
    assert tallies.end("boot/a", now()) is None
    assert hits(tallies.of(tallies.tally("boot/b"))) == 0
    tallies.read(now(), [b])
    assert hits(tallies.of(tallies.tally("boot/b"))) == 1


def test_one_that_lived_between_two_listings_is_not_counted_as_the_next(kernel, tallies, now):
    """An inode that nobody had and that counted nevertheless has another one's counts."""
    a, b = server("a", 1), server("b", 1)
    tallies.read(now(), [a])
    tallies.end("boot/a", now())
    for _ in range(3):
        kernel.call(1)
        tallies.read(now(), [])
    kernel.call(1)
    moved = tallies.read(now(), [b])
    assert hits(tallies.of(moved["boot/b"])) == 0


def test_a_full_generation_is_followed_by_another_one(kernel, tallies, now):
    """Not before five minutes have passed, and nothing is lost or counted twice."""
    a = server("a", 1)
    tallies.read(now(), [a])
    for key in range(720):
        kernel.call(1, f"P{key}")
    tallies.read(now(), [a])
    assert not tallies.full
    now.s += KEPT_NS // 10**9
    tallies.read(now(), [a])
    assert tallies.full
    first = tallies.generation
    assert hits(tallies.renew(now())["boot/a"]) == 720
    assert tallies.generation != first
    assert list(kernel.generations) == [tallies.generation]
    kernel.call(1)
    assert hits(tallies.of(tallies.read(now(), [a])["boot/a"])) == 1


def test_what_did_not_fit_makes_the_counts_unknown(kernel, tallies, now):
    """Nobody knows whose calls were dropped: the old generation's end is unknown, and the new one begins at once."""
    a = server("a", 1)
    tallies.read(now(), [a])
    kernel.drop(3)
    tallies.read(now(), [a])
    assert tallies.full
    assert tallies.renew(now()) == {}
    assert "no room for 3 calls" in tallies.note


def test_a_histogram_that_somebody_removed_is_made_anew(kernel, tallies, now):
    """It is an error once; then another generation counts, from zero."""
    a = server("a", 1)
    tallies.read(now(), [a])
    kernel.call(1)
    first = tallies.generation
    kernel.generations.clear()
    with pytest.raises(FileNotFoundError, match="gone"):
        tallies.read(now(), [a])
    moved = tallies.read(now(), [a])
    assert tallies.generation != first
    assert tallies.of(moved["boot/a"]) == {}


def test_a_server_without_a_known_namespace_has_no_tally(tallies, now):
    """Nothing is counted as its."""
    unknown = Server("a", "boot/a")
    assert tallies.read(now(), [unknown]) == {}
    assert tallies.tally("boot/a") is None


STEPS = st.lists(
    st.tuples(st.sampled_from(["call", "call", "call", "read", "end", "start", "renew"]), st.integers(0, 3)),
    max_size=60,
)


@settings(max_examples=200)
@given(steps=STEPS)
def test_whatever_happens_each_server_has_its_own_calls(histograms, steps):
    """Servers come and go on four inodes, generations change at any moment: every end that is told gives the truth."""
    kernel, now = histograms(), Clock()
    tallies = Tallies(kernel, "t")
    tallies.read(now(), [])
    living, truth, counted, number = {}, Counter(), Counter(), 0
    for what, inode in steps:
        if what == "start" and inode not in living:
            number += 1
            living[inode] = server(f"s{number}", inode)
            tallies.read(now(), list(living.values()))
        elif what == "call" and inode in living:
            kernel.call(inode)
            truth[living[inode].epoch] += 1
        elif what == "read":
            tallies.read(now(), list(living.values()))
        elif what == "end" and inode in living:
            epoch = living.pop(inode).epoch
            counted[epoch] += hits(tallies.end(epoch, now()))
        elif what == "renew":
            counted.update({epoch: hits(counts) for epoch, counts in tallies.renew(now()).items()})
    for epoch in [one.epoch for one in living.values()]:
        counted[epoch] += hits(tallies.end(epoch, now()))
    assert +counted == truth
    assert tallies.note == ""
