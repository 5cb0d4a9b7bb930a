"""Whole scenes whose truth is known, through the engine."""

from dataclasses import replace

import numpy as np
import pytest
from pools import Pool

from nasacct.reports.attribution import engine, episodes
from nasacct.reports.attribution.engine import attributed
from nasacct.reports.attribution.saturation import saturated
from nasacct.reports.attribution.scene import CLASSES, Members

FIRST, END = 400, 460


def entities(answer):
    return {each.name or each.kind: each for each in answer.verdict.entities}


def only(scene):
    (answer,) = attributed(scene)
    return answer, entities(answer)


def test_of_two_who_start_one_after_the_other_the_one_that_reads_from_disks_is_named():
    """The other reads much more, and all of it from memory, for longer than the disks are full."""
    pool = Pool()
    pool.read("one", FIRST, END, calls=330, miss=1)
    pool.read("two", FIRST - 40, END + 30, calls=3000, miss=0)
    answer, found = only(pool.scene())
    assert [each.name for each in answer.verdict.culprits] == ["one"]
    assert answer.verdict.verdict == "members"
    assert found["one"].share == pytest.approx(pool.share("one", FIRST, END), abs=0.12)
    assert found["two"].share < 0.1


def test_two_who_read_from_disks_are_both_named():
    """Each with about its share."""
    pool = Pool()
    pool.read("one", FIRST, END, calls=200, miss=1)
    pool.commit("two", FIRST + 6, END, calls=180)
    answer, found = only(pool.scene())
    assert {each.name for each in answer.verdict.culprits} == {"one", "two"}
    for name in ("one", "two"):
        assert found[name].share == pytest.approx(pool.share(name, FIRST, END), abs=0.12)


def test_who_starts_in_the_same_sample_and_reads_from_memory_makes_the_answer_less_sure():
    """Counters cannot tell the two apart, so neither may be called sure with nothing against it."""
    pool = Pool()
    for name in ("one", "two"):
        pool.read(name, FIRST, END, calls=330, miss=float(name == "one"))
    _, found = only(pool.scene())
    assert found["one"].high - found["one"].low > 0.3
    assert found["two"].high > 0.3


@pytest.mark.parametrize("local_seen", [False, True])
def test_when_a_scrub_fills_the_disks_no_member_is_named(local_seen):
    """It is known only if somebody counts what local work reads."""
    pool = Pool()
    pool.local(FIRST, END, mb=100)
    answer, found = only(pool.scene(local_seen=local_seen))
    assert [each.kind for each in answer.verdict.culprits] == ["local"]
    assert found["local"].share > 0.5
    if local_seen:
        assert answer.verdict.verdict == "local"


def test_a_slow_disk_is_named_and_no_member():
    """The disk takes twelve times as long as its IOs should."""
    pool = Pool()
    for name in pool.members:
        pool.read(name, 0, pool.samples, calls=150, miss=0.2)
    pool.slow[FIRST:END] = 12
    answer, _ = only(pool.scene(slow_disk=2))
    (culprit,) = answer.verdict.culprits
    assert (culprit.kind, culprit.name) == ("hardware", "disk2")
    assert answer.verdict.verdict == "hardware"


def test_who_gets_less_done_is_a_victim_and_not_a_culprit():
    """A culprit's own calls fall, too, and do not make it a victim."""
    pool = Pool()
    pool.read("one", FIRST, END, calls=330, miss=1)
    pool.activity[1, :, FIRST:END] /= 4
    answer, _ = only(pool.scene())
    assert answer.victims == ("two",)
    assert [each.name for each in answer.verdict.culprits] == ["one"]


def test_many_who_each_do_a_little_are_not_accused():
    """Forty members start a small job in the same minute."""
    names = tuple(f"m{at}" for at in range(40))
    pool = Pool(names, seed=5)
    pool.ios *= 0.1
    pool.activity *= 0.1
    pool.used *= 0.1
    for at, name in enumerate(names):
        pool.read(name, FIRST + at % 3, END, calls=10, miss=1)
    answer, _ = only(pool.scene())
    assert not [each for each in answer.verdict.culprits if each.kind == "member"]


