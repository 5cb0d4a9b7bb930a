"""Strain: said once when disks do not keep up and once when they do again, of the last readings alone."""

import logging

import numpy as np
import pytest

from nasacct.collect.strain import Strain
from nasacct.config.tables import Episodes
from nasacct.store.frame import ABSENT, Batch, Frame, Instant, Rows, Subject
from nasacct.store.schema import DISKS, NODE

WALL = 1_795_428_000_000_000_000
SECOND = 1_000_000_000


class Machine:
    """Disks that grow as told, in frames as the sampler makes them: what has not changed is in no row."""

    def __init__(self, disks=1, rotational=1):
        self.subjects = [
            Subject("disks", {"disk": f"d{n}", "device": f"sd{'abc'[n]}"}, f"e{n}", n, about={"rotational": rotational})
            for n in range(disks)
        ]
        self.node = Subject("node", {}, "boot", 9)
        self.values = np.zeros((disks, DISKS.width), np.int64)
        self.full = 0
        self.at = 0
        self.strain = Strain(Episodes())

    def frame(self, seconds, grown, full_s=0.0):
        self.at += seconds
        at = Instant(WALL + self.at * SECOND, self.at * SECOND)
        self.values[:, DISKS.index["ms_io"]] += np.array(grown)
        changed = np.array(grown) > 0
        sids = np.array([s.sid for s in self.subjects], np.int32)
        rows = {"disks": Rows(sids[changed], self.values[changed].copy())} if changed.any() else {}
        self.full += int(full_s * 1e6)
        machine = np.full((1, NODE.width), ABSENT, np.int64)
        machine[0, NODE.index["io_full_us"]] = self.full
        batches = [Batch("disks", at, list(self.subjects), rows=rows)]
        batches.append(Batch("node", at, [self.node], rows={"node": Rows(np.array([9], np.int32), machine)}))
        return Frame(self.at, at, batches, [])

    def run(self, cycles, *grown, seconds=10, full_s=0.0):
        for _ in range(cycles):
            self.strain.take(self.frame(seconds, grown, full_s))
        return self


def said(caplog):
    return [record.getMessage() for record in caplog.records]


@pytest.fixture(autouse=True)
def heard(caplog):
    caplog.set_level(logging.INFO)


def test_it_is_said_once_with_the_third_of_four_and_once_when_it_ends(caplog):
    """From when to when, and which disk was busiest."""
    machine = Machine().run(5, 1000).run(2, 10_000)
    assert (said(caplog), machine.strain.status) == ([], "")
    machine.run(10, 10_000)
    assert said(caplog) == ["the disks do not keep up since 2026-11-23T10:00:50Z: sda is 100 % busy"]
    assert machine.strain.status == "the disks do not keep up since 2026-11-23T10:00:50Z"
    machine.run(5, 1000)
    assert len(said(caplog)) == 1
    machine.run(20, 1000)
    assert said(caplog)[1:] == ["the disks keep up again since 2026-11-23T10:02:50Z, after 120 s"]
    assert machine.strain.status == ""


def test_nearly_busy_is_too_busy_when_all_tasks_stand_still(caplog):
    Machine().run(10, 8800, full_s=1)
    assert said(caplog) == []
    Machine().run(10, 8800, full_s=5)
    assert len(said(caplog)) == 1


@pytest.mark.parametrize(
    ("disks", "grown", "count"),
    [
        (3, (9900, 9400, 9300), 1),  # all of them
        (3, (9900, 3000, 3000), 1),  # one that the others wait for
        (3, (9600, 8500, 8500), 0),  # one that is a little busier
        (3, (9900, 0, 0), 1),  # the others do nothing
    ],
)
def test_of_several_disks_they_keep_up_together(caplog, disks, grown, count):
    Machine(disks).run(10, *grown)
    assert len(said(caplog)) == count


def test_disks_that_serve_many_requests_at_a_time_are_always_busy(caplog):
    """So that says nothing; of which it is not known they are taken to serve one."""
    Machine(rotational=0).run(10, 10_000)
    assert said(caplog) == []
    Machine(rotational=None).run(10, 10_000)
    assert len(said(caplog)) == 1


def test_what_is_not_known_is_no_strain(caplog):
    """Long pauses, counters that begin anew, a source that was late, a disk that cannot be read."""
    machine = Machine().run(2, 1000).run(5, 600_000, seconds=600)
    machine.values[:] = 0
    machine.run(2, 1000)
    machine.strain.take(Frame(1, Instant(WALL, 0), [], []))
    frame = machine.frame(10, [10_000])
    frame.batches[0].failed = {machine.subjects[0]: "cannot be read"}
    for _ in range(5):
        machine.strain.take(frame)
    assert said(caplog) == []
