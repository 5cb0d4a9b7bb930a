"""Pools whose special or log disks do not keep up while the others do, and the reverse: who did it, and of what."""

import logging
import shutil
from datetime import date
from zoneinfo import ZoneInfo

import mixed
import pytest
import series

from nasacct.reports import components, dossier_text, dossiers, facts, judging, minutes, models
from nasacct.reports.attribution.thresholds import Thresholds
from nasacct.reports.blame import blame
from nasacct.reports.episode_list import listed
from nasacct.reports.episodes import Ledger
from nasacct.reports.layout import layout
from nasacct.reports.lookout import Lookout
from nasacct.reports.naming import name_of
from nasacct.store import judged, root
from nasacct.store.check.whole import check
from nasacct.store.tree import Tree
from nasacct.store.warehouse import Warehouse

LIMITS = Thresholds()
DAY = date(2026, 11, 23)
BEGAN, ENDED = (int(at.timestamp()) for at in (mixed.BEGAN, mixed.ENDED))
LATER = ENDED + 3 * 86_400
#: Which disks are full, who did it and how.
TRUTH = {
    "special": ("102", "metadata"),
    "log": ("103", "sync_write"),
    "data": ("101", "random_read"),
}


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """A store of each situation."""
    where = tmp_path_factory.mktemp("mixed")
    for jam in (*TRUTH, "cache"):
        root.prepare(where / jam)
        series.write(mixed.text(jam), where / jam)
    return where


def told(store, pool=None):
    return dossiers.dossier(minutes.chosen(store, None), mixed.BEGAN, mixed.ENDED, pool)


def ledger(store):
    return Ledger(Tree(store, "nas1"), Warehouse(store, "nas1", ring=None), LIMITS)


@pytest.fixture(scope="module")
def judged_stores(stores, tmp_path_factory):
    """The same, of which the day of each class of disks was judged."""
    where = tmp_path_factory.mktemp("judged")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(judging, "_SETTLED_S", 0)
        for jam in TRUTH:
            store = shutil.copytree(stores / jam, where / jam)
            for pool, day in judging.missing(ledger(store), LATER):
                assert judging.judge(ledger(store), pool, day, LATER)
    return where


@pytest.fixture
def judged_days(judged_stores, tmp_path):
    """A copy of the store of a situation."""
    return lambda jam: shutil.copytree(judged_stores / jam, tmp_path / jam)


@pytest.mark.parametrize("full", TRUTH)
def test_the_class_of_disks_that_is_full_is_told_with_who_did_it(stores, full):
    """And nobody else is accused, such as who read from memory while the log was full; nor other disks of the pool."""
    guilty, how = TRUTH[full]
    found = told(stores / full)
    assert (found.pool, found.component, found.verdict) == ("tank", full, "members")
    assert [(each.entity, each.how) for each in found.culprits] == [(f"server:{guilty}", how)]
    assert found.culprits[0].share > 0.8
    assert found.saturated > 0.9
    text = dossier_text.text(found, ZoneInfo("UTC"))
    assert f"\nIts {full} disks did not keep up for " in text
    assert not any("did not keep up either" in each for each in found.caveats)
    (ruled_out,) = [each.why for each in found.ruled_out if each.what == "the data disks"] or [None]
    assert (ruled_out is None) == (full == "data")


@pytest.mark.parametrize("full", TRUTH)
def test_what_is_asked_for_is_answered(stores, full):
    """A pool: the worst of its classes; one of them. Of one that kept up nobody is at fault; which did not is said."""
    assert told(stores / full, "tank").component == full
    assert told(stores / full, f"tank/{full}").component == full
    other = "log" if full == "special" else "special"
    found = told(stores / full, f"tank/{other}")
    assert (found.component, found.saturated, found.culprits) == (other, 0, ())
    words = "" if full == "data" else f"{full} "
    said = f"the {words}disks of pool tank did not keep up either; ask for them with --pool tank/{full}"
    assert said.replace(" either", "") in found.caveats
    assert told(stores / full, "tank/data").component == "data"


def test_who_never_syncs_is_no_user_of_the_log(stores):
    """Its commits wait for nothing; and of readers nothing is the log's."""
    found = told(stores / "log")
    shares = {each.entity: each.share for each in found.entities}
    assert "server:104" not in shares
    assert shares.get("server:101", 0) < 0.02
    assert found.harmful is False


def test_a_cache_that_is_busy_is_no_episode(stores):
    """Whatever stands still meanwhile: those who wait for it wait for nothing else."""
    for pool in layout(Warehouse(stores / "cache", "nas1"), BEGAN * 1_000_000, ENDED * 1_000_000):
        assert "sdf" not in pool.disks
        day = ledger(stores / "cache").of(pool.name, DAY)
        assert day == []


