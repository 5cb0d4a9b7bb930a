"""The sampler: births, ends, lateness and failures of sources, from one cycle to the next."""

import threading
import time

import numpy as np
import pytest

from nasacct.collect.machine import Listing, Server
from nasacct.collect.nfsd import Nfsd
from nasacct.collect.sampler import Sampler
from nasacct.store.frame import Batch, Instant, Rows, Subject
from nasacct.store.standing import Standing

SECOND = 1_000_000_000
NOBODY = Listing(())


class Clock:
    """A machine of which only the clock is used: ten seconds a look; `wall_ns` is how far the wall clock is ahead."""

    node, boot_id, kernel = "n", "boot", ""

    def __init__(self):
        self.ns = 1_000 * SECOND
        self.wall_ns = 0

    def now(self):
        self.ns += 10 * SECOND
        return Instant(self.ns + self.wall_ns, self.ns)


class Disks:
    """A source whose world is a dict of name -> counter, as a test sets it."""

    name = "disks"

    def __init__(self, admit):
        self.admit, self.known = admit, {}
        self.world, self.complete, self.block = {}, True, None
        self.about = {}

    def read(self, machine, listing):
        if self.block is not None:
            self.block.wait(10)
        listed, sids, values = [], [], []
        for name, value in self.world.items():
            subject = self.known.get(name)
            if subject is None:
                subject = self.known[name] = Subject(
                    self.name, {"disk": name, "device": name}, f"boot/{name}", about=self.about.get(name, {})
                )
                self.admit(subject)
            listed.append(subject)
            sids.append(subject.sid)
            values.append([value] * 17)
        self.known = {n: s for n, s in self.known.items() if n in self.world}
        rows = Rows(np.array(sids, np.int32), np.array(values, np.int64).reshape(-1, 17))
        return Batch(self.name, machine.now(), listed, complete=self.complete, rows={"disks": rows})


@pytest.fixture
def made():
    samplers = []

    def make(standing=None, deadline_s=5.0):
        sampler = Sampler(Clock(), standing or Standing(), lambda admit: [Disks(admit)], deadline_s=deadline_s)
        samplers.append(sampler)
        return sampler, sampler.sources[0]

    yield make
    for sampler in samplers:
        sampler.end()


def births(frame):
    return {s.keys["disk"]: s.after for s in frame.births}


def test_first_listing_makes_baselines(made):
    """What was there when a source was switched on has no known beginning."""
    sampler, disks = made()
    disks.world = {"sda": 5}
    assert births(sampler.cycle(NOBODY)) == {"sda": None}


def test_absent_from_the_last_complete_listing_is_born_after_it(made):
    """An epoch that a complete listing did not have began after that listing."""
    sampler, disks = made()
    disks.world = {"sda": 5}
    listed = sampler.cycle(NOBODY).batches[0].at.wall_ns
    disks.world = {"sda": 6, "sdb": 1}
    assert births(sampler.cycle(NOBODY)) == {"sdb": listed}


def test_an_incomplete_listing_proves_nothing(made):
    """Neither does its absence end a subject, nor does it date a birth."""
    sampler, disks = made()
    disks.world = {"sda": 5}
    listed = sampler.cycle(NOBODY).batches[0].at.wall_ns
    disks.world, disks.complete = {}, False
    batch = sampler.cycle(NOBODY).batches[0]
    assert not batch.ended
    assert list(batch.failed.values()) == ["not listed"]
    disks.world, disks.complete = {"sda": 5, "sdb": 2}, True
    disks.known = {}
    assert births(sampler.cycle(NOBODY))["sdb"] == listed


def test_a_subject_that_comes_back_did_not_begin_again(made):
    """The same epoch, listed again after an absence, has the beginning it had: its counters are not counted twice."""
    sampler, disks = made()
    sampler.cycle(NOBODY)
    disks.world = {"sda": 5}
    assert births(sampler.cycle(NOBODY))["sda"] is not None
    disks.world = {}
    assert [s.keys["disk"] for s in sampler.cycle(NOBODY).batches[0].ended] == ["sda"]
    disks.world = {"sda": 7}
    assert births(sampler.cycle(NOBODY)) == {"sda": None}


