"""The sources `inside` and `latency`: calls and time of each server's nfsd, from its birth on."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journals import usage_of

from nasacct.collect import tallies
from nasacct.collect.inside import BY_PROCEDURE, BY_TIME, Inside, buckets, procedures
from nasacct.collect.machine import Listing, Server
from nasacct.collect.sampler import Sampler
from nasacct.store.frame import Instant
from nasacct.store.ledger import Terms
from nasacct.store.schema import BUCKETS, INSIDE, PROCEDURES
from nasacct.store.standing import Standing

SECOND = 1_000_000_000


class Run:
    """The source under a real sampler; its frames become usage as the keeper makes it."""

    node, boot_id, kernel = "n", "boot", ""

    def __init__(self, counting, kind=BY_PROCEDURE):
        self.ns, self.counting, self.kind = 1_796_040_000 * SECOND, counting, kind
        self.servers, self.frames = {}, []
        self.sampler = Sampler(self, Standing(), self._build)
        self.begun = self.now()

    def _build(self, admit):
        self.source = Inside(admit, self.kind, self.counting)
        return [self.source]

    def now(self):
        return Instant(self.ns, self.ns - 1_796_000_000 * SECOND)

    def start(self, name, inode):
        self.servers[name] = Server(name, f"boot/{name}.{self.ns}", about={"netns": inode})

    def stop(self, name):
        self._take(self.sampler.finals([self.source.final(self, self.servers.pop(name))]))

    def cycle(self, seconds=10):
        self.ns += seconds * SECOND
        self._take(self.sampler.finals([self.source.ends(self)]))
        self._take(self.sampler.cycle(Listing(tuple(self.servers.values()))))

    def rows(self):
        """The usage of every server, in the order of its epochs and of time."""
        return usage_of(self.kind.stream, self.frames, self.begun, Terms(10 * SECOND))

    def usage(self, measure="calls"):
        """By server, the sum of a measure; None where a part of it is unknown."""
        found = {}
        for row in self.rows():
            sofar = found.get(row["server"], 0)
            found[row["server"]] = None if sofar is None or row[measure] is None else sofar + row[measure]
        return found

    @property
    def last(self):
        return self.frames[-1].batches[-1]

    def _take(self, frame):
        if frame is not None:
            self.frames.append(frame)


@pytest.fixture
def run(histograms):
    made = Run(histograms())
    made.start("a", 1)
    made.cycle()
    yield made
    made.sampler.end()


def test_calls_and_time_stand_under_their_procedures():
    """What has no column, of NFSACL, lockd or callbacks, is told as `other`."""
    row = procedures({b"READ": (3, 70), b"COMPOUND": (2, 5), b"GETACL": (1, 4), b"CB_COMPOUND": (1, 1)})
    told = dict(zip([m.name for m in INSIDE.measures], row, strict=True))
    assert {name: value for name, value in told.items() if value} == {
        "read_calls": 3, "read_us": 70, "compound_calls": 2, "compound_us": 5, "other_calls": 2, "other_us": 5,
    }  # fmt: skip
    assert len(row) == 2 * len(PROCEDURES)


def test_calls_stand_under_their_powers_of_two():
    """Whatever took longer than the last one but one is in the last."""
    row = buckets({b"0": (1, 0), b"7": (2, 0), b"23": (3, 0), b"40": (4, 0)})
    assert (row[0], row[7], row[23], sum(row), len(row)) == (1, 2, 7, 10, BUCKETS)


def test_a_server_counts_from_the_moment_the_source_began(run):
    """It had other calls before, of which nobody knows; none of its calls since is missing."""
    for _ in range(3):
        run.counting.call(1)
    run.cycle()
    run.cycle()
    assert run.usage() == {"a": 3}
    assert run.usage("read_us") == {"a": 21}


def test_a_server_that_is_born_counts_from_its_first_call(run):
    """Also what it was called before it was first listed."""
    run.start("b", 2)
    run.counting.call(2)
    run.cycle()
    run.counting.call(2)
    run.cycle()
    assert run.usage() == {"a": 0, "b": 2}


def test_the_last_calls_of_a_server_are_its_own_and_the_next_one_begins_at_zero(run):
    """On the same inode, at once."""
    run.counting.call(1)
    run.cycle()
    run.counting.call(1)
    run.stop("a")
    run.start("b", 1)
    run.counting.call(1)
    run.cycle()
    assert run.usage() == {"a": 2, "b": 1}


def test_a_generation_changes_without_a_call_lost_or_twice(run, monkeypatch):
    """When it is full the last counts of the old one are told, and every server begins anew."""
    monkeypatch.setattr(tallies, "KEPT_NS", 0)
    for key in range(800):
        run.counting.call(1, f"P{key}")
    run.cycle()
    before = run.source._tallies.generation
    run.counting.call(1)
    run.cycle()
    assert run.source._tallies.generation != before
    run.counting.call(1)
    run.cycle()
    assert run.usage() == {"a": 802}


def test_what_the_kernel_had_no_room_for_is_unknown(run):
    """From the last good reading to the new generation; the note says so, and what follows is known again."""
    run.counting.call(1)
    run.cycle()
    run.counting.drop(5)
    run.counting.call(1)
    run.cycle()
    assert "had no room for calls" in next(iter(run.last.failed.values()))
    run.cycle()
    assert "no room for 5 calls" in run.last.note
    run.counting.call(1)
    run.cycle()
    found = run.rows()
    assert [row["calls"] for row in found] == [1, None, 1]


def test_a_kernel_without_the_event_is_told_and_ends_nothing(histograms):
    """It is tried again in every cycle, and counts from when it works."""
    counting = histograms()
    counting.broken = True
    run = Run(counting)
    run.start("a", 1)
    run.cycle()
    assert "No such file" in run.last.note
    assert not run.last.complete
    counting.broken = False
    run.cycle()
    counting.call(1)
    run.cycle()
    assert run.usage() == {"a": 1}
    run.sampler.end()


def test_latency_is_read_once_a_minute(histograms):
    """In between there is no entry of it in a cycle: it was not read, rather than unchanged."""
    run = Run(histograms(), BY_TIME)
    run.start("a", 1)
    run.cycle()
    for _ in range(12):
        run.counting.call(1, "~ 2^7")
        run.cycle()
    assert [len(frame.batches) for frame in run.frames] == [1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1]
    assert run.usage("calls_07") == {"a": 12}
    run.sampler.end()


def test_a_server_that_lived_between_two_readings_has_its_calls(histograms):
    """Its end is the first that is heard of it."""
    run = Run(histograms(), BY_TIME)
    run.cycle()
    run.start("a", 1)
    run.counting.call(1, "~ 2^7")
    run.cycle()
    run.stop("a")
    assert run.usage("calls_07") == {"a": 1}
    run.sampler.end()


def test_the_end_of_one_server_hides_no_call_of_another(run):
    """Its last reading has everybody's counts in it; the others' are told in the next cycle."""
    run.start("b", 2)
    run.cycle()
    run.counting.call(1)
    run.stop("b")
    run.start("c", 3)
    run.counting.call(1)
    run.stop("c")
    run.cycle()
    assert run.usage()["a"] == 2


def test_it_leaves_nothing_in_the_kernel(run):
    """When the collector ends its histograms are gone."""
    run.source.close()
    assert run.counting.closed


STEPS = st.lists(st.tuples(st.sampled_from(["call", "call", "cycle", "stop", "start"]), st.integers(0, 2)), max_size=40)


@settings(max_examples=100)
@given(steps=STEPS)
def test_every_call_is_told_whatever_happens(histograms, steps):
    """Servers come and go on three inodes: all calls since the source began are their servers', none twice."""
    run, truth = Run(histograms()), Counter()
    run.cycle()
    number = 0
    living = {}
    for what, inode in steps:
        if what == "start" and inode not in living:
            number += 1
            living[inode] = f"s{number}"
            run.start(f"s{number}", inode)
            run.cycle()
        elif what == "call" and inode in living:
            run.counting.call(inode)
            truth[living[inode]] += 1
        elif what == "cycle":
            run.cycle()
        elif what == "stop" and inode in living:
            run.stop(living.pop(inode))
    run.cycle()
    run.sampler.end()
    assert {name: calls for name, calls in run.usage().items() if calls} == truth
