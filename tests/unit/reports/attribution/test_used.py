"""Whose disk time was, of made-up pools whose truth is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pools import Pool

from nasacct.reports.attribution import engine, episodes
from nasacct.reports.attribution.saturation import saturated
from nasacct.reports.attribution.used import Judged, used

FIRST, END = 400, 460


def learned(scene):
    return engine.learned(scene, episodes.found(saturated(scene), scene.present))


def test_whose_disk_time_was_in_normal_hours():
    """Shares are about right, though of who used little the mean of all is said."""
    pool = Pool()
    pool.read("two", 100, 300, calls=150, miss=0.6)
    pool.read("one", 500, 650, calls=150, miss=0.6)
    scene = pool.scene()
    found = used(scene, learned(scene))
    shares = [each.sum(axis=-1) / found.whole.sum() for each in (found.members, pool.used[:-1] * 10)]
    assert shares[0] == pytest.approx(shares[1], abs=0.1)
    assert found.nobodys.sum() < 0.15 * found.whole.sum()


def test_what_nobodys_requests_explain_is_nobodys():
    """A scrub is not divided among members."""
    pool = Pool()
    pool.local(FIRST, END, mb=100)
    scene = pool.scene()
    found = used(scene, learned(scene))
    inside = slice(FIRST, END)
    assert found.nobodys[inside].sum() > 0.6 * found.whole[inside].sum()


def test_an_episode_that_was_judged_is_divided_by_its_verdict():
    """What it gave nobody is nobody's."""
    pool = Pool()
    scene = pool.scene()
    verdict = Judged(FIRST, END, {"one": 0.75, "gone": 0.1})
    found, before = used(scene, learned(scene), [verdict]), used(scene, learned(scene))
    inside = np.zeros(len(scene), bool)
    inside[FIRST:END] = True
    assert found.members[0, inside] == pytest.approx(0.75 * found.whole[inside])
    assert not found.members[1:, inside].any()
    assert np.array_equal(found.members[:, ~inside], before.members[:, ~inside])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 199), max_size=40))
def test_parts_are_the_whole(seed, missing):
    """Of whatever was asked; nothing is divided of what was not measured."""
    pool = Pool(samples=200, seed=seed)
    present = np.ones(200, bool)
    present[missing] = False
    scene = pool.scene(present=present)
    found = used(scene, learned(scene))
    assert (found.members >= 0).all()
    assert found.members.sum(axis=0) + found.nobodys == pytest.approx(found.whole)
    assert not found.whole[missing].any()
    assert found.whole.sum() == pytest.approx(np.median(scene.disks.busy, axis=0)[present].sum() * 10)