def test_a_renamed_subject_is_not_counted_again(made):
    """The same epoch under another name, also after a restart of the collector, has a baseline."""
    first, disks = made()
    standing = Standing()
    standing.apply(first.cycle(NOBODY))
    disks.world = {"sda": 5}
    standing.apply(first.cycle(NOBODY))
    second, disks = made(standing)
    subject = Subject("disks", {"disk": "new name", "device": "sda"}, "boot/sda")
    second.admit(subject)
    assert subject.after is None


def test_an_epoch_older_than_the_listing_that_lacked_it_is_a_baseline(made):
    """A server that ran for an hour before it was first listed was overlooked, not born."""
    sampler, disks = made()
    disks.world = {"sda": 5}
    listed = sampler.cycle(NOBODY).batches[0].at.wall_ns
    disks.about = {"old": {"born_ns": listed - 3600 * SECOND}, "new": {"born_ns": listed - SECOND}}
    disks.world = {"sda": 5, "old": 10**12, "new": 3}
    assert births(sampler.cycle(NOBODY)) == {"old": None, "new": listed - SECOND}


@pytest.mark.parametrize("step_s", [-86_400, -100, 100, 86_400])
def test_a_stepped_clock_makes_nobody_old(made, step_s):
    """A birth lies between the last listing and now, by whatever the wall clock says now."""
    sampler, disks = made()
    listed = sampler.cycle(NOBODY).batches[0].at
    # listed before the clock was stepped, read after it
    born = {"born_ns": listed.wall_ns + 2 * SECOND, "born_boot_ns": listed.boot_ns + 2 * SECOND}
    disks.about = {"new": born, "nobody knows since when": {}}
    sampler.machine.wall_ns = step_s * SECOND
    disks.world = {"new": 3, "nobody knows since when": 4}
    today = listed.wall_ns + step_s * SECOND
    assert births(sampler.cycle(NOBODY)) == {"new": today, "nobody knows since when": today}


def test_a_source_may_know_better_when_something_was_absent(made):
    """Also before it has listed everything for the first time, and however long ago that was."""
    sampler, disks = made()
    began = sampler.machine.now()
    disks.about = {"new": {"absent_boot_ns": began.boot_ns - 200 * SECOND}}
    disks.world = {"new": 3, "nobody knows": 5}
    assert births(sampler.cycle(NOBODY)) == {"new": began.wall_ns - 200 * SECOND, "nobody knows": None}


def test_a_listing_may_be_made_of_older_ones(made):
    """Something that came meanwhile may not be in it."""
    sampler, disks = made()
    disks.listed_within_ns = 300 * SECOND
    listed = sampler.cycle(NOBODY).batches[0].at.wall_ns
    disks.world = {"new": 3}
    assert births(sampler.cycle(NOBODY)) == {"new": listed - 300 * SECOND}


def test_a_server_that_nobody_heard_of_is_born_when_it_was(made):
    """Servers are listed anew once a minute; until then a cycle's listing does not know of it."""
    sampler, disks = made()
    for _ in range(7):
        listed = sampler.cycle(NOBODY).batches[0].at.wall_ns
    disks.about = {"new": {"born_ns": listed - 59 * SECOND}}
    disks.world = {"new": 3}
    assert births(sampler.cycle(NOBODY)) == {"new": listed - 59 * SECOND}


def test_a_clock_that_is_behind_after_a_reboot_makes_nobody_old(made):
    """A server of this boot began after every listing of an earlier one, whatever the wall clock said then."""
    standing = Standing(listings={"disks": Instant(10**18, 500 * SECOND)}, boot_id="earlier")
    sampler, disks = made(standing)
    disks.about = {"sda": {"born_ns": 990 * SECOND, "born_boot_ns": 990 * SECOND}}
    disks.world = {"sda": 3}
    assert births(sampler.cycle(NOBODY)) == {"sda": 990 * SECOND}


def test_a_listing_of_an_earlier_boot_stays_one(made):
    """Also when a run of this boot has written it down and was killed before it listed anything."""
    standing = Standing(listings={"disks": Instant(900 * SECOND, 10**18)}, boot_id="earlier")
    standing.goes_on("boot")
    assert standing == Standing(listings={"disks": Instant(900 * SECOND, -1)}, boot_id="boot")
    sampler, disks = made(standing)
    disks.world = {"sda": 3}
    assert births(sampler.cycle(NOBODY)) == {"sda": 900 * SECOND}


