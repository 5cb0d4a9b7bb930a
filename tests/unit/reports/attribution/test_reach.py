"""Which reads are known not to have reached the disks."""

from dataclasses import replace

import numpy as np
import pytest
from pools import Pool

from nasacct.reports.attribution.reach import reached
from nasacct.reports.attribution.scene import CLASSES

READS, READ_MB, WRITES, LOOKUPS = (CLASSES.index(each) for each in ("reads", "read_mb", "writes", "lookups"))


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


def test_lookups_that_reached_disks_read_a_page_each():
    """So what was read from disks bounds them, too."""
    found = reached(scene(physical_mb=0.01)).members.activity
    assert found[:, LOOKUPS].max() <= 0.01e6 / 4096 + 1e-9


def test_local_work_read_what_disks_read_for_nobody_else():
    """A client on the machine itself reads from a server, and its process is told as local work that read as much."""
    found = reached(replace(scene(physical_mb=0.3), local_mb=np.full(720, 5.0)))
    of_disks = found.disks.read_mb.sum(axis=0)
    assert found.local_mb == pytest.approx(np.clip(of_disks - 0.9, 0, 5))
    assert found.local_mb.min() < 5
    scanned = reached(replace(scene(physical_mb=0.3), local_mb=np.full(720, 5.0), scanned_mb=np.full(720, 0.5)))
    assert scanned.local_mb == pytest.approx(np.clip(of_disks - 1.4, 0, 5))
    assert (scanned.scanned_mb == 0.5).all()
    unknown = reached(replace(scene(thread_s=1.0), local_mb=np.full(720, 5.0)))
    assert (unknown.local_mb == 5).all()


def test_where_disks_make_all_wait_the_same_time_is_of_fewer_calls():
    """A server's threads wait ten times as long for a full disk, and no more calls have reached it."""
    calm = scene(thread_s=0.02)
    full = replace(calm, disks=replace(calm.disks, wait_ms=calm.disks.wait_ms * 10))
    longer = replace(full, members=replace(full.members, thread_s=calm.members.thread_s * 10))
    assert reached(longer).members.activity == pytest.approx(reached(calm).members.activity)
    assert reached(full).members.activity[:, READS].sum() < 0.2 * reached(calm).members.activity[:, READS].sum()
    unknown = replace(full, disks=replace(full.disks, wait_ms=full.disks.wait_ms * np.nan))
    assert np.isfinite(reached(unknown).members.activity).all()


def test_a_thread_that_waits_for_a_millisecond_has_one_call_that_waited_at_most():
    """Of reads and of what reads metadata."""
    found = reached(scene(thread_s=0.01)).members.activity
    assert (found[:, READS] + found[:, CLASSES.index("lookups")]).max() <= 10 + 1e-9
    assert reached(scene(thread_s=5.0)).members.activity == pytest.approx(scene().members.activity)


def test_a_log_takes_what_is_synced_and_nothing_else():
    """Nfsd has changes of metadata committed; whatever the kernel says of reads."""
    some = replace(scene(physical_mb=0.3, thread_s=0.02), component="log")
    some.members.activity[0, CLASSES.index("changes")] = 7
    some.members.activity[0, CLASSES.index("removes")] = 3
    found, was = reached(some).members.activity, some.members.activity
    commits = CLASSES.index("commits")
    assert found[0, commits] == pytest.approx(was[0, commits] + 10)
    for name in ("writes", "write_mb"):
        assert (found[:, CLASSES.index(name)] == was[:, CLASSES.index(name)]).all()
        assert found[:, CLASSES.index(name)].any()
    for name in ("reads", "read_mb", "lookups", "changes", "removes"):
        assert not found[:, CLASSES.index(name)].any()
