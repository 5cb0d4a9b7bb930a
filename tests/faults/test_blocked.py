"""A disk that takes nothing for half an hour and then goes on: no cycle waits for it, and none is lost."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from shim import SYNC, WRITE, environment

from nasacct.store import journal
from nasacct.store.schema import STREAMS
from nasacct.store.warehouse import Warehouse

HERE = Path(__file__).parent
PATHS = os.pathsep.join(str(p) for p in (HERE, HERE.parent, HERE.parent.parent))
WRITES = """
import json, pathlib, sys, time
from shim import BLOCK, Shim
from test_journal import ORIGIN, JournalWriter, Standing, frames, sums
folder, gate, of = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])
every = list(frames(190))
ring = 40 * every[5].nbytes
writer = JournalWriter(folder, ORIGIN, Standing(), number=1, ring_bytes=ring)
for frame in every[:10]:
    writer.put(frame)
assert writer.flush(30)
gate.touch()
Shim(folder).arm(of, 1, BLOCK, forever=True, gate=gate)
worst, held = 0, 0
for frame in every[10:]:
    began = time.monotonic()
    writer.put(frame)
    worst, held = max(worst, time.monotonic() - began), max(held, writer._held_bytes)
newest = writer._waiting[-1].seq
began = time.monotonic()
stopped = writer.flush(0.2)
waited = time.monotonic() - began
waiting = writer.waiting
gate.unlink()
whole = writer.close(30)
found = {name: total for name, (total, _) in sums(folder).items()}
print(json.dumps([worst, held <= ring, newest, stopped, waited, waiting, whole, found, writer.merged]))
"""
ENDS = """
import sys
from nasacct.collect import daemon
daemon.FLUSH_S = 0.5
from nasacct.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("of", [WRITE, SYNC], ids=["write", "fsync"])
def test_nothing_waits_and_nothing_is_lost_while_the_disk_blocks(shim, tmp_path, of):
    """Half an hour of cycles: each is taken at once, memory stays bounded, and in the end every byte is there."""
    folder = tmp_path / "journal"
    folder.mkdir()
    command = [sys.executable, "-c", WRITES, str(folder), str(tmp_path / "gate"), str(of)]
    env = environment(shim) | {"PYTHONPATH": PATHS}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    worst, bounded, newest, stopped, waited, waiting, whole, found, merged = json.loads(done.stdout)
    assert worst < 1
    assert bounded
    assert newest == 190
    assert not stopped
    assert waited < 5
    assert 3 < waiting < 45
    assert merged > 100
    assert whole
    assert found == {f"d{i}": i * 189 for i in range(1, 40)}
    assert journal.read(journal.files(folder)[-1]).frames[-1].seq == 190


@pytest.fixture
def ring():
    """A folder in memory."""
    folder = tempfile.mkdtemp(prefix="nasacct-ring-", dir="/dev/shm")
    yield Path(folder)
    shutil.rmtree(folder)


@contextmanager
def collecting(shim, tmp_path, ring, program=("-m", "nasacct")):
    """A collector of this machine whose fsync blocks as long as there is the file `gate`; surely ended."""
    store = tmp_path / "store"
    env = environment(shim, folder=store, gate=tmp_path / "gate", classes=SYNC)
    env = {k: v for k, v in env.items() if not k.startswith("NASACCT_")} | {
        "NASACCT_CONFIG": "/dev/null",
        "NASACCT_SERVERS__EXPORTFS": "",
        "NASACCT_NODE": "n",
        "NASACCT_STORE__RING_DIR": str(ring),
        "PYTHONPATH": PATHS,
    }
    command = [sys.executable, *program, "collect", "--interval", "1s", "--root", str(store), "--volatile"]
    with (tmp_path / "log").open("ab") as log:
        process = subprocess.Popen(command, env=env, stderr=log, stdout=log)
    try:
        yield process, store
    finally:
        (tmp_path / "gate").unlink(missing_ok=True)
        process.kill()
        process.wait(30)


