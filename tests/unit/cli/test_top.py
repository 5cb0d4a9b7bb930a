"""`nasacct top` over a recording: its last minute is now."""

import contextlib
import csv
import io
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time


def test_once_as_json_has_nodes_disks_and_servers(nasacct, replayed):
    """Rates of the window before the newest reading; the busiest server first."""
    found = json.loads(nasacct("top", "--root", replayed, "--once", "--json").stdout)
    assert [server["server"] for server in found["servers"]] == ["srv2", "srv1", "srv3"]
    assert found["servers"][0]["read_bytes_s"] > 100_000
    assert found["nodes"][0]["as_of"] == found["as_of"]
    (busiest,) = (disk for disk in found["disks"] if disk["busy"] > 0.1)
    assert busiest["device"] == "vde"
    assert found["trouble"] == []


def test_servers_are_sorted_as_asked(nasacct, replayed):
    """By calls the other server leads; by name they stand in order; CSV has the servers."""
    by_calls = json.loads(nasacct("top", "--root", replayed, "--json", "--sort", "calls").stdout)
    assert by_calls["servers"][0]["server"] == "srv1"
    by_name = list(csv.DictReader(io.StringIO(nasacct("top", "--root", replayed, "--csv", "--sort", "server").stdout)))
    assert [row["server"] for row in by_name] == ["srv1", "srv2", "srv3"]


def test_one_look_for_people_fits_80_columns(nasacct, replayed):
    """Machine, disks, servers; without a terminal one look is all there is."""
    done = nasacct("top", "--root", replayed)
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert done.stdout.index("DISK") < done.stdout.index("SERVER") < done.stdout.index("srv3")
    assert "+01:00" in done.stdout.splitlines()[0]


def test_store_without_a_reading_is_told(refused, tmp_path):
    """A store that was just made has nothing to show; an unknown node neither."""
    (tmp_path / "store.json").write_text('{"nasacct_store": 1}')
    assert refused("top", "--root", tmp_path)[0] == 66
    assert refused("top", "--root", tmp_path, "--node", "none")[0] == 66


def test_live_screen_is_drawn_again_and_ends_with_ctrl_c(replayed):
    """On a terminal it goes on until Ctrl-C, leaves the screen as it was, and ends with 0."""
    ours, its = pty.openpty()
    environ = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"}
    command = [sys.executable, "-m", "nasacct", "top", "--root", replayed, "--every", "1s"]
    process = subprocess.Popen(command, env=environ, stdin=its, stdout=its, stderr=its)
    os.close(its)
    shown, deadline = b"", time.monotonic() + 60
    try:
        while shown.count(b"SERVER") < 2 and time.monotonic() < deadline:
            if select.select([ours], [], [], 1)[0]:
                shown += os.read(ours, 65536)
        assert shown.count(b"SERVER") >= 2, shown
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(OSError):  # how the end of a terminal reads
            while data := os.read(ours, 65536):
                shown += data
        assert process.wait(30) == 0
        assert shown.rstrip().endswith(b"\x1b[?1049l")
    finally:
        process.kill()
        process.wait(30)
        os.close(ours)
