"""What IOs cost, learnt from made-up disks whose costs are known; and which disk is slow."""

from dataclasses import replace

import numpy as np
import pytest
from pools import READ, WRITE, Pool

from nasacct.reports.attribution import device, hardware


def varied():
    """A pool whose members read and write by turns."""
    pool = Pool(samples=1400)
    for at in range(20):
        pool.read("one", 70 * at, 70 * at + 30, calls=100 + 5 * at, miss=1)
        pool.commit("two", 70 * at + 20, 70 * at + 50, calls=10 * at)
        pool.local(70 * at + 40, 70 * at + 60, mb=20 + at)
    return pool


def test_costs_are_found_where_requests_vary():
    """Those of IOs; what a MB costs stays near what is known of disks."""
    learned = device.learned(varied().scene())
    assert learned.costs[0] == pytest.approx(READ, rel=0.2)
    assert learned.costs[2] == pytest.approx(WRITE, rel=0.3)
    assert learned.capacity == 1


def test_disk_time_sums_to_the_time_the_median_disk_was_busy():
    """In every sample that is present; the others have none."""
    scene = varied().scene()
    present = scene.present.copy()
    present[5] = False
    work = device.work(replace(scene, present=present), device.learned(scene))
    assert np.isnan(work[:, 5]).all()
    assert work[:, present].sum(axis=0) == pytest.approx(np.median(scene.disks.busy, axis=0)[present])


def test_with_hardly_any_sample_costs_are_those_of_any_disk():
    """A minute says how fast the disks are as a whole, and nothing of what each kind of IO takes."""
    few, none = (device.learned(Pool(samples=samples).scene()) for samples in (6, 0))
    ratio = few.costs / none.costs
    assert ratio == pytest.approx(np.full(4, ratio[0]))
    assert ratio[0] == pytest.approx(1, rel=0.1)


def test_a_disk_that_is_slower_than_any_is_known_by_all_its_ios():
    """Eight times, as a throttled one; each kind of IO is, also one that was hardly seen."""
    scene = varied().scene()
    scene.disks.busy[:] /= 8
    for name in ("reads", "read_mb", "writes", "write_mb"):
        getattr(scene.disks, name)[:] /= 64
    found = device.learned(scene).costs / device.learned(varied().scene()).costs
    assert found == pytest.approx(np.full(4, 8), rel=0.25)


def test_who_reads_on_for_an_hour_does_not_make_random_reads_cheap():
    """What normal hours cost is learnt from them, where they were busy; and what an hour costs, of it."""
    pool = varied()
    scene, quiet = pool.scene(), np.ones(1400, bool)
    quiet[500:860] = False
    for name, rate in {"reads": 700, "read_mb": 150, "writes": 1, "write_mb": 0.1}.items():
        getattr(scene.disks, name)[:, ~quiet] = rate
    scene.disks.busy[:, ~quiet] = 0.97
    learned = device.learned(scene, quiet)
    assert learned.costs[0] == pytest.approx(READ, rel=0.2)
    assert device.learned(scene).costs[0] < 0.6 * READ
    assert device.around(scene, learned, np.flatnonzero(~quiet)).costs[0] < 0.6 * READ
    idle = np.zeros(1400, bool)
    assert device.learned(scene, idle).costs == pytest.approx(device.learned(scene).costs)


def test_an_episode_has_costs_of_its_own():
    """Whose IOs take twice as long there."""
    pool = varied()
    scene = pool.scene()
    learned = device.learned(scene)
    inside = np.arange(600, 700)
    scene.disks.busy[:, inside] = np.minimum(scene.disks.busy[:, inside] * 2, 1)
    assert device.around(scene, learned, inside).costs[0] > 1.2 * learned.costs[0]


def test_a_disk_that_takes_longer_than_its_peers_is_slow():
    """One that has more to do is not, nor one without peers."""
    scene = varied().scene()
    learned, inside = device.learned(scene), np.ones(len(scene), bool)
    assert hardware.slow(scene, learned, inside).disk is None
    busy = scene.disks.busy.copy()
    busy[1] = np.minimum(8 * busy[1], 1)
    slow = hardware.slow(replace(scene, disks=replace(scene.disks, busy=busy)), learned, inside)
    assert slow.disk == "disk1"
    assert 0.25 < slow.share < 1
    single = Pool(disks=1).scene()
    assert hardware.slow(single, learned, np.ones(len(single), bool)).disk is None
