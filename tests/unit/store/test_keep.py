"""The keeper: nothing is lost and nothing counts twice, whenever it runs and wherever it is killed."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from journals import Recorder
from kept import AT_ONCE, RULES, added, at, everything, in_segments, levels, record, rolled

from nasacct.errors import NasacctError
from nasacct.store import compaction, journal, journal_frames, root, segment_file
from nasacct.store.frame import Instant
from nasacct.store.keep import keep
from nasacct.store.parts import consume
from nasacct.store.schema import NFSD
from nasacct.store.segment_file import read
from nasacct.store.shelf import shelf
from nasacct.store.tree import Tree


def test_closed_files_become_parts_and_the_newest_stays(tmp_path):
    """Each stream has a part of every closed file, also an empty one; usage stays what it was."""
    record(tmp_path)
    tree = Tree(tmp_path, "nas1")
    before = added(tmp_path)
    assert keep(tree, at("2026-11-23 10:59"), RULES) == 0
    for relation in tree.relations():
        assert len(shelf(relation.folder).visible) == 3
    assert len(journal.files(tree.journal)) == 4
    assert added(tmp_path) == before
    assert before["srv1", "boot-nfsd-srv1"] == (59_000, 0)


def test_a_second_run_changes_nothing(tmp_path):
    """All that is to be done is asked of the files."""
    record(tmp_path)
    tree = Tree(tmp_path, "nas1")
    keep(tree, at("2026-11-25"), RULES)
    files = everything(tree)
    keep(tree, at("2026-11-25"), RULES)
    assert everything(tree) == files


def test_hours_and_days_are_merged_when_they_are_over(tmp_path):
    """Parts become an hour's segment after the hour, and one of the day after the day, with the same rows in order."""
    record(tmp_path, minutes=130)
    tree = Tree(tmp_path, "nas1")
    before = added(tmp_path)
    keep(tree, at("2026-11-23 10:50"), RULES)
    assert set(levels(tree)) == {"part"}
    keep(tree, at("2026-11-23 11:59"), RULES)
    assert levels(tree) == ["hour", *["part"] * 4]
    keep(tree, at("2026-11-24 00:30"), RULES)
    assert levels(tree) == ["day"]
    assert added(tmp_path) == before
    (segment,) = shelf(tree.relation("usage", NFSD).folder).visible
    table = read(segment.path, tree.relation("usage", NFSD).schema)
    assert table.equals(table.sort_by([("server", "ascending"), ("epoch", "ascending"), ("t0", "ascending")]))


def test_six_hours_become_one_segment_and_no_merge_is_of_many(tmp_path, monkeypatch):
    """The running day is few segments; after an outage of the keeper too, one run of it makes one of all."""
    record(tmp_path, minutes=60 * 14 + 10, every=300)
    tree = Tree(tmp_path, "nas1")
    before = added(tmp_path)
    sizes = []
    merging = compaction._merge
    monkeypatch.setattr(compaction, "_merge", lambda *a: sizes.append(len(a[3].inputs)) or merging(*a))
    keep(tree, at("2026-11-23 19:59"), RULES)
    # of 10:00 to 12:00, 12:00 to 18:00, 18:00 to 19:00, and what is of the hour that runs
    assert levels(tree)[:3] == ["hour"] * 3
    assert set(levels(tree)[3:]) == {"part"}
    assert added(tmp_path) == before
    shutil.rmtree(tree.folder / "usage")
    keep(tree, at("2026-11-25"), RULES)
    assert levels(tree) == ["day"]
    assert added(tmp_path) == before
    assert max(sizes) <= compaction.MOST


def test_large_segments_are_merged_in_slices_of_whole_keys(tmp_path, monkeypatch):
    """Memory is bounded by a number of values, whatever a day holds; the result is the same."""
    record(tmp_path)
    tree = Tree(tmp_path, "nas1")
    before = added(tmp_path)
    monkeypatch.setattr("nasacct.store.cursor.VALUES", 200)
    monkeypatch.setattr("nasacct.store.segment_file.MERGED_VALUES", 40)
    keep(tree, at("2026-11-25"), RULES)
    assert levels(tree) == ["day"]
    assert added(tmp_path) == before


def test_a_late_part_stands_beside_the_day_until_the_next_run(tmp_path):
    """A collector that was away for a day closes its last file late."""
    recorder = record(tmp_path)
    tree = Tree(tmp_path, "nas1")
    keep(tree, at("2026-11-25"), RULES)
    recorder.rotate()
    recorder.cycle({t: {"read_bytes": 10**6} for t in recorder.alive["nfsd"]}, seconds=60)
    before = added(tmp_path)
    consume(tree)
    assert levels(tree) == ["day", "part"]
    assert added(tmp_path) == before
    keep(tree, at("2026-11-25"), RULES)
    assert levels(tree) == ["day"]
    assert added(tmp_path) == before
    assert rolled(tree, "5m") == in_segments(tree)


