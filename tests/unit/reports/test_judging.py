"""Judging days: recomputed is what was kept, to the byte; whom it accuses on a real recording; when it waits."""

import json
import shutil
import threading
from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasacct.cli import chores
from nasacct.config.tables import Config
from nasacct.reports import judging, models, sureness
from nasacct.reports.attribution.thresholds import Thresholds
from nasacct.reports.episodes import Ledger, by_id
from nasacct.store import judged
from nasacct.store.check.whole import check
from nasacct.store.keep import ChoreError
from nasacct.store.segments import SegmentError
from nasacct.store.tree import Tree
from nasacct.store.warehouse import Warehouse

DAY = date(2026, 11, 23)
LATER = datetime(2026, 11, 27, tzinfo=UTC).timestamp()
#: By these the three who saturated the disk, half a minute one after the other, are three episodes.
APART = Thresholds(leave=2, merge_s=0)


@pytest.fixture(scope="module")
def demo(replayed_demo, tmp_path_factory):
    """Eleven minutes of six real NFS servers on one throttled disk, which had booted just before."""
    return shutil.copytree(replayed_demo, tmp_path_factory.mktemp("demo") / "store")


@pytest.fixture
def settled(monkeypatch):
    """Nothing is withheld because the recording's machine had just booted."""
    monkeypatch.setattr(judging, "_SETTLED_S", 0)


def ledger(where, limits=APART):
    return Ledger(Tree(where, "nas"), Warehouse(where, "nas"), limits)


def files(where):
    return {file.path.name: file.path.read_bytes() for file in judged.listed(Tree(where, "nas"))}


@pytest.fixture
def clean(demo):
    """The demo, of which nothing was judged."""
    for file in judged.listed(Tree(demo, "nas")):
        file.path.unlink()
    return demo


def test_who_saturated_a_real_disk_is_kept(clean, settled):
    """Random reads, synced writes, a storm of metadata: the three servers of the truth, one an episode, not surely."""
    assert judging.judge(ledger(clean), "nas", DAY, LATER)
    told = ledger(clean).of("nas", DAY)
    named = [[each["name"] for each in one["verdict"]["entities"] if each["culprit"]] for one in told]
    assert named == [["102"], ["103"], ["105"]]
    for one in told:
        culprit = one["verdict"]["entities"][0]
        assert culprit["kind"] == "server"
        assert culprit["share"] > 0.5
        assert 0.5 <= culprit["confidence"] < 0.8  # there is no day of history
        assert by_id(Tree(clean, "nas"), one["id"])["verdict"] == one["verdict"]
    assert check(clean).findings == []


def test_what_is_judged_again_is_the_same_to_the_byte(clean, settled):
    """From the store, whenever that is; and what facts say is what usage says."""
    judging.judge(ledger(clean), "nas", DAY, LATER)
    before = files(clean)
    for file in judged.listed(Tree(clean, "nas")):
        file.path.unlink()
    judging.judge(ledger(clean), "nas", DAY, LATER + 1e6)
    assert files(clean) == before
    for file in judged.listed(Tree(clean, "nas")):
        if file.kind == "episodes":
            file.path.unlink()
    again = ledger(clean)
    found = again.by("nas", DAY, APART)
    told = json.loads(before[next(name for name in before if name.startswith("episodes"))])["episodes"]
    assert [one | {"verdict": None, "harm": None, "causes": []} for one in told] == found


def test_a_model_that_was_kept_judges_as_it_did(clean, settled):
    """Every number of it, and so the verdict."""
    before = ledger(clean)
    learnt = models.learnt(before, "nas", DAY)
    file = judged.write_table(before.tree, "nas", "model", DAY, models.table(learnt), models.said(learnt))
    again = models.at(before.tree, "nas", LATER)
    assert models.at(before.tree, "nas", judged.start_of(DAY) - 1) is None
    for name in ("kernel", "full", "shared", "factors", "usual", "normal", "background", "jitter"):
        assert np.array_equal(getattr(again.model.costs, name), getattr(learnt.model.costs, name))
    assert (again.model.members, again.model.costs.chronic) == (learnt.model.members, learnt.model.costs.chronic)
    assert np.array_equal(again.model.device.seconds, learnt.model.device.seconds)
    assert np.array_equal(again.answers.answer_ms, learnt.answers.answer_ms, equal_nan=True)
    file.path.write_bytes(b"PAR1")
    with pytest.raises(SegmentError):
        models.at(before.tree, "nas", LATER)


def test_nothing_is_said_of_members_just_after_boot(clean):
    """Of the machine itself something may be."""
    judging.judge(ledger(clean), "nas", DAY, LATER)
    first = ledger(clean).of("nas", DAY)[0]
    assert first["verdict"]["verdict"] == "unknown"
    assert first["verdict"]["withheld"].startswith("the node had booted ")
    assert all(each["kind"] != "server" for each in first["verdict"]["entities"])


