"""The simulator of scenarios: what disks do is what was asked of them, and the same seed is the same scenario."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bench.attribution.scenario import SIGNALS, scenes
from bench.scenarios import asked, counters, situations, truth
from bench.scenarios.__main__ import main
from bench.scenarios.asked import Local, gathered
from bench.scenarios.disks import BLOCK_MB, KINDS
from bench.scenarios.memory import Memory
from bench.scenarios.pool import Pool, simulated
from bench.scenarios.work import Work
from bench.scenarios.writeback import Writeback
from nasacct.reports.attribution.scene import CLASSES

SECONDS = 600


def numbers(**of):
    """A stream's numbers, those of a work that does nothing but what is said."""
    return asked.numbers(np.random.default_rng(0), of)


def pool(kind, *streams, local=(), memory_mb=10_000.0, **other):
    """A pool of a kind with streams of (rounds a second, numbers)."""
    rows = [(at, np.full(SECONDS, float(rounds)), table) for at, (rounds, table) in enumerate(streams)]
    memory = np.full(SECONDS, memory_mb)
    return Pool(KINDS[kind], gathered(rows), list(local), memory, dirty_mb=2000, period_s=5, **other)


COLD = {"reads": 1, "read_kb": 128, "set_mb": 1e6}


@pytest.mark.parametrize("kind", KINDS)
def test_disks_read_what_was_not_in_memory_and_what_local_jobs_read(kind):
    """And nothing else, but for what a layout has to read before it writes."""
    scrub = Local("scrub", np.full(SECONDS, 0.2), {"read_kb": 256, "near": 1.0, "outstanding": 4})
    writer = numbers(writes=1, write_kb=16, in_place=1, record_kb=16)
    made = pool(kind, (8, numbers(**COLD)), (10, writer), local=[scrub])
    course, work = simulated(made), Work(KINDS[kind], made.streams, synced=True)
    uncached = course.read_mb.sum()
    assert uncached <= course.done[:, 0].sum() * 0.131072 * 1.001
    before_writes = KINDS[kind].small[0] * BLOCK_MB * course.done[:, 1].sum() * (not KINDS[kind].transactional)
    read = course.disk["read_mb"].sum()
    assert read == pytest.approx(uncached + course.local_mb.sum() + before_writes, rel=0.02)
    # what is written is on the disks, as often as the layout says, but for the last seconds
    assert course.disk["write_mb"].sum() == pytest.approx(work.write_mb[1] * course.done[:, 1].sum(), rel=0.1)
    assert work.write_mb[1] >= 0.016384 * min(KINDS[kind].copies, 2) * 0.99


def test_a_reader_from_memory_costs_no_disk_time():
    """As much as it reads, and beside somebody who fills the disks."""
    made = pool("raidz2", (500, numbers(reads=1, read_kb=128, set_mb=300)), (1000, numbers(**COLD)))
    course = simulated(made)
    assert course.time[60:, 0].sum() < 0.01 * course.time[:, 1].sum()
    assert course.done[60:, 0].mean() == pytest.approx(500, rel=0.02)
    assert course.busy[60:].min() > 0.99


def test_memory_that_shrinks_makes_readers_read_from_disks():
    """Who asks for the same as before costs disk time then."""
    made = pool("zfs_mirrors", (60, numbers(reads=1, read_kb=128, set_mb=3000)))
    shrinks = made.memory_mb.copy()
    shrinks[300:] = 300
    course = simulated(replace(made, memory_mb=shrinks))
    assert course.time[200:300].mean() < 0.02
    assert course.time[400:].mean() > 0.1


def test_no_more_disk_time_is_used_than_there_is_and_others_get_less():
    """A neighbour of a full disk gets fewer calls done than it asks for; alone it got all."""
    quiet, small = numbers(**COLD), numbers(**COLD | {"outstanding": 2})
    alone = simulated(pool("raidz2", (20, small)))
    beside = simulated(pool("raidz2", (20, small), (5000, quiet | {"outstanding": 32.0})))
    assert alone.done[:, 0].mean() == pytest.approx(20, rel=0.01)
    assert beside.done[60:, 0].mean() < 15
    assert (beside.time.sum(axis=1) + beside.local_time.sum(axis=1)).max() <= 1 + 1e-9


def test_ios_of_local_jobs_wait_at_disks_too():
    """So disks' mean wait tells of a scrub that keeps many in flight."""
    depths = []
    for outstanding in (2, 32):
        scrub = Local("scrub", np.full(SECONDS, 3.0), {"read_kb": 256, "near": 1.0, "outstanding": outstanding})
        depths.append(simulated(pool("zfs_mirrors", (5, numbers(**COLD)), local=[scrub])).depth[60:].mean())
    assert depths[1] - depths[0] == pytest.approx(30 / KINDS["zfs_mirrors"].disks, rel=0.1)


def test_a_slow_disk_holds_all_of_them_up_and_is_to_blame():
    """What it takes too long is nobody's."""
    made = pool("raidz2", (30, numbers(**COLD)))
    slower = np.ones(SECONDS)
    slower[300:] = 8
    course = simulated(replace(made, slower=slower))
    used = truth.used(course, made.streams.member, 1, slower)
    assert used[:30, 2].sum() == 0
    assert used[35:, 2].sum() == pytest.approx(7 * used[35:, 0].sum(), rel=0.01)
    (found,) = truth.episodes(truth.by_step(course.busy), truth.by_step(course.backlog_s))
    assert found[0] == pytest.approx(30, abs=1)


