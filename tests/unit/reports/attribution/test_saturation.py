"""Which samples are saturated, by the kind of disks."""

from dataclasses import replace

import numpy as np
from pools import Pool

from nasacct.reports.attribution.facts import of_scene
from nasacct.reports.attribution.saturation import levels, saturated


def one(scene, **disks):
    """Whether the first sample is saturated if it is so."""
    whole = {
        name: array.copy() for name, array in {"full": scene.full, "sync_s": scene.sync_s, "some": scene.some}.items()
    }
    inner = {name: getattr(scene.disks, name).copy() for name in ("busy", "queue", "wait_ms")}
    for name, value in disks.items():
        (inner if name in inner else whole)[name][..., 0] = value
    return bool(saturated(replace(scene, disks=replace(scene.disks, **inner), **whole))[0])


def test_rotating_disks_are_full_when_they_are_busy():
    """Or nearly busy, and tasks stand still and IOs wait, or a transaction group takes too long."""
    scene = Pool().scene()
    assert not one(scene, busy=0.9, full=0.1, queue=30)
    assert one(scene, busy=0.97, full=0.1)
    assert one(scene, busy=0.87, full=0.5, queue=12)
    assert one(scene, busy=0.87, full=0.1, sync_s=1)
    assert not one(scene, busy=0.5, full=0.5, queue=30)


def test_that_tasks_stand_still_does_not_say_that_ios_wait():
    """One who reads synchronously stands still for as long as the disk works for him alone, as real traces show."""
    scene = Pool().scene()
    assert not one(scene, busy=0.92, full=0.7, queue=1.1)
    assert not one(scene, busy=0.9, full=0.7, queue=8.9)
    assert one(scene, busy=0.9, full=0.7, queue=9.1)
    assert not one(scene, busy=0.9, full=0.7, queue=np.nan)


def test_a_disk_that_is_slow_for_all_its_ios_was_full():
    """As a throttled one: each takes ten times as long as is normal, though they come one by one."""
    scene = Pool().scene()
    normal = levels(of_scene(scene)).wait_ms
    assert one(scene, busy=0.9, full=0.7, queue=1.1, wait_ms=10.1 * normal)
    assert not one(scene, busy=0.9, full=0.7, queue=1.1, wait_ms=9.9 * normal)
    assert not one(scene, busy=0.9, full=0.3, queue=1.1, wait_ms=10.1 * normal)


def test_one_disk_that_is_a_little_busier_than_the_others_is_chance():
    """One that the others wait for is not."""
    scene = Pool().scene()
    assert not one(scene, busy=[0.96, 0.88, 0.88, 0.88], full=0.1)
    assert one(scene, busy=[0.96, 0.88, 0.88, 0.88], full=0.5)
    assert one(scene, busy=[0.99, 0.3, 0.3, 0.3], full=0.1)


def test_parallel_disks_are_full_when_waits_grow_and_tasks_stand_still():
    """That they are always busy says nothing; that they are idle for a part of the time says that they are not full."""
    scene = replace(Pool().scene(), rotational=False)
    assert not one(scene, busy=1.0, some=0.9)
    assert one(scene, busy=1.0, wait_ms=20, some=0.9)
    assert not one(scene, busy=1.0, wait_ms=20, some=0.1)
    assert one(scene, busy=1.0, queue=100, some=0.9)
    assert not one(scene, busy=0.5, wait_ms=20, queue=100, some=0.9)


def test_parallel_disks_that_stand_still_are_not_full():
    """Although no queue at all is as long as the usual one of none."""
    scene = replace(Pool().scene(), rotational=False)
    nothing = np.zeros_like(scene.disks.busy)
    idle = replace(scene.disks, busy=nothing, queue=nothing, wait_ms=nothing * np.nan)
    assert not saturated(replace(scene, disks=idle, some=np.ones(len(scene)))).any()


def test_tasks_stand_still_for_the_rotating_disks_beside_that_are_full():
    """By the same figures as those are judged by."""
    scene = replace(Pool().scene(), rotational=False)
    full = {"busy": 1.0, "wait_ms": 20, "some": 0.9}
    for beside, told in ((0.5, True), (0.9, True), (0.97, False)):
        assert one(replace(scene, beside=np.full(len(scene), beside)), **full, full=0.1) == told
    nearly = replace(scene, beside=np.full(len(scene), 0.9))
    assert one(nearly, **full, full=0.5)
    assert not one(nearly, **full, full=0.1, sync_s=1)


def test_a_sample_that_is_not_present_is_not_saturated():
    """Nor is anything of a pool without disks, or an idle one whose waits nobody knows."""
    scene = Pool().scene()
    scene.disks.busy[:] = 1
    assert saturated(scene).all()
    assert not saturated(replace(scene, present=np.zeros(len(scene), bool))).any()
    idle = replace(scene, rotational=False, disks=replace(scene.disks, wait_ms=scene.disks.wait_ms * np.nan))
    assert not saturated(idle).any()