def test_a_day_that_may_still_change_is_not_judged(clean):
    """Unless nothing newer has come for hours; then it is, and is not missing any more."""
    end = judged.start_of(DAY) + 86_400
    assert judging.missing(ledger(clean), end - 1) == []
    assert judging.missing(ledger(clean), end + 60) == [("nas", DAY)]
    assert not judging.judge(ledger(clean), "nas", DAY, end + 60)
    assert files(clean) == {}
    assert judging.judge(ledger(clean), "nas", DAY, end + 7 * 3600)
    assert judging.missing(ledger(clean), LATER) == []


def test_a_keeper_that_dies_between_files_goes_on(clean, monkeypatch):
    """What it has kept is whole; the next one makes the rest."""

    def die(*_):
        raise KeyboardInterrupt

    for name in ("write_text", "write_table"):
        with monkeypatch.context() as patched:
            patched.setattr(judging.judged, name, die)
            with pytest.raises(KeyboardInterrupt):
                judging.judge(ledger(clean), "nas", DAY, LATER)
        assert check(clean).findings == []
    assert judging.missing(ledger(clean), LATER) == [("nas", DAY)]
    assert judging.judge(ledger(clean), "nas", DAY, LATER)


def test_the_chore_judges_in_a_process_of_its_own(clean):
    """Once; when all is judged it does not even begin one, and `stop` ends it."""
    config = Config(root=clean, node="nas")
    doing, tree = chores.Chores(config), Tree(clean, "nas")
    doing.begin(tree)
    stopped = threading.Event()
    stopped.set()
    doing.do(tree, stopped)
    assert files(clean) == {}
    doing = chores.Chores(config)
    doing.do(tree, threading.Event())
    assert {file.kind for file in judged.listed(tree)} == {"facts", "model", "used", "episodes"}
    assert not chores.lacking(tree, LATER)
    doing.end()


def test_a_chore_that_fails_is_told(clean, monkeypatch):
    """And is tried again later, not each minute."""
    asked = []
    monkeypatch.setattr(chores, "_apart", lambda *_: asked.append(1) or -9)
    doing, tree = chores.Chores(Config(root=clean, node="nas")), Tree(clean, "nas")
    with pytest.raises(ChoreError, match="status -9"):
        doing.do(tree, threading.Event())
    doing.do(tree, threading.Event())
    assert asked == [1]


def test_without_the_packages_it_is_said_once(clean, monkeypatch, caplog):
    monkeypatch.setattr(chores, "_NEEDED", ("no_such_package",))
    doing, tree = chores.Chores(Config(root=clean, node="nas")), Tree(clean, "nas")
    for _ in range(2):
        doing.do(tree, threading.Event())
    assert [record.getMessage() for record in caplog.records].count(
        "episodes are not judged: that takes nasacct[reports], which is not installed"
    ) == 1


@given(
    st.lists(st.tuples(st.integers(0, 167), st.integers(0, 360)), unique_by=lambda each: each[0]), st.integers(1, 60)
)
def test_hours_are_as_many_as_are_allowed_and_calm_if_any_are(hours, most):
    """In order, each once, and more than one day's when there are more."""
    hours = sorted(hours)
    given_hours = [3600 * hour for hour, _ in hours]
    found = models.spread(given_hours, [quiet for _, quiet in hours], most) if hours else []
    assert found == sorted(set(found))
    assert set(found) <= set(given_hours)
    assert len(found) <= most
    calm = {3600 * hour for hour, quiet in hours if quiet >= 180}
    if 2 * len(calm) >= min(most, len(hours)):
        assert set(found) <= calm
        assert len(found) == min(most, len(calm))


def test_with_many_servers_few_hours_are_looked_at():
    assert [models.most_of(servers) for servers in (0, 30, 1000, 100_000)] == [48, 48, 6, 2]


@given(st.floats(0, 1), st.floats(0, 1))
def test_without_a_day_of_history_the_same_are_named_and_none_surely(one, other):
    """In the same order."""
    assert (sureness.below_sure(one) >= 0.5) == (one >= 0.5)
    assert sureness.below_sure(one) < 0.8
    assert (sureness.below_sure(one) <= sureness.below_sure(other)) == (one <= other) or abs(one - other) < 1e-9


def test_thresholds_are_those_that_were_configured(clean):
    """And the file says which."""
    config = Config(root=clean, node="nas", episodes={"leave": 2, "merge_s": 0})
    assert chores.judged_days(config, clean, "nas", LATER) == 0
    (file,) = [each for each in judged.listed(Tree(clean, "nas")) if each.kind == "episodes"]
    assert judged.said(file)["thresholds"] == replace(APART).told()
    assert len(judged.said(file)["episodes"]) == 3
