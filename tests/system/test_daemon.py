"""The collector as a supervisor sees it: what it tells systemd, how it waits for its pool, what a kill costs."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from spaces import eventually

from nasacct.store import journal, journal_readings, ledger

pytestmark = pytest.mark.system


@contextmanager
def running(tmp_path, *arguments, **environ):
    """`nasacct collect` on this machine without servers; surely ended."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("NASACCT_")}
    env |= {"NASACCT_CONFIG": "/dev/null", "NASACCT_SERVERS__EXPORTFS": "", "NASACCT_NODE": "n", **environ}
    command = [sys.executable, "-m", "nasacct", "collect", "--interval", "1s", *map(str, arguments)]
    with (tmp_path / "log").open("ab") as log:
        process = subprocess.Popen(command, env=env, stderr=log, stdout=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait(30)


def test_systemd_is_told_when_it_is_ready_alive_and_ending(tmp_path):
    """READY after the first cycle, WATCHDOG with each, RELOADING and READY again, STOPPING at the end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)

        def told(what):
            said = []
            while what not in said:
                said.append(manager.recv(4096).decode())
            return said

        with running(tmp_path, "--root", tmp_path / "store", NOTIFY_SOCKET=str(tmp_path / "notify")) as process:
            assert told("READY=1") == ["READY=1"]
            assert any((tmp_path / "store" / "node=n" / "journal").glob("*.journal")) or told("WATCHDOG=1")
            told("WATCHDOG=1")
            process.send_signal(signal.SIGHUP)
            told("RELOADING=1")
            told("READY=1")
            process.send_signal(signal.SIGTERM)
            told("STOPPING=1")
            assert process.wait(30) == 0


def test_nothing_is_written_underneath_a_pool_that_is_not_mounted(tmp_path):
    """It waits, says so, and makes its store on the pool when that is there."""
    pool = tmp_path / "pool"
    pool.mkdir()
    arguments = ("--root", pool / "nasacct", "--volatile")
    with running(tmp_path, *arguments, NASACCT_MOUNTPOINT=str(pool)) as process:
        eventually(lambda: b"waiting for" in (tmp_path / "log").read_bytes())
        assert list(pool.iterdir()) == []
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", pool], check=True)
        try:
            eventually(lambda: any(pool.glob("nasacct/node=n/journal/*.journal")))
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()
            process.wait(30)
            subprocess.run(["umount", "-l", pool], check=True)
    assert list(pool.iterdir()) == []


def test_a_kill_costs_no_byte(tmp_path):
    """Killed again and again: over all journals the counters still grow from the first to the last reading."""
    folder = tmp_path / "store" / "node=n" / "journal"
    for _ in range(3):
        had = len(journal.files(folder))
        with running(tmp_path, "--root", tmp_path / "store") as process:
            eventually(lambda had=had: len(frames(folder)) > had and frames(folder)[-1] >= 2)
            process.send_signal(signal.SIGKILL)
            process.wait(30)
    files = [journal.read(p) for p in journal.files(folder)]
    assert len(files) == 3
    grown, ends = 0, []
    for one, following in zip(files, [*files[1:], None], strict=True):
        node = journal_readings.of_journal(one, following)["node"]
        switches = node.stream.index["context_switches"]
        ends += [int(node.values[0, switches]), int(node.values[-1, switches])]
        table = ledger.account(node, "n", ledger.Terms(10**9)).to_pylist()
        grown += sum(row["context_switches"] for row in table)
    assert grown == ends[-1] - ends[0] > 0


def frames(folder: Path):
    """How many whole frames each journal file has so far."""
    found = []
    for path in journal.files(folder):
        try:
            found.append(len(journal.read(path).frames))
        except journal.JournalError:
            found.append(0)
    return found