def test_an_unreadable_journal_file_is_put_aside_unless_it_is_the_newest(tmp_path):
    """The newest may just be begun; the usage of the files around stays whole, because heads bridge what is lost."""
    record(tmp_path)
    tree = Tree(tmp_path, "nas1")
    before = added(tmp_path)
    paths = journal.files(tree.journal)
    paths[1].write_bytes(b"NASJ1\nbut no head")
    newest = tree.journal / "00000009-20261123T120000Z-00000000.journal"
    newest.write_bytes(b"")
    keep(tree, at("2026-11-23 10:59"), RULES)
    assert [p.name for p in tree.quarantine.iterdir()] == [paths[1].name]
    assert newest.exists()
    assert {k: v[0] for k, v in added(tmp_path).items()} == {k: v[0] for k, v in before.items()}


def test_a_birth_in_a_lost_file_counts_though_the_clock_was_set_back(tmp_path):
    """The next head tells it, at a time that is before the one after which it was born."""
    recorder = Recorder(tmp_path)
    first, born = (recorder.thing("nfsd", server=f"srv{i}") for i in range(2))
    recorder.cycle({first: {"read_bytes": 5}})
    recorder.rotate()
    recorder.cycle({first: {"read_bytes": 6}, born: {"read_bytes": 70}})
    recorder.now = Instant(recorder.now.wall_ns - 10**15, recorder.now.boot_ns)
    recorder.cycle({first: {"read_bytes": 8}, born: {"read_bytes": 100}})
    lost = recorder.path
    recorder.rotate()
    recorder.cycle({first: {"read_bytes": 9}, born: {"read_bytes": 110}})
    recorder.rotate()
    recorder.cycle({first: {"read_bytes": 9}, born: {"read_bytes": 110}})
    lost.write_bytes(b"no journal")
    assert [v[0] for v in added(tmp_path).values()] == [4, 110]


def test_a_journal_file_that_rots_after_the_one_before_was_kept_is_bridged(tmp_path):
    """Its neighbour's usage ends at its head; from there on the parts made for it reach to the next head."""
    recorder = record(tmp_path, minutes=40)
    tree = Tree(tmp_path, "nas1")
    before = added(tmp_path)
    keep(tree, at("2026-11-23 10:59"), AT_ONCE)
    third = journal.files(tree.journal)[-1]
    recorder.rotate()
    recorder.cycle({t: {"read_bytes": 10**6, "calls": 99} for t in recorder.alive["nfsd"]}, seconds=60)
    third.write_bytes(b"NASJ1\nno head any more")
    bridged = {k: 10**6 if v[0] > 300 else v[0] for k, v in before.items()}
    assert {k: v[0] for k, v in added(tmp_path).items()} == bridged
    keep(tree, at("2026-11-23 10:59"), AT_ONCE)
    assert [p.name for p in tree.quarantine.iterdir()] == [third.name]
    assert {k: v[0] for k, v in added(tmp_path).items()} == bridged
    keep(tree, at("2026-11-25"), AT_ONCE)
    assert levels(tree) == ["day"]


def test_a_journal_of_a_newer_version_is_refused(tmp_path):
    """It is sound, so it is neither guessed at nor put aside."""
    record(tmp_path)
    tree = Tree(tmp_path, "nas1")
    first = journal.files(tree.journal)[0]
    first.write_bytes(newer(first.read_bytes()))
    with pytest.raises(NasacctError, match="newer nasacct"):
        keep(tree, at("2026-11-25"), RULES)
    assert first.exists()


def newer(content):
    """The journal file's content, said to be of version 9."""
    header, parts, end = journal_frames.unpack(content, len(journal.MAGIC))
    packed = journal_frames.pack(header | {"nasacct_journal": 9}, [bytes(parts)])
    return journal.MAGIC + packed + content[end:]


class Killed(BaseException):
    """The end of the process, here and now."""


class Mortal:
    """Kills whoever changes the file system for the n-th time, and lets nothing be changed afterwards."""

    def __init__(self, monkeypatch, lives):
        self.lives, self.count = lives, 0
        for owner, name in ((Path, "replace"), (Path, "unlink"), (Path, "rename"), (segment_file.os, "fsync")):
            monkeypatch.setattr(owner, name, self._mortal(getattr(owner, name)))

    def _mortal(self, call):
        def instead(*args, **kwargs):
            self.count += 1
            if self.count > self.lives:
                raise Killed
            return call(*args, **kwargs)

        return instead


