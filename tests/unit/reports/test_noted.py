"""What was noted is kept out of what is normal."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pools import START, Pool

from nasacct.reports.attribution import engine
from nasacct.reports.attribution.scene import STEP_S
from nasacct.reports.noted import noted
from nasacct.store.notes import Note

SAMPLES = 40
SCENE = Pool(samples=SAMPLES).scene()


def note(since_s, until_s):
    """From one second after the scene's start to another."""
    since, until = (round((START + s) * 1_000_000) for s in (since_s, until_s))
    return Note("2a4f09c1", "x", since, until, ("nas1",), None, datetime(2026, 11, 27, tzinfo=UTC), None)


@given(
    spans=st.lists(
        st.tuples(st.integers(-900, 900), st.integers(0, 900)).map(lambda s: (s[0] / 2, (s[0] + s[1]) / 2)), max_size=3
    )
)
def test_a_sample_is_noted_when_a_note_touches_it(spans):
    """By the definition, µs by µs; a moment is in one sample."""
    found = noted(SCENE, [note(*span) for span in spans])
    for at in range(SAMPLES):
        first, end = STEP_S * at, STEP_S * (at + 1)
        touched = [since < end and (until > first or first <= since == until) for since, until in spans]
        assert found[at] == any(touched)


def test_what_was_noted_is_not_normal():
    """A member who did much while a disk was replaced is not taken for one who always does."""
    pool = Pool(samples=720)
    pool.read("one", 100, 300, calls=120, miss=1)
    scene = pool.scene()
    flags = noted(scene, [note(100 * STEP_S, 300 * STEP_S)])
    with_it, without = engine.learned(scene, []), engine.learned(scene, [], flags)
    truth = pool.used[0, ~flags].mean()
    assert with_it.costs.normal[0] > 2 * truth
    assert without.costs.normal[0] == pytest.approx(truth, rel=0.4)
    assert not np.array_equal(with_it.device.costs, without.device.costs)


def test_long_notes_make_no_pool_always_overloaded():
    """What is left is what is normal, however little it is."""
    scene = Pool(samples=1000).scene()
    flags = np.ones(1000, bool)
    flags[:100] = False
    assert not engine.learned(scene, [], flags).costs.chronic
    alone = engine.learned(replace(scene, present=~flags), [])
    assert engine.learned(scene, [], flags).costs.normal == pytest.approx(alone.costs.normal)