@pytest.mark.parametrize("full", TRUTH)
def test_judged_days_tell_which_disks(judged_days, full):
    """Each class has a day, a model and facts of its own, and there is one episode, of the class that was full."""
    store = judged_days(full)
    kept = judged.listed(Tree(store, "nas1"))
    names = {"tank", "tank/special", "tank/log"}
    assert {(file.pool, file.kind) for file in kept} == {
        (name, kind) for name in names for kind in ("facts", "model", "used", "episodes")
    }
    assert judging.missing(ledger(store), LATER) == []
    (row,) = listed([ledger(store)], (BEGAN, ENDED), None, None, every=True)
    assert (row["pool"], row["component"], row["from"]) == ("tank", full, BEGAN)
    assert [each["name"] for each in row["verdict"]["entities"] if each["culprit"]] == [TRUTH[full][0]]
    assert row["harm"]["harmful"] == (full != "log")
    assert listed([ledger(store)], (BEGAN, ENDED), "tank", None, every=True) == [row]
    assert listed([ledger(store)], (BEGAN, ENDED), f"tank/{full}", None, every=True) == [row]
    other = "tank/log" if full == "data" else "tank/data"
    assert listed([ledger(store)], (BEGAN, ENDED), other, None, every=True) == []
    begin, end, asked = minutes.episode(Warehouse(store, "nas1"), row["id"], LIMITS)
    assert (int(begin.timestamp()), asked) == (BEGAN, f"tank/{full}")
    assert dossiers.dossier(Warehouse(store, "nas1"), begin, end, asked, row["id"], LIMITS).component == full
    assert check(store).findings == []


def test_what_disks_did_is_in_the_ledger_of_disk_time(judged_days):
    """Of each class apart, and together."""
    store = judged_days("special")

    def seconds(pool=None):
        return {row.entity: row.disk_s for row in blame(store, BEGAN - 3600, ENDED + 3600, pool=pool).rows}

    parts = [seconds(f"tank/{each}") for each in ("data", "special", "log")]
    for who, whole in seconds("tank").items():
        assert whole == pytest.approx(sum(part.get(who, 0) for part in parts))
    assert seconds() == seconds("tank")
    assert parts[1]["server:102"] > 200 > parts[0]["server:102"]
    assert "server:104" not in parts[2]


def test_what_was_judged_before_pools_had_components_is_of_their_data(judged_days):
    """Files of then are read as they are: without a word of components, and without files of others."""
    store = judged_days("data")
    tree = Tree(store, "nas1")
    for file in judged.listed(tree):
        if file.pool != "tank":
            file.path.unlink()
        elif file.kind == "episodes":
            said = judged.said(file)
            said["episodes"] = [{k: v for k, v in each.items() if k != "component"} for each in said["episodes"]]
            file.path.unlink()
            judged.write_text(tree, "tank", "episodes", DAY, {k: v for k, v in said.items() if k != "nasacct_judged"})
    assert check(store).findings == []
    (row,) = ledger(store).of("tank", DAY)
    assert (row["pool"], row["component"]) == ("tank", "data")
    assert models.at(tree, "tank", LATER).model.members == ("101", "102", "103", "104")
    assert judging.missing(ledger(store), LATER) == [("tank/log", DAY), ("tank/special", DAY)]


def test_facts_of_a_class_are_kept_with_what_was_beside(judged_days):
    """To the bit, so that thresholds of later find what these would have found."""
    store = judged_days("data")
    (file,) = [each for each in judged.listed(Tree(store, "nas1"), "tank/special") if each.kind == "facts"]
    again, pool = facts.kept(file), ledger(store).layout(DAY)["tank/special"]
    fresh = facts.of_time(Warehouse(store, "nas1"), pool, judged.start_of(DAY), judged.start_of(DAY) + 86_400)
    assert (again.beside[again.present] == fresh.beside[fresh.present]).all()
    inside = slice(again.sample(BEGAN), again.sample(ENDED))
    assert (again.beside[inside] > 0.95).all()
    # what it was like would be an episode if the disks beside it had not been full
    what_if = LIMITS.other({"busy": 1.1, "busy_stalled": 0.9, "full": 1.1, "sync_s": 1e5})
    assert ledger(store).by("tank/special", DAY, LIMITS) == []
    assert len(ledger(store).by("tank/special", DAY, what_if)) == 1


def test_the_lookout_knows_the_classes_of_days_that_were_judged(tmp_path, judged_days, caplog):
    """It tells within a minute which disks do not keep up."""
    store = judged_days("special")
    shutil.rmtree(store / "node=nas1" / "journal")
    series.write(mixed.text("special", after=0), store)
    Lookout(Tree(store, "nas1"), LIMITS, None, name_of).look()
    (told_,) = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    assert told_.startswith("the special disks of pool tank do not keep up since 2026-11-23T10:40:00Z: 100 % busy")
    assert set(judged.provisional(Tree(store, "nas1"))) == {"tank/special"}


def test_names_of_components_are_told_from_those_of_pools():
    """A slash is in no pool's name, but it may be in what is no pool of ZFS."""
    for pool, component in (("tank", "data"), ("tank", "special"), ("a/b", "data")):
        assert components.parted(components.name_of(pool, component)) == (pool, component)
    names = ["tank", "tank/log", "fast"]
    assert components.meant(names, None) == names
    assert components.meant(names, "tank") == ["tank", "tank/log"]
    assert components.meant(names, "tank/data") == ["tank"]
    assert components.meant(names, "tank/log") == ["tank/log"]
    assert components.meant(names, "tan") == []
