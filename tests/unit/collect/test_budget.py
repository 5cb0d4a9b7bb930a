"""What a source may cost that others can do without."""

import pytest

from nasacct.collect.budget import Budget
from nasacct.collect.machine import Listing
from nasacct.collect.sampler import Sampler
from nasacct.store.frame import Batch, Instant, Subject
from nasacct.store.standing import Standing

SECOND = 1_000_000_000


def at(seconds):
    return Instant(seconds * SECOND, seconds * SECOND)


def test_a_share_is_of_the_last_five_minutes():
    """One per cent of 300 s is 3 s, whenever they were spent; what is older counts no more."""
    budget = Budget(0.01)
    assert [budget.spend(at(s), 1_000_000) for s in (0, 10, 20)] == ["", "", ""]
    assert "1.3 % of a processor" in budget.spend(at(30), 1_000_000)
    assert budget.spend(at(325), 1_000_000) == ""


class Costly:
    """A source that says what it took."""

    name, streams, optional = "disks", ("disks",), True

    def __init__(self, admit):
        self.subject = Subject(self.name, {"disk": "a", "device": "a"}, "boot/a")
        self.subject.sid = admit(self.subject)
        self.cpu_us, self.reads, self.closed = 0, 0, False

    def read(self, machine, listing):
        self.reads += 1
        return Batch(self.name, machine.now(), [self.subject], cpu_us=self.cpu_us)

    def close(self):
        self.closed = True


class Clock:
    """Ten seconds a look."""

    node, boot_id, kernel, s = "n", "boot", "", 1000

    def now(self):
        self.s += 10
        return at(self.s)


@pytest.fixture
def sampler():
    made = Sampler(Clock(), Standing(), lambda admit: [Costly(admit)], share=0.01)
    yield made
    made.end()


def test_a_source_that_costs_too_much_is_closed_and_its_subjects_end(sampler, caplog):
    """It is said once, in the log and in the next cycle's entry; then there is no entry any more."""
    source = sampler.sources[0]
    sampler.cycle(Listing(()))
    source.cpu_us = 4_000_000
    sampler.cycle(Listing(()))
    assert source.closed
    assert "source disks is off: it takes 1.3 % of a processor, sources.budget_percent is 1" in caplog.text
    (parting,) = sampler.cycle(Listing(())).batches
    assert (parting.ended, parting.listed) == ([source.subject], [])
    assert parting.note.startswith("off: ")
    assert sampler.cycle(Listing(())).batches == []
    assert source.reads == 2


def test_one_that_stays_below_goes_on(sampler):
    """For ever."""
    source = sampler.sources[0]
    source.cpu_us = 90_000
    for _ in range(100):
        sampler.cycle(Listing(()))
    assert source.reads == 100
    assert not source.closed
