"""Which reads are known not to have reached the disks."""

from dataclasses import replace

import numpy as np
import pytest
from pools import Pool

from nasacct.reports.attribution.reach import reached
from nasacct.reports.attribution.scene import CLASSES

READS, READ_MB, WRITES = (CLASSES.index(each) for each in ("reads", "read_mb", "writes"))


def scene(**known):
    pool = Pool()
    whole = {name: np.full((3, pool.samples), value) for name, value in known.items()}
    made = pool.scene()
    return replace(made, members=replace(made.members, **whole))


def test_where_nothing_is_counted_nothing_is_taken_away():
    """And where it is counted but not known of a sample."""
    assert reached(scene()).members.activity == pytest.approx(scene().members.activity)
    unknown = scene(thread_s=np.nan, physical_mb=np.nan)
    assert reached(unknown).members.activity == pytest.approx(unknown.members.activity)


def test_of_reads_stays_what_was_read_from_disks():
    """By their bytes; never more than was read; of writes all."""
    some = scene(physical_mb=0.01)
    found, was = reached(some).members.activity, some.members.activity
    assert found[:, READ_MB] == pytest.approx(np.minimum(was[:, READ_MB], 0.01))
    assert found[:, READS] / was[:, READS] == pytest.approx(found[:, READ_MB] / was[:, READ_MB])
    assert found[:, WRITES] == pytest.approx(was[:, WRITES])


def test_a_thread_that_waits_for_a_millisecond_has_one_call_that_waited_at_most():
    """Of reads and of what reads metadata."""
    found = reached(scene(thread_s=0.01)).members.activity
    assert (found[:, READS] + found[:, CLASSES.index("lookups")]).max() <= 10 + 1e-9
    assert reached(scene(thread_s=5.0)).members.activity == pytest.approx(scene().members.activity)