def until(condition, seconds=60):
    """Wait for a condition; its value."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
    return value


def seqs(store):
    """The numbers of all frames on the disk."""
    found = []
    for path in journal.files(store / "node=n" / "journal"):
        found += [f.seq for f in journal.read(path).frames]
    return found


def test_top_shows_what_the_disk_does_not_take(shim, tmp_path, ring):
    """While fsync blocks the newest cycles are in every answer, once; afterwards they are on the disk only."""
    with collecting(shim, tmp_path, ring) as (process, store):
        until(lambda: (store / "node=n" / "journal").is_dir() and len(seqs(store)) >= 2)
        (tmp_path / "gate").touch()
        blocked = datetime.now(UTC)
        house = Warehouse(store, ring=ring)
        until(lambda: (house.newest(["node"]) - blocked).total_seconds() > 4)
        assert (Warehouse(store, ring=None).newest(["node"]) - blocked).total_seconds() < 3
        env = os.environ | {"NASACCT_STORE__RING_DIR": str(ring), "NASACCT_CONFIG": "/dev/null"}
        command = [sys.executable, "-m", "nasacct", "top", "--once", "--json", "--root", str(store)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=60)
        found = json.loads(done.stdout)
        assert (datetime.fromisoformat(found["as_of"]) - blocked).total_seconds() > 4
        assert found["trouble"] == []
        rows = house.query("SELECT t0, t1 FROM node ORDER BY t0", views=["node"]).to_pylist()
        assert all(one["t1"] <= other["t0"] for one, other in pairwise(rows))
        (tmp_path / "gate").unlink()
        until(lambda: not list(ring.iterdir()))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        found = seqs(store)
        assert sorted(set(found)) == list(range(1, found[-1] + 1))
        switches = "SELECT sum(context_switches)::BIGINT AS m FROM node"
        files = [journal.read(p) for p in journal.files(store / "node=n" / "journal")]
        at = STREAMS["node"].index["context_switches"]
        rows = [f.batches for file in files for f in file.frames]
        values = [b.rows["node"].values[0, at] for batches in rows for b in batches if "node" in b.rows]
        assert house.query(switches, views=["node"]).to_pylist() == [{"m": int(values[-1] - values[0])}]


def test_a_collector_whose_disk_blocks_ends_and_says_what_is_lost(shim, tmp_path, ring):
    """SIGTERM is obeyed within the time that flushing may take; the log tells how many cycles are not on the disk."""
    with collecting(shim, tmp_path, ring, program=("-c", ENDS)) as (process, store):
        until(lambda: (store / "node=n" / "journal").is_dir() and len(seqs(store)) >= 1)
        (tmp_path / "gate").touch()
        until(lambda: list(ring.glob("*/*.journal")))
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        said = (tmp_path / "log").read_text()
        assert "cycles not on the disk" in said
        assert "has taken nothing for" in said


@pytest.mark.parametrize("heals", [True, False], ids=["takes it", "takes nothing"])
def test_what_a_killed_run_kept_in_memory_gets_to_the_disk(shim, tmp_path, ring, heals):
    """The next run takes it into the journal, or says that it is lost, and goes on either way."""
    with collecting(shim, tmp_path, ring) as (process, store):
        until(lambda: (store / "node=n" / "journal").is_dir() and len(seqs(store)) >= 1)
        (tmp_path / "gate").touch()
        (mirror,) = until(lambda: list(ring.glob("*/*.journal")))
        until(lambda: len(journal.read(mirror).frames) >= 3)
        process.kill()
        process.wait(30)
        kept = journal.read(mirror)
    if not heals:
        (tmp_path / "gate").touch()
    with collecting(shim, tmp_path, ring, program=("-c", ENDS)) as (process, store):
        said = (tmp_path / "log").read_text
        until(lambda: ("was taken from memory" if heals else "is lost: ") in said())
        (tmp_path / "gate").unlink(missing_ok=True)
        files = until(lambda: [f for f in read_all(store) if f.origin.run != kept.origin.run and f.frames])
        assert files[-1].carry.listings
    found = {f.seq for file in read_all(store) if file.origin.run == kept.origin.run for f in file.frames}
    assert found.issuperset(range(1, kept.frames[-1].seq + 1)) == heals
    assert not list((store / "node=n" / "journal").glob(".*"))
    switches = [
        f.batches[i].rows["node"].values[0, SWITCHES]
        for file in read_all(store)
        for f in file.frames
        for i in range(len(f.batches))
        if "node" in f.batches[i].rows
    ]
    answer = Warehouse(store, ring=None).query("SELECT sum(context_switches)::BIGINT AS m FROM node", views=["node"])
    assert answer.to_pylist() == [{"m": int(switches[-1] - switches[0])}]


SWITCHES = STREAMS["node"].index["context_switches"]


def read_all(store):
    """All journal files on the disk."""
    return [journal.read(p) for p in journal.files(store / "node=n" / "journal")]
