"""Scenes put one behind the other."""

from dataclasses import replace

import numpy as np
import pytest
from pools import Pool

from nasacct.reports.attribution import engine
from nasacct.reports.attribution.joined import GAP, joined
from nasacct.reports.attribution.scene import CLASSES, STEP_S, Members


def part(scene, first, end):
    """The samples of a scene from one to another."""
    cut = {name: getattr(scene, name)[first:end] for name in ("present", "some", "full", "sync_s")}
    disks = replace(
        scene.disks,
        **{
            name: getattr(scene.disks, name)[:, first:end]
            for name in ("reads", "read_mb", "writes", "write_mb", "busy", "queue", "wait_ms")
        },
    )
    members = Members(scene.members.names, scene.members.activity[..., first:end])
    return replace(scene, start=scene.moment(first), disks=disks, members=members, **cut)


def test_a_scene_in_pieces_is_the_scene():
    """Learnt from, too: single precision changes nothing that matters."""
    scene = Pool(("one", "three", "two")).scene()
    whole, begins = joined([part(scene, 0, 300), part(scene, 300, 720)])
    assert begins == [0, 300]
    assert np.array_equal(whole.disks.busy, scene.disks.busy)
    assert whole.members.activity == pytest.approx(scene.members.activity, rel=1e-6)
    one, other = engine.learned(scene, []), engine.learned(whole, [])
    assert other.costs.shared == pytest.approx(one.costs.shared, rel=1e-3)
    assert other.costs.factors == pytest.approx(one.costs.factors, rel=1e-2)


def test_pieces_that_are_apart_have_a_gap_that_is_not_present():
    scene = Pool().scene()
    whole, begins = joined([part(scene, 0, 100), part(scene, 300, 400)])
    assert begins == [0, 100 + GAP]
    assert whole.present.tolist() == [*[True] * 100, *[False] * GAP, *[True] * 100]
    assert np.isnan(whole.disks.busy[:, 100 : 100 + GAP]).all()


def test_who_is_not_in_a_piece_did_nothing_there_and_what_nobody_counted_is_not_known():
    """Members and disks come and go; a source may be switched on."""
    first, second = Pool(("one", "two"), 50).scene(), Pool(("two", "three"), 60, disks=2).scene()
    second = replace(second, start=first.moment(50))
    threads = np.ones((2, 60))
    second = replace(second, members=replace(second.members, thread_s=threads), local_mb=np.ones(60))
    second = replace(second, beside=np.ones(60), scanned_mb=np.ones(60))
    whole, _ = joined([first, second])
    assert whole.members.names == ("one", "three", "two")
    assert whole.members.activity.shape == (3, len(CLASSES), 110)
    assert not whole.members.activity[0, :, 50:].any()
    assert np.isnan(whole.members.thread_s[:, :50]).all()
    assert whole.members.thread_s[:, 50:].tolist() == [[0.0] * 60, [1.0] * 60, [1.0] * 60]
    assert np.isnan(whole.local_mb[:50]).all()
    assert np.isnan(whole.beside[:50]).all()
    assert np.isnan(whole.scanned_mb[:50]).all()
    assert whole.beside[50:].tolist() == [1.0] * 60
    assert np.isnan(whole.disks.busy[2:, 50:]).all()
    assert whole.moment(len(whole)) == first.start + STEP_S * 110