def test_what_is_written_reaches_the_disks_later():
    """With the next transaction group, or when pages are old."""
    for transactional, earliest, latest in ((True, 1, 6), (False, 30, 36)):
        dirty = Writeback(np.ones(1), np.ones(1), 1e6, transactional, 5 if transactional else 30)
        dirty.add(np.ones(1))
        at = next(second for second in range(60) if dirty.due(second) > 0 or (dirty.add(np.zeros(1)) or False))
        assert earliest <= at <= latest


def test_memory_holds_what_is_asked_for_most():
    """Of two sets that do not fit, the one that is read more is there more; all that comes in pushes something out."""
    memory = Memory.warm(np.array([800.0, 800.0]), np.array([40.0, 4.0]), np.zeros(2, bool), 1000.0)
    often, seldom = memory.misses(np.zeros(2, bool))
    assert often < 0.2 < seldom
    memory.after(np.array([0.0, 500.0]), np.array([40.0, 4.0]), 1000.0, 5.0)
    assert memory.held_mb.sum() == pytest.approx(1000, rel=1e-3)


def test_who_is_guilty_is_who_caused_the_increase():
    """Not who always takes much."""
    work = np.full((200, 4), [0.5, 0.02, 0.0, 0.0])
    work[100:130, 1] = 0.48
    (label,) = truth.labels(work, [(100, 130)], ["large", "new"])
    assert label["guilty"] == ["member:new"]
    assert label["top"] == "member:new"
    assert label["share"]["member:large"] == pytest.approx(0.5 / 0.98, abs=1e-3)
    assert label["blame"]["member:new"] == pytest.approx(1)


@pytest.mark.parametrize("family", situations.families())
def test_every_family_can_be_made(family):
    """Its words are known, its numbers are drawn, and nobody's number decides another's name."""
    made = situations.made(family, 1)
    assert made.pool.streams.rounds.shape[0] == len(made.pool.memory_mb)
    assert made.pool.streams.member.max() < made.members
    assert situations.told(family)["about"]


def scenario(folder, family, seed=5):
    """A scenario's folder, of the first forty minutes."""
    made = situations.made(family, seed)
    part = slice(2400, 4800)
    streams = replace(made.pool.streams, rounds=made.pool.streams.rounds[part])
    local = [replace(each, wanted=each.wanted[part]) for each in made.pool.local]
    short = replace(made.pool, streams=streams, local=local, memory_mb=made.pool.memory_mb[part])
    made = replace(made, pool=short)
    counters.written(made, simulated(short), folder / "data" / "one", folder / "labels")
    return made, folder / "data" / "one"


def test_the_same_seed_is_the_same_scenario(tmp_path):
    """To the last count, and another seed is not."""
    frames = [
        pd.read_parquet(scenario(tmp_path / name, "twins", seed)[1] / "member.parquet")
        for name, seed in (("a", 5), ("b", 5), ("c", 6))
    ]
    pd.testing.assert_frame_equal(frames[0], frames[1])
    assert not frames[0].equals(frames[2])


def test_what_is_written_is_read_as_a_scene(tmp_path):
    """By the reader that the engine's bench has, with every signal; the counters grow by what was done."""
    made, folder = scenario(tmp_path, "reader_nfs3")
    (scene,) = scenes(folder)
    assert scene.members.names == tuple(sorted(scene.members.names, key=scene.members.names.index))
    assert len(scene.members.names) == made.members
    assert scene.members.thread_s is not None
    assert (scene.members.physical_mb is None) == scene.transactional
    assert scene.local_mb is not None
    done = simulated(made.pool).done
    reads = np.zeros((made.members, 240))
    np.add.at(reads, made.pool.streams.member, truth.by_step(done * made.pool.streams["reads"]).T)
    found = scene.members.activity[:, CLASSES.index("reads"), 1:]
    assert found == pytest.approx(reads[:, 1:], abs=0.2 + 0.07 * reads.max())
    assert np.nanmax(scene.disks.busy) <= 1.05


def test_a_signal_that_nobody_counts_is_not_there(tmp_path):
    """Without procedures, calls over NFSv3 are told by their bytes."""
    made, folder = scenario(tmp_path, "twins_nfs3")
    (scene,) = scenes(folder, without=SIGNALS)
    assert made.nfs3.all()
    assert (scene.members.thread_s, scene.members.physical_mb, scene.local_mb) == (None, None, None)
    (known,) = scenes(folder)
    commits, read_mb = CLASSES.index("commits"), CLASSES.index("read_mb")
    assert not np.nansum(scene.members.activity[:, commits])
    assert np.nansum(known.members.activity[:, commits])
    assert scene.members.activity[:, read_mb, 1:] == pytest.approx(known.members.activity[:, read_mb, 1:])


def test_a_family_that_does_not_exist_is_said(tmp_path, capsys):
    """With those that do."""
    assert main([str(tmp_path), "--only", "twins,nonsense"]) == 64
    said = capsys.readouterr().err
    assert "nonsense" in said
    assert "random_reader" in said
