"""The scorer, on answers made by hand; the rules of others; what is printed."""

import json

import numpy as np
import pandas as pd
import pytest

from bench.attribution import measures, rivals, score
from bench.attribution.compared import seeds_of
from nasacct.reports.attribution.scene import CLASSES, Disks, Members, Scene

COLUMNS = "scenario pool start_ts end_ts entity share share_lo share_hi blame is_culprit confidence".split()


def truth(start, end, **of):
    """An episode of which member:a is guilty."""
    return {
        "pool": "tank", "start": start, "end": end, "minor": end - start < 120,
        "guilty": ["member:a"], "grey": ["member:g"], "top": "member:a", "local_blame": 0.0, "hardware_blame": 0.0,
        "share": {"member:a": 0.7, "member:b": 0.2, "member:g": 0.1},
        "blame": {"member:a": 0.8, "member:g": 0.15, "member:b": 0.05},
    } | of  # fmt: skip


@pytest.fixture
def judged(tmp_path):
    """A function: rows of answers held against episodes of one scenario."""

    def judge(episodes, rows):
        (tmp_path / "labels").mkdir()
        (tmp_path / "labels" / "s.json").write_text(json.dumps({"scenario": "s", "episodes": episodes}))
        (tmp_path / "index.csv").write_text("scenario,family,seed\ns,f,1\n")
        frame = pd.DataFrame([("s", "tank", *row) for row in rows], columns=COLUMNS)
        return score.judged(tmp_path / "labels", tmp_path / "index.csv", frame)

    return judge


def named(found):
    return {each.name: each.value for each in measures.of(found)}


def test_a_right_answer_is_right(judged):
    """Its errors are small, its intervals hold, and who is grey is neither right nor wrong."""
    rows = [
        (0, 600, "member:a", 0.66, 0.6, 0.8, 0.8, 1, 0.95),
        (0, 600, "member:g", 0.1, 0.05, 0.15, 0.25, 1, 0.6),
        (0, 600, "local", 0.2, 0.1, 0.3, 0.0, 0, 0.0),
    ]
    found = judged([truth(0, 600)], rows)
    (episode,) = found.episodes
    assert (episode.right, episode.wrong, episode.missed, episode.top) == (1, 0, 0, True)
    # a .04, g 0, local .2 of which nothing is true, b .2 of which nothing was said
    assert episode.error == pytest.approx((0.04 + 0 + 0.2 + 0.2) / 4)
    assert sorted(found.held) == [(False, 0.0), (False, pytest.approx(0.2)), (True, pytest.approx(0.2))]
    assert found.sure == [(0.95, True)]
    told = named(found)
    assert (told["precision"], told["recall"], told["top cause"], told["precision from .9 on"]) == (1, 1, 1, 1)
    assert told["calibration error"] == pytest.approx(0.05)


def test_an_accusation_where_nobody_is_guilty_is_false(judged):
    """And an episode of which nobody is the top cause is diffuse."""
    nobody = truth(0, 600, guilty=[], grey=[], top="diffuse", blame={"member:a": 0.1}, share={"member:a": 0.3})
    told = named(judged([nobody], [(0, 600, "member:b", 0.5, 0.4, 0.6, 0.5, 1, 0.9)]))
    assert (told["false accusation"], told["precision"], told["top cause"]) == (1, 0, 0)


def test_what_was_not_found_is_missed_and_what_was_not_there_is_false(judged):
    """Half of the shorter one has to overlap; an answer that only touches an episode is none, but not false."""
    rows = [(begin, end, "member:a", 1, 1, 1, 1, 1, 1) for begin, end in ((550, 1000), (2000, 2300))]
    found = judged([truth(0, 600)], rows)
    (episode,) = found.episodes
    assert (episode.found, episode.missed, episode.right) == (False, 1, 0)
    assert found.real == [True, False]
    assert np.isnan(episode.error)


def test_short_episodes_are_optional(judged):
    """Neither missed nor false."""
    found = judged([truth(0, 110)], [(0, 110, "member:b", 1, 1, 1, 1, 1, 1)])
    assert (found.episodes, found.real) == ([], [True])


