"""Lives: what was counted is not counted again, and what is gone for good leaves nothing behind."""

import numpy as np
import pytest

from nasacct.collect.lives import Lives
from nasacct.collect.machine import Listing
from nasacct.collect.sampler import Sampler
from nasacct.store.frame import Batch, Instant, Rows, Subject
from nasacct.store.standing import Standing

SECOND = 1_000_000_000


def subject(epoch, sid, **keys):
    made = Subject("clients", {"server": "a", "client": "c", **keys}, epoch)
    made.sid = sid
    return made


def counted(*sids):
    return np.array(sids, np.int32)


@pytest.mark.parametrize("gone", [1, 10_000])
def test_one_that_comes_back_is_not_counted_again(gone):
    """However many others are gone; under other keys or its own."""
    lives = Lives(Standing())
    each = [subject(f"e{n}", n + 1) for n in range(gone)]
    for one in each:
        lives.begin(one, (10, 5))
    lives.counted(counted(*(one.sid for one in each)))
    lives.ended(each, for_good=False)
    for n in (0, gone - 1):
        assert lives.again(subject(f"e{n}", gone + n + 1, client="d")) == (None, None)
    assert lives.again(subject("never met", 0)) is None


def test_one_that_was_not_read_counts_under_other_keys_from_where_it_began():
    """The first keys had nothing of it; once there was something, others count from their first reading."""
    lives = Lives(Standing())
    lives.begin(subject("e", 1), (10, 5))
    assert lives.again(subject("e", 2, client="d")) == (10, 5)
    lives.counted(counted(2))
    assert lives.again(subject("e", 3, client="f")) == (None, None)


def test_one_from_before_the_first_listing_stays_a_baseline_though_it_was_gone():
    """Else all that it counted before there was a collector would be of the time in which it came back."""
    lives = Lives(Standing())
    one = subject("e", 1)
    lives.begin(one, (None, None))
    lives.ended([one], for_good=False)
    assert lives.again(subject("e", 2)) == (None, None)


class Crowd:
    """A source that has thousands of new subjects in each cycle, which have ended before the next one."""

    name = "clients"

    def __init__(self, admit):
        self.admit, self.made = admit, 0

    def read(self, machine, listing):
        return Batch(self.name, machine.now(), [])

    def ends(self, machine, count):
        came = [subject(f"e{self.made + n}", 0) for n in range(count)]
        for one in came:
            one.about = {"absent_boot_ns": machine.ns}
            self.admit(one)
        self.made += count
        values = np.arange(2 * count, dtype=np.int64).reshape(count, 2)
        rows = Rows(np.array([one.sid for one in came], np.int32), values, final=True)
        return Batch(self.name, machine.now(), None, rows={"clients": rows}, ended=came)


class Clock:
    node, boot_id, kernel = "n", "boot", ""
    ns = 1000 * SECOND

    def now(self):
        self.ns += 10 * SECOND
        return Instant(self.ns, self.ns)


def held(thing, seen):
    """How many elements all containers have that can be reached from here."""
    if id(thing) in seen or isinstance(thing, type):
        return 0
    seen.add(id(thing))
    if isinstance(thing, np.ndarray):
        return thing.size
    if isinstance(thing, dict):
        return len(thing) + sum(held(each, seen) for pair in thing.items() for each in pair)
    if isinstance(thing, list | tuple | set | frozenset):
        return len(thing) + sum(held(each, seen) for each in thing)
    if not type(thing).__module__.startswith(("nasacct", "test")):
        return 0
    names = [*getattr(thing, "__slots__", ()), *getattr(thing, "__dict__", ())]
    return sum(held(getattr(thing, name), seen) for name in names if hasattr(thing, name))


def test_two_hundred_thousand_that_came_and_went_leave_nothing():
    """Neither in what gives them their numbers, nor in what the journal's next file would begin with."""
    clock, standing, sizes = Clock(), Standing(), []
    sampler = Sampler(clock, Standing(), lambda admit: [Crowd(admit)])
    try:
        (source,) = sampler.sources
        for n in range(50):
            standing.apply(sampler.finals([source.ends(clock, 4000)], for_good=True))
            standing.apply(sampler.cycle(Listing(())))
            if n % 10 == 9:
                sizes.append(held([sampler, standing], set()))
    finally:
        sampler.end()
    assert source.made == 200_000
    assert max(sizes) <= sizes[0] < 40_000