def test_shares_sum_to_the_disk_time_that_was_measured():
    """Of members, local work and hardware; intervals hold their shares."""
    pool = Pool()
    pool.read("one", FIRST, END, calls=330, miss=1)
    _, found = only(pool.scene())
    assert sum(each.share for each in found.values()) == pytest.approx(1)
    assert sum(each.blame for each in found.values()) == pytest.approx(1)
    assert all(each.low <= each.share <= each.high for each in found.values())


def test_the_same_scene_gives_the_same_answer():
    """To the last digit."""
    pool = Pool()
    pool.read("one", FIRST, END, calls=330, miss=1)
    scene = pool.scene()
    assert attributed(scene) == attributed(scene)


def test_members_in_another_order_get_the_same_answers():
    """Nobody is accused for standing first."""
    pool = Pool()
    pool.read("two", FIRST, END, calls=330, miss=1)
    scene = pool.scene()
    order = [2, 0, 1]
    names = tuple(scene.members.names[at] for at in order)
    other = replace(scene, members=Members(names, scene.members.activity[order]))
    (_, here), (_, there) = only(scene), only(other)
    for name in names:
        assert here[name].share == pytest.approx(there[name].share, abs=0.05)
        assert here[name].culprit == there[name].culprit


def test_a_reader_whose_threads_waited_for_no_disk_costs_nothing():
    """Of two who start in the same sample, thread time tells which one reads from memory."""
    pool = Pool()
    for name in ("one", "two"):
        pool.read(name, FIRST, END, calls=330, miss=float(name == "one"))
    thread_s = np.full((3, pool.samples), 1.0)
    thread_s[1] = 0.001
    scene = pool.scene(members=Members(pool.members, pool.activity, thread_s=thread_s))
    answer, found = only(scene)
    assert [each.name for each in answer.verdict.culprits] == ["one"]
    assert found["two"].share < 0.1


def test_who_writes_what_has_to_be_read_first_is_to_blame_for_those_reads():
    """Parity of less than a stripe: each write has the disks read, and no local work did."""
    pool = Pool()
    pool.write("one", FIRST, END, mb=4)
    course = pool._course(FIRST, END)
    pool._disks(0, course * 190, course * 0.8, 0, 0)
    answer, found = only(pool.scene(local_seen=True))
    assert [(each.kind, each.name) for each in answer.verdict.culprits] == [("member", "one")]
    assert found["one"].share > 0.5


def test_what_a_scrub_is_known_to_have_read_is_not_a_readers():
    """A member begins to read from memory in the same sample, as much and by IOs of any size."""
    pool = Pool()
    pool.local(FIRST, END, mb=120)
    pool.read("two", FIRST, END, calls=2000, miss=0, size_mb=0.06)
    physical = np.zeros((3, pool.samples))
    answer, found = only(pool.scene(local_seen=True, members=Members(pool.members, pool.activity, None, physical)))
    assert [each.kind for each in answer.verdict.culprits] == ["local"]
    truth = pool.used[-1, FIRST:END].sum() / pool.used[:, FIRST:END].sum()
    assert found["local"].share == pytest.approx(truth, abs=0.3)


def test_what_a_scrub_is_known_to_have_read_is_sure_where_nobody_counts_physical_reads():
    """As on ZFS: what disks read for a scan is counted where they read it; what processes read may be from memory."""
    pool = Pool()
    pool.local(FIRST, END, mb=150)
    pool.read("two", FIRST, END, calls=2000, miss=0, size_mb=0.06)
    pool.hold()
    truth = pool.used[-1, FIRST:END].sum() / pool.used[:, FIRST:END].sum()
    answer, as_scan = only(pool.scene(scan_seen=True))
    _, as_processes = only(pool.scene(local_seen=True))
    assert answer.verdict.verdict == "local"
    assert abs(as_scan["local"].share - truth) < abs(as_processes["local"].share - truth)
    assert as_scan["two"].confidence < as_processes["two"].confidence / 2


