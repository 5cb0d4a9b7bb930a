"""Long-run costs and the requests they are of."""

import numpy as np
import pytest
from pools import Pool

from nasacct.reports.attribution import costs, device, requests
from nasacct.reports.attribution.requests import KINDS


def learned(pool):
    scene = pool.scene()
    model = device.learned(scene)
    return scene, costs.learned(scene, model, device.work(scene, model), scene.present)


def test_what_is_normal_is_what_was_used():
    """Of who reads from disks, and who reads as much from memory."""
    pool = Pool(samples=2000)
    for at in range(40):
        pool.read("one", 50 * at, 50 * at + 20, calls=60, miss=1)
        pool.read("two", 50 * at + 20, 50 * at + 45, calls=60, miss=0)
    _, found = learned(pool)
    truth = pool.used[:3].mean(axis=1)
    assert found.normal[0] == pytest.approx(truth[0], rel=0.4)
    assert found.normal[1] < 0.5 * found.normal[0]
    assert found.normal.sum() + found.background.sum() == pytest.approx(truth.sum(), rel=0.2)


def test_usual_is_what_only_a_tenth_of_samples_exceed():
    """Of each member and kind of request."""
    scene, found = learned(Pool())
    calls = scene.members.activity[0, 0]
    assert np.mean(calls > found.usual[0, KINDS.index("reads")]) == pytest.approx(0.1, abs=0.01)


def test_without_normal_hours_nothing_is_normal():
    """A pool that is always full."""
    scene = Pool().scene()
    model = device.learned(scene)
    found = costs.learned(scene, model, device.work(scene, model), np.zeros(len(scene), bool))
    assert found.chronic
    assert not found.normal.any()
    assert not found.usual.any()


@pytest.mark.parametrize("late", [0, 1, 2])
def test_when_what_is_written_reaches_the_disks_is_learnt(late):
    """So many samples later."""
    pool = Pool(samples=1000)
    for at in range(50):
        pool.write("one", 20 * at, 20 * at + 3, mb=200)
    scene = pool.scene()
    scene.disks.write_mb[:] = np.roll(scene.disks.write_mb, late, axis=-1)
    kernel = requests.writeback(scene, scene.present)
    assert kernel.sum() == pytest.approx(1)
    assert int(np.argmax(kernel)) == late
    assert kernel[late] > 0.7


def test_who_writes_nothing_is_written_back_evenly():
    """Nobody knows better."""
    scene = Pool(members=()).scene()
    assert requests.writeback(scene, scene.present) == pytest.approx([1 / 3] * 3)


def test_requests_count_where_they_cost():
    """What is written later, what is read at once; and nothing gets lost."""
    activity = np.zeros((1, 8, 10))
    activity[0, 0, 2] = activity[0, 3, 2] = 30
    found = requests.effective(activity, np.array([0.5, 0.5]))[0]
    assert found[KINDS.index("reads"), 2] == 30
    assert found[KINDS.index("write_mb"), 2:4].tolist() == [15, 15]
    assert found[KINDS.index("runs")].sum() == 30
    assert not np.isnan(requests.effective(activity * np.nan, np.ones(1))).any()


@pytest.mark.parametrize(("commits", "stable"), [(0, 20), (1, 0), (0.1, 13.6)])
def test_writes_of_who_never_commits_are_on_the_disks_at_once(commits, stable):
    """A client that asks for nothing to be committed asked for it with each write; in between, of a part."""
    activity = np.zeros((1, 8, 30))
    activity[0, 2], activity[0, 4] = 20, commits
    found = requests.effective(activity, np.array([1.0]))[0]
    middle = found[:, 15]
    assert middle[KINDS.index("commits")] == pytest.approx(stable + commits)
    assert middle[KINDS.index("writes")] == pytest.approx(20 - stable)
    assert requests.effective(np.zeros((0, 8, 30)), np.ones(1)).shape[0] == 0


@pytest.mark.parametrize("times", [0.5, 3.0])
def test_in_other_units_the_same_costs_are_found(times):
    """Who asks for so many times as much of as much disk time pays so much less for each call."""
    pool, other = Pool(), Pool()
    other.activity *= times
    (_, here), (_, there) = learned(pool), learned(other)
    assert there.usual == pytest.approx(here.usual * times)
    assert there.normal.sum() == pytest.approx(here.normal.sum(), rel=0.5)
