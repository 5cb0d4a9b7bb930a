"""Harm: who was hurt, and that a busy disk is no harm by itself."""

from dataclasses import replace

import numpy as np
import pytest
from pools import Pool

from nasacct.reports.attribution.episodes import Episode
from nasacct.reports.attribution.harm import Usual, harm, usual
from nasacct.reports.attribution.scene import Members

FIRST, END = 400, 460
EPISODE = Episode(FIRST, END)
NAMES = ("one", "two", "three", "four")


def scene(slower, usual_ms=2.0, *, counted=True):
    """A pool each of whose members' calls take so many times as long in the episode as else."""
    found = Pool(NAMES).scene()
    calls = found.members.activity[:, [0, 2, 4, 5, 6, 7]].sum(axis=1)
    threads = calls * usual_ms / 1e3
    for at, times in enumerate(slower):
        threads[at, FIRST:END] *= times
    return replace(found, members=Members(NAMES, found.members.activity, threads if counted else None))


def test_several_whose_calls_take_much_longer_than_usual_are_hurt():
    """And told with how long they took and usually take; who caused it is not one of them."""
    found = harm(scene([10, 8, 1, 10]), EPISODE, {"four"}, None)
    assert (found.harmful, found.by, found.others) == (True, "answers", 3)
    assert [each.name for each in found.hurt] == ["one", "two"]
    assert (found.hurt[0].answer_ms, found.hurt[0].usual_ms) == (pytest.approx(20), pytest.approx(2))


@pytest.mark.parametrize(
    ("slower", "usual_ms"),
    [
        ([1, 1, 1, 1], 2.0),  # nobody waits: busy, and harmless
        ([10, 1, 1, 1], 2.0),  # one may have reasons of its own
        ([4, 4, 4, 4], 1.0),  # much longer, but nobody notices 4 ms
        ([1.5, 1.5, 1.5, 1.5], 50.0),  # slow as ever
    ],
)
def test_busy_is_no_harm(slower, usual_ms):
    assert harm(scene(slower, usual_ms), EPISODE, set(), None).harmful is False


def test_a_model_knows_better_what_is_usual():
    """What was before an episode may have been slow already."""
    seen = scene([10, 10, 1, 1])
    calm = np.ones(len(seen), bool)
    calm[FIRST:END] = False
    normal = usual(seen, calm)
    assert normal.answer_ms == pytest.approx([2, 2, 2, 2])
    assert harm(seen, EPISODE, set(), normal).harmful
    slow = Usual(NAMES, np.array([20.0, 20.0, 20.0, np.nan]))
    assert not harm(seen, EPISODE, set(), slow).harmful
    assert np.isnan(normal.of(("five",))[0])


def test_where_nobody_counts_the_time_inside_calls_that_are_not_made_tell():
    """Less surely, and said so."""
    seen = scene([1, 1, 1, 1], counted=False)
    assert harm(seen, EPISODE, set(), None).harmful is False
    seen.members.activity[:3, :, FIRST:END] *= 0.3
    found = harm(seen, EPISODE, {"three"}, None)
    assert (found.harmful, found.by, [each.name for each in found.hurt]) == (True, "calls", ["one", "two"])
    assert found.hurt[0].answer_ms is None
    late = harm(seen, Episode(0, 60), set(), None)
    assert (late.harmful, late.by) == (None, None)


def test_alone_there_is_nobody_to_hurt():
    """The only one who uses a pool, and causes it; one other is enough when there is only one other."""
    seen = scene([10, 10, 10, 10])
    assert harm(seen, EPISODE, set(NAMES), None).harmful is False
    assert harm(seen, EPISODE, {"one", "two", "three"}, None).harmful is True
    none = replace(seen, present=np.zeros(len(seen), bool))
    assert harm(none, EPISODE, set(), None).harmful is None