def test_a_source_that_was_switched_off_goes_on_where_it_was(made):
    """A run without it changes nothing: who is still there is no birth, who came meanwhile counts from its zero."""
    first, disks = made()
    standing = Standing()
    disks.world = {"sda": 5}
    frame = first.cycle(NOBODY)
    standing.apply(frame)
    without = Sampler(Clock(), standing, lambda admit: [])
    standing.apply(without.cycle(NOBODY))
    without.end()
    again, disks = made(standing)
    disks.world = {"sda": 7 * 10**12, "sdb": 4}
    assert births(again.cycle(NOBODY)) == {"sdb": frame.batches[0].at.wall_ns}


def test_a_run_goes_on_where_the_last_ended(made):
    """What stood keeps its sid and is no birth; what is new was born after the last run's listing; the rest ended."""
    first, disks = made()
    disks.world = {"sda": 5, "sdb": 6}
    standing = Standing()
    frame = first.cycle(NOBODY)
    standing.apply(frame)
    listed = frame.batches[0].at.wall_ns
    second, disks = made(standing)
    disks.world = {"sda": 9, "sdc": 1}
    frame = second.cycle(NOBODY)
    assert births(frame) == {"sdc": listed}
    assert [s.keys["disk"] for s in frame.batches[0].ended] == ["sdb"]
    assert frame.batches[0].rows["disks"].sids.tolist() == [1, 3]


def test_texts_of_who_goes_on_are_those_of_today(made):
    """The next head of a journal file tells them; numbers, by which a life is counted, are those of its birth."""
    first, disks = made()
    disks.world, disks.about = {"sda": 5}, {"sda": {"dir": "/a", "born_ns": 7}}
    standing = Standing()
    standing.apply(first.cycle(NOBODY))
    second, disks = made(standing)
    disks.world, disks.about = {"sda": 9}, {"sda": {"dir": "/b", "born_ns": 8}}
    standing.apply(second.cycle(NOBODY))
    assert [subject.about for subject in standing.live.values()] == [{"dir": "/b", "born_ns": 7}]


def test_a_source_that_hangs_costs_a_cycle_no_more_than_the_deadline(made):
    """The cycle goes on without it; its batch is taken, late, in the cycle in which it arrives."""
    sampler, disks = made(deadline_s=0.05)
    disks.block = threading.Event()
    disks.world = {"sda": 5}
    assert sampler.cycle(NOBODY).batches == []
    assert sampler.cycle(NOBODY).batches == []
    sampler.deadline_s = 10
    disks.block.set()
    frame = sampler.cycle(NOBODY)
    assert [b.late for b in frame.batches] == [2]


def test_a_source_that_fails_says_so_and_stops_nobody(made, caplog):
    """An error of a whole source marks its subjects as not read; the next cycle reads again."""
    sampler, disks = made()
    disks.world = {"sda": 5}
    sampler.cycle(NOBODY)
    disks.world = None
    batch = sampler.cycle(NOBODY).batches[0]
    assert not batch.complete
    assert [s.keys["disk"] for s in batch.failed] == ["sda"]
    disks.world = {"sda": 6}
    assert sampler.cycle(NOBODY).batches[0].rows["disks"].values[0, 0] == 6


def test_one_hanging_server_delays_no_other(caplog):
    """The others are read on a new thread in the same cycle; the hung one is read again once it has come back."""
    free = threading.Event()

    class Stuck(Clock):
        def nfsd(self, server):
            if server.name == "102":
                free.wait(10)
            return b"rc 0 0 %d\nio 1 2\n" % int(server.name)

        def file(self, path):
            raise FileNotFoundError(path)

    listing = Listing(tuple(Server(str(n), f"boot/{n}") for n in (101, 102, 103)))
    sampler = Sampler(Stuck(), Standing(), lambda admit: [Nfsd(admit)], deadline_s=0.2)
    try:
        batch = sampler.cycle(listing).batches[0]
        assert [s.keys["server"] for s in batch.listed] == ["101", "102", "103"]
        assert [s.keys["server"] for s in batch.failed] == ["102"]
        assert len(batch.rows["nfsd"].sids) == 2
        # while it hangs, no further time is lost on it
        assert [s.keys["server"] for s in sampler.cycle(listing).batches[0].failed] == ["102"]
        free.set()
        deadline = time.monotonic() + 10
        while sampler.cycle(listing).batches[0].failed:
            assert time.monotonic() < deadline
    finally:
        free.set()
        sampler.end()