def test_several_answers_of_one_episode_are_merged_by_time(judged):
    """Who was named for most of it was named."""
    rows = [
        (0, 400, "member:a", 0.6, 0.5, 0.7, 0.6, 1, 0.8),
        (400, 600, "member:b", 0.9, 0.8, 1.0, 0.9, 1, 0.9),
    ]
    (episode,) = (found := judged([truth(0, 600)], rows)).episodes
    assert (episode.right, episode.wrong, episode.missed) == (1, 0, 0)
    assert found.sure[0] == (pytest.approx(0.8 * 2 / 3), True)


def test_the_interval_of_a_part_of_few_is_wide():
    """Wilson's, of 9 of 10 and of none of 20."""
    assert measures.wilson(9, 10) == (pytest.approx(0.596, abs=1e-3), pytest.approx(0.982, abs=1e-3))
    assert measures.wilson(0, 20) == (0, pytest.approx(0.161, abs=1e-3))


def test_a_release_needs_every_measure(judged):
    """One that is out of its bounds is enough to say no, and is said."""
    right = [(0, 600, f"member:{each}", s, s - 0.1, s + 0.1, b, b > 0.2, float(b > 0.2))
             for each, s, b in (("a", 0.7, 0.8), ("b", 0.2, 0.05), ("g", 0.1, 0.15))]  # fmt: skip
    reached = measures.of(judged([truth(0, 600)], right))
    held = next(each for each in reached if each.name == "intervals that hold")
    assert held.value == 1  # more than 0.97: intervals that always hold say too little
    assert not measures.released(reached)
    others = [each for each in reached if each is not held]
    assert measures.released(others)
    assert "NOT reached" in measures.against(reached)
    assert "NOT" not in measures.against(others)


def test_nothing_of_the_kind_happened_is_no_failure():
    """Where no episode was, nothing can be measured."""
    assert measures.released(measures.of(score.Judgement()))
    assert "-" in measures.listed(measures.of(score.Judgement()))


def scene():
    """One reads much all the time, another begins when the disks fill; the third asks often for nothing."""
    samples, inside = 300, slice(200, 240)
    activity = np.zeros((3, len(CLASSES), samples))
    noise = np.random.default_rng(1).uniform(0.9, 1.1, samples)
    reads, read_mb, lookups = (CLASSES.index(each) for each in ("reads", "read_mb", "lookups"))
    activity[0, read_mb], activity[0, reads] = 100 * noise, 50 * noise
    activity[1, read_mb, inside], activity[1, reads, inside] = 10, 160
    activity[2, lookups] = 500 * noise
    busy = np.full(samples, 0.3)
    busy[inside] = 1.0
    disk = np.stack([busy])
    disks = Disks(("d",), disk * 100, disk, disk, disk, disk, disk, disk * 5)
    none = np.zeros(samples)
    members = Members(("much", "new", "often"), activity)
    return Scene("tank", True, True, 0, np.ones(samples, bool), disks, members, none, none, none)


@pytest.mark.parametrize(
    ("rule", "culprits"),
    [("byte share", {"much"}), ("operation share", {"often", "new"}), ("correlation", {"new"}), ("deviation", {"new"})],
)
def test_each_rule_accuses_by_what_it_looks_at(rule, culprits):
    """Shares sum to 1, of those who are shown."""
    rows = list(rivals.method(rivals.RULES[rule])(scene()))
    assert {row[:2] for row in rows} == {(200, 240)}
    assert {name.removeprefix("member:") for _, _, name, *_, culprit, _ in rows if culprit} == culprits
    assert sum(row[3] for row in rows) == pytest.approx(1, abs=0.05)


def test_seeds_are_those_of_today_unless_given():
    """Three, and no others on the same day."""
    assert seeds_of("4,5") == [4, 5]
    assert seeds_of(None) == seeds_of(None)
    assert len(set(seeds_of(None))) == 3