def test_ios_beyond_what_somebodys_reads_can_take_are_not_theirs_whosever_the_bytes_are():
    """Somebody reads on by few large calls, while work that nobody counts makes the disks seek for next to no bytes."""
    pool = Pool()
    usual = 0.2 * pool.activity[:, CLASSES.index("read_mb")]
    pool.read("one", FIRST, END, calls=30, size_mb=1)
    pool._disks(len(pool.members), pool._course(FIRST, END) * 250, 0, 0, 0)
    pool.hold()
    physical = usual + [[1], [0], [0]] * (pool.activity[:, CLASSES.index("read_mb")] - 5 * usual)
    _, untold = only(pool.scene())
    answer, found = only(pool.scene(members=Members(pool.members, pool.activity, None, physical)))
    assert answer.verdict.unexplained > 0.1
    assert found["local"].share > 0.6 * untold["local"].share


def test_samples_that_are_missing_change_nothing_but_the_evidence():
    """One in ten is lost, and two minutes of the quiet hours."""
    pool = Pool()
    pool.read("one", FIRST, END, calls=330, miss=1)
    scene = pool.scene()
    present = np.random.default_rng(3).random(len(scene)) > 0.1
    present[200:212] = False
    activity = scene.members.activity.copy()
    activity[..., ~present] = np.nan
    answer, found = only(replace(scene, present=present, members=Members(pool.members, activity)))
    assert [each.name for each in answer.verdict.culprits] == ["one"]
    assert found["one"].share == pytest.approx(pool.share("one", FIRST, END), abs=0.15)


def test_when_no_hour_is_normal_all_disk_time_is_blamed():
    """A pool that is always full: blame is the share."""
    pool = Pool(samples=200)
    pool.read("one", 0, 200, calls=400, miss=1)
    _, found = only(pool.scene())
    assert found["one"].culprit
    assert all(each.blame == pytest.approx(each.share, abs=0.02) for each in found.values())


def test_a_pool_nobody_uses_and_no_samples_at_all():
    """No members, and nothing counted."""
    pool = Pool(members=())
    pool.local(FIRST, END, mb=110)
    answer, _ = only(pool.scene())
    assert [each.kind for each in answer.verdict.culprits] == ["local"]
    assert attributed(Pool(samples=0).scene()) == []
    assert attributed(Pool().scene()) == []


def test_a_model_is_that_of_whoever_is_there():
    """In whatever order; of who is new nothing is normal, and a call costs what it costs others."""
    pool = Pool()
    pool.read("one", FIRST, END, calls=330, miss=1)
    scene = pool.scene()
    found = episodes.found(saturated(scene), scene.present)
    model = engine.learned(scene, found)
    names = scene.members.names
    assert model.of(names) is model
    other = model.of((*reversed(names), "new"))
    assert other.costs.normal.tolist() == [*reversed(model.costs.normal.tolist()), 0]
    assert other.costs.own[-1].tolist() == model.costs.shared.tolist()
    turned = replace(scene, members=Members(names[::-1], scene.members.activity[::-1]))
    known, again = (engine.judged(each, found[0], found, model) for each in (scene, turned))
    shares = [{each.name: each.share for each in one.entities} for one in (known, again)]
    assert shares[0] == pytest.approx(shares[1], abs=0.05)


def test_a_named_window_is_judged_beside_an_episode_that_lies_in_it():
    """The minutes that somebody asks for count, whatever else was found."""
    pool = Pool()
    pool.read("one", FIRST, END, calls=330, miss=1)
    scene = pool.scene()
    found = episodes.found(saturated(scene), scene.present)
    named = episodes.Episode(FIRST - 6, END)
    judged = engine.looked_at(scene, named, found, engine.learned(scene, found), {"one": "member:7"})
    assert [each.name for each in judged.verdict.culprits] == ["member:7"]
    assert judged.window.inside.sum() == END - FIRST + 6
    parts = judged.fitted.parts.sum(axis=1)
    assert scene.members.names[int(parts.argmax())] == "one"
    assert 0.8 * judged.fitted.work < parts.sum() < 1.05 * judged.fitted.work
