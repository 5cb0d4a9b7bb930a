"""`nasacct collect` and its neighbours, the real program on this machine without any server."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

ALONE = {"NASACCT_SERVERS__EXPORTFS": "", "NASACCT_SERVERS__NAMESPACES": "no", "NASACCT_NODE": "nas1"}


def wait_for(condition, what):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within 30 s"
        time.sleep(0.02)


@pytest.fixture
def collector(tmp_path):
    """A running collector over tmp_path/store; ended with the test."""
    (tmp_path / "empty.toml").touch()
    environ = {**os.environ, **ALONE, "NASACCT_CONFIG": str(tmp_path / "empty.toml")}
    command = [sys.executable, "-m", "nasacct", "collect", "--root", tmp_path / "store", "--interval", "1s"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environ, stderr=log, stdout=log)
    try:
        wait_for(lambda: b"collecting" in (tmp_path / "log").read_bytes() or process.poll() is not None, "the start")
        yield process
    finally:
        process.kill()
        process.wait(30)


def test_dry_run_writes_nothing_and_tells_the_cost(nasacct, tmp_path):
    """What was read, what each source cost, and what would be stored; no store is made."""
    done = nasacct("collect", "--dry-run", "--for", "1s", "--interval", "1s", "--root", tmp_path / "store", **ALONE)
    assert (done.returncode, done.stderr) == (0, "")
    assert "nothing was written" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert not (tmp_path / "store").exists()
    done = nasacct("collect", "--dry-run", "--for", "1s", "--interval", "1s", "--json", **ALONE)
    found = json.loads(done.stdout)
    assert found["cycles"] >= 1
    assert found["bytes_per_day"] > 0
    assert {"nfsd", "links", "disks", "node"} <= {source["source"] for source in found["sources"]}


def test_collector_stores_until_it_is_told_to_end(collector, tmp_path):
    """SIGTERM ends it with 0, and what it read is in the journal."""
    journal = tmp_path / "store" / "node=nas1" / "journal"
    wait_for(lambda: any(path.stat().st_size for path in journal.glob("*.journal")), "the first cycle")
    collector.send_signal(signal.SIGTERM)
    assert collector.wait(30) == 0, (tmp_path / "log").read_text()


def test_second_collector_is_told_of_the_first(collector, refused, tmp_path):
    """One store and node have one collector; the second ends with 75 and names the first."""
    status, sentence = refused("collect", "--root", tmp_path / "store", **ALONE)
    assert status == 75
    assert f"pid {collector.pid} " in sentence


def test_configuration_that_became_wrong_does_not_end_the_collector(collector, tmp_path):
    """SIGHUP with a mistake in the file: it says so and goes on as before; a good file is taken."""
    log, file = tmp_path / "log", tmp_path / "empty.toml"
    file.write_text("zone = 'Nowhere'\n")
    collector.send_signal(signal.SIGHUP)
    wait_for(lambda: "stays as it was" in log.read_text() or collector.poll() is not None, "the refusal")
    file.write_text("zone = 'UTC'\n")
    collector.send_signal(signal.SIGHUP)
    wait_for(lambda: "read again" in log.read_text() or collector.poll() is not None, "the reload")
    assert collector.poll() is None, log.read_text()


def test_keeper_runs_once_beside_it(collector, nasacct, tmp_path):
    """`keep --once` over a store that is being written ends with 0."""
    assert collector.poll() is None
    done = nasacct("keep", "--once", "--root", tmp_path / "store", **ALONE)
    assert done.returncode == 0, done.stderr


def test_recording_is_replayed(nasacct, refused, tmp_path):
    """What `record` wrote, `replay` takes; neither writes over anything."""
    recording = tmp_path / "here.jsonl.zst"
    done = nasacct("record", recording, "--for", "2s", "--interval", "1s", **ALONE)
    assert done.returncode == 0, done.stderr
    assert refused("record", recording, "--for", "1s", **ALONE)[0] == 73
    done = nasacct("replay", recording, "--root", tmp_path / "store")
    assert (done.returncode, done.stderr) == (0, "")
    assert "as node nas1" in done.stdout
    status, sentence = refused("replay", recording, "--root", tmp_path / "store")
    assert (status, "nas1" in sentence) == (73, True)


def test_foreign_file_is_no_recording(refused, tmp_path):
    """A file of another kind, an empty one, and none: a sentence each."""
    (tmp_path / "foreign").write_bytes(b"\x28\xb5\x2f\xfd not zstd at all")
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("hello\n")
    for name, status in (("foreign", 65), ("empty", 65), ("text", 65), ("none", 66)):
        assert refused("replay", tmp_path / name, "--root", tmp_path / "store")[0] == status
    assert not (tmp_path / "store" / "node=text").exists()
