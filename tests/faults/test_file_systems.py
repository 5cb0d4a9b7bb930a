"""Real file systems and limits: read-only for a while, no descriptors left, two keepers at once."""

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from journals import Recorder
from test_journal import ORIGIN, frames, sums, until

from nasacct.collect.daemon import recover
from nasacct.store import journal
from nasacct.store.journal_writer import JournalWriter
from nasacct.store.keep import Rules, keep
from nasacct.store.schema import NFSD
from nasacct.store.shelf import shelf
from nasacct.store.standing import Standing
from nasacct.store.tree import Tree
from nasacct.store.warehouse import Warehouse

AT_ONCE = Rules({"readings": 40, "usage": 400}, grace_s=-1e12)
NEVER = Rules({"readings": 40, "usage": 400}, grace_s=1e12)
NEXT_DAY = datetime(2026, 11, 25, tzinfo=UTC).timestamp()
AT_11 = datetime(2026, 11, 23, 11, 5, tzinfo=UTC).timestamp()
SUM = "SELECT sum(read_bytes)::BIGINT AS m FROM nfsd"
KEEP = """
import pathlib, sys, time
from nasacct.store.keep import Rules, keep
from nasacct.store.tree import Tree
while not pathlib.Path(sys.argv[2]).exists():
    time.sleep(0.001)
keep(Tree(pathlib.Path(sys.argv[1]), "nas1"), float(sys.argv[3]), Rules({"readings": 40, "usage": 400}, -1e12))
"""
WITHOUT_DESCRIPTORS = """
import json, os, pathlib, resource, sys
from nasacct.store.journal_writer import JournalWriter
from nasacct.store.keep import Rules, keep
from nasacct.store.tree import Tree
from nasacct.store.warehouse import Warehouse
from nasacct.errors import NasacctError
root, tree = pathlib.Path(sys.argv[1]), Tree(pathlib.Path(sys.argv[1]), "nas1")
house = Warehouse(root)
SUM = "SELECT sum(read_bytes)::BIGINT AS m FROM nfsd"
house.query(SUM, views=["nfsd"])
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
found = []
for spare in range(4):
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + spare, hard))
    try:
        m = house.query(SUM, views=["nfsd"]).to_pylist()[0]["m"]
        told = bool(house.trouble)
    except NasacctError:
        m, told = None, True
    failed = keep(tree, float(sys.argv[2]), Rules({"readings": 40, "usage": 400}, 1e12)) if spare < 2 else -1
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    found.append([m, told, failed])
print(json.dumps([found, keep(tree, float(sys.argv[2]), Rules({"readings": 40, "usage": 400}, 1e12))]))
"""


@pytest.fixture
def disk(tmp_path):
    """A file system of its own; a function that mounts it anew, read-only (`ro`) or not (`rw`)."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", place], check=True)
    yield place, lambda how: subprocess.run(["mount", "-o", f"remount,{how}", place], check=True)
    subprocess.run(["umount", "-l", place], check=True)


def record(where):
    """One server that reads 100 bytes a minute around eleven o'clock, in files of four minutes."""
    recorder = Recorder(where, start="2026-11-23T10:50:00+00:00", interval_s=60)
    server = recorder.thing("nfsd", server="srv1")
    for i in range(16):
        if i and i % 4 == 0:
            recorder.rotate()
        recorder.cycle({server: {"read_bytes": 100 * i}})
    return Tree(where, "nas1")


def added(where):
    """All bytes read that there are, and what is told to be missing."""
    house = Warehouse(where)
    return house.query(SUM, views=["nfsd"]).to_pylist()[0]["m"], house.trouble


def test_a_run_that_begins_on_a_read_only_disk_loses_nothing(disk, monkeypatch):
    """Its frames wait until the disk can be written again."""
    monkeypatch.setattr("nasacct.store.journal_writer.RETRY_S", 0.02)
    place, mount = disk
    every = list(frames(30))
    writer = JournalWriter(place, ORIGIN, Standing(), number=1)
    for frame in every[:10]:
        writer.put(frame)
    assert writer.close()
    mount("ro")
    standing, number = recover(place)
    writer = JournalWriter(place, ORIGIN, standing, number=number)
    for frame in every[10:]:
        writer.put(frame)
    until(lambda: writer.trouble)
    assert "Read-only file system" in writer.trouble
    mount("rw")
    assert writer.close(30)
    assert {name: total for name, (total, _) in sums(place).items()} == {f"d{i}": i * 29 for i in range(1, 40)}


@pytest.mark.parametrize("kept", [False, True], ids=["before", "after hours"])
def test_a_keeper_on_a_read_only_disk_fails_and_goes_on_later(disk, kept, caplog):
    """Readers' answers stay right, nothing is put aside, and all is done when the disk can be written."""
    place, mount = disk
    tree = record(place)
    if kept:
        keep(tree, AT_11, NEVER)
    mount("ro")
    assert keep(tree, NEXT_DAY, AT_ONCE) > 0
    assert "read-only file system" in caplog.text
    assert added(place) == (1500, [])
    mount("rw")
    assert keep(tree, NEXT_DAY, AT_ONCE) == 0
    assert added(place) == (1500, [])
    assert [s.level for s in shelf(tree.relation("usage", NFSD).folder).visible] == ["day"]
    assert not tree.quarantine.exists()
    assert not list(tree.folder.rglob(".*"))


def test_without_descriptors_nothing_is_taken_for_damaged(tmp_path):
    """Answers are right, or tell what is missing, or are a sentence; the keeper fails and does it later."""
    tree = record(tmp_path)
    keep(tree, AT_11, NEVER)
    command = [sys.executable, "-c", WITHOUT_DESCRIPTORS, str(tmp_path), str(NEXT_DAY)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    found, failed = json.loads(done.stdout)
    assert failed == 0
    assert all(m == 1500 or told for m, told, _ in found)
    assert found[0][2] > 0
    assert added(tmp_path) == (1500, [])
    assert not tree.quarantine.exists()


@pytest.mark.parametrize("attempt", range(3))
def test_two_keepers_at_once_lose_nothing_and_count_nothing_twice(tmp_path, attempt):
    """Even without their lock: what one spoils of the other's is noticed before anything is deleted."""
    tree = record(tmp_path / "store")
    go = tmp_path / "go"
    command = [sys.executable, "-c", KEEP, str(tmp_path / "store"), str(go), str(NEXT_DAY)]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(2)]
    go.touch()
    for process in both:
        process.communicate(timeout=120)
    for _ in range(2):
        keep(tree, NEXT_DAY, AT_ONCE)
    house = Warehouse(tmp_path / "store")
    assert house.query(SUM, views=["nfsd"]).to_pylist() == [{"m": 1500}]


def test_keepers_on_two_copies_count_once_when_the_copies_come_together(tmp_path):
    """One had made hours, the other a day; together each row is seen once."""
    first = record(tmp_path / "first")
    shutil.copytree(tmp_path / "first", tmp_path / "second")
    second = Tree(tmp_path / "second", "nas1")
    keep(first, AT_11, AT_ONCE)
    keep(second, NEXT_DAY, AT_ONCE)
    for path in second.folder.rglob("*"):
        target = first.folder / path.relative_to(second.folder)
        if path.is_file() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
    assert added(tmp_path / "first")[0] == 1500
    keep(first, NEXT_DAY, AT_ONCE)
    assert added(tmp_path / "first")[0] == 1500
    assert [p.name for p in journal.files(first.journal)] == [p.name for p in journal.files(second.journal)]