def test_killed_anywhere_the_next_run_goes_on(tmp_path, monkeypatch):
    """Before each change of the file system a reader sees the same usage, and the next run ends where one run would."""
    recorder = record(tmp_path / "model", minutes=4, file_minutes=1, every=20)
    wanted = added(tmp_path / "model")
    monkeypatch.setattr("nasacct.store.tree.STREAMS", {"nfsd": NFSD})
    monkeypatch.setattr("nasacct.store.keep.STREAMS", {"nfsd": NFSD})
    names = sorted(p.name for p in recorder.folder.iterdir())
    lives = 0
    while True:
        where = tmp_path / f"killed-{lives}"
        (where / "node=nas1" / "journal").mkdir(parents=True)
        (where / "store.json").write_text('{"nasacct_store": 1}')
        for name in names:
            (where / "node=nas1" / "journal" / name).write_bytes((recorder.folder / name).read_bytes())
        tree = Tree(where, "nas1")
        with monkeypatch.context() as patch:
            mortal = Mortal(patch, lives)
            try:
                keep(tree, at("2026-11-25"), AT_ONCE)
            except Killed:
                pass
            else:
                break
        assert mortal.count > lives
        assert added(where) == wanted
        assert keep(tree, at("2026-11-25"), AT_ONCE) == 0
        assert keep(tree, at("2026-11-25"), AT_ONCE) == 0
        assert added(where) == wanted
        assert levels(tree) == ["day"]
        assert rolled(tree, "1h") == in_segments(tree)
        assert len(journal.files(tree.journal)) == 2
        lives += 1
    assert lives > 40


def test_columns_of_a_later_program_are_kept(tmp_path):
    """Merged segments have them; rollups with them are left in several files; answers do without them."""
    record(tmp_path)
    tree = Tree(tmp_path, "nas1")
    keep(tree, at("2026-11-23 10:59"), RULES)
    usage = tree.relation("usage", NFSD)
    for segment, said in shelf(usage.folder).visible.items():
        table = read(segment.path, usage.schema).append_column("later", pa.array([5] * said.rows, pa.int64()))
        segment.path.unlink()
        with segment_file.SegmentWriter(usage.folder, "part", table.schema) as writer:
            writer.add(table)
            writer.finish(said)
    before = added(tmp_path)
    keep(tree, at("2026-11-25"), RULES)
    (day,) = shelf(usage.folder).visible
    assert pc.sum(pq.read_table(day.path).column("later")).as_py() == 5 * shelf(usage.folder).visible[day].rows
    assert added(tmp_path) == before


def nasacct_keep(where, *more):
    """Run `nasacct keep --once` as a process of its own."""
    program = "import sys; from nasacct.config import load; from nasacct.store.keep import run\n"
    program += "sys.exit(run(load(overrides={'root': sys.argv[1], 'node': sys.argv[2]}), once=True))"
    return subprocess.run(
        [sys.executable, "-c", program, str(where), *more], capture_output=True, text=True, check=False, timeout=120
    )


def test_once_keeps_a_replayed_store_whatever_its_node_is_called(tmp_path):
    """A replay writes under the recording's node, not under this machine's."""
    record(tmp_path, node="elsewhere")
    before = added(tmp_path)
    done = nasacct_keep(tmp_path, "here")
    assert (done.returncode, done.stderr) == (0, "")
    assert levels(Tree(tmp_path, "elsewhere"))
    assert added(tmp_path) == before


def test_only_one_keeper_at_a_time(tmp_path):
    """The second one is told who holds the store, and has touched nothing."""
    record(tmp_path)
    with root.lock(tmp_path, "nas1", "keep"):
        done = nasacct_keep(tmp_path, "nas1")
    assert done.returncode != 0
    assert f"pid {os.getpid()}" in done.stderr
    assert not (tmp_path / "node=nas1" / "usage").exists()


def test_the_keeper_gives_way_to_everybody(tmp_path):
    """It asks for the lowest CPU priority and the idle I/O class; ioprio_get(2) and nice(2) say that it has them."""
    program = """
import ctypes, json, os
from nasacct.store import keep
keep.idle()
number = {251: 252, 30: 31}[keep._IOPRIO_SET[os.uname().machine]]
print(json.dumps([os.nice(0), ctypes.CDLL(None).syscall(number, 1, 0) >> 13]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout) == [19, 3]
