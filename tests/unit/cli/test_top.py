"""`nasacct top` over a recording: its last minute is now."""

import csv
import io
import json
import signal

import pytest
import series
from terminal import Terminal


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
    with Terminal("top", "--root", replayed, "--every", "1s") as terminal:
        terminal.until(lambda t: t.sent.count(b"SERVER") >= 2)
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.end() == 0
        assert terminal.sent.rstrip().endswith(b"\x1b[?1049l")


@pytest.fixture
def busy(tmp_path):
    """Forty servers on eleven disks, the first with two clients."""
    series.write(
        "\n".join(
            [
                *(f"nfsd server=srv{n:02} read_bytes 0+{1000 - n}x6" for n in range(40)),
                *(f"disks disk=wwn{n} device=sd{chr(97 + n)} ms_io 0+{100 * n}x6" for n in range(11)),
                "clients server=srv00 client=c1 received_bytes 0+10000x6",
                "ops server=srv00 read 0+500x6",
                "ops server=srv00 getattr 0+3000x6",
                "clients server=srv00 client=c2 sent_bytes 0+90x6",
            ]
        ),
        tmp_path,
    )
    return tmp_path


def test_a_screen_of_24_lines_shows_all_that_matters(busy):
    """Busy disks, servers, how many there are besides, the keys; a server that is chosen is in sight."""
    with Terminal("top", "--root", busy, "--every", "60s") as terminal:
        lines = terminal.until(lambda t: "q end" in t.lines[-1])
        assert lines[0].startswith("nas1 at ")
        assert [line.split()[0] for line in lines if line.startswith("sd")] == ["sdk", "sdj", "sdi", "sdh"]
        shown = [line.split()[0] for line in lines if line.startswith("srv")]
        assert shown == [f"srv{n:02}" for n in range(len(shown))]
        assert len(shown) >= 6
        assert f"and {40 - len(shown)} after them" in lines
        for n in range(len(shown) + 3):
            terminal.press(b"\x1b[B")
            terminal.until(lambda t, n=n: t.marked and t.marked[0].startswith(f"srv{n:02}"))
        terminal.press(b"\x1b[A")
        terminal.until(lambda t: t.marked and t.marked[0].startswith(f"srv{len(shown) + 1:02}"))


def test_keys_sort_and_lead_from_a_server_to_its_clients_and_back(busy):
    """And q ends it, with the terminal as it was."""
    with Terminal("top", "--root", busy, "--every", "60s", "--sort", "server") as terminal:
        terminal.until(lambda t: "q end" in t.lines[-1])
        terminal.press(b"b?\x1b[5~\x1b[B\x1b[B\x1b[A")
        terminal.until(lambda t: t.marked and t.marked[0].startswith("srv00"))
        terminal.press(b"\r")
        # the last line is drawn last
        lines = terminal.until(lambda t: any("Esc back" in line for line in t.lines))
        assert "server srv00" in lines
        assert [line.split() for line in lines if line.startswith("c")] == [
            ["c1", "1.00", "kB/s", "0", "B/s"],
            ["c2", "0", "B/s", "9", "B/s"],
        ]
        assert "operations: getattr 300/s, read 50.0/s" in lines
        terminal.press(b"\x1b")
        terminal.until(lambda t: any(line.startswith("srv05") for line in t.lines))
        terminal.press(b"q")
        assert terminal.end() == 0
        assert terminal.sent.rstrip().endswith(b"\x1b[?1049l")


def test_clients_of_one_server_are_shown_once(nasacct, busy):
    """As a table, as CSV, as JSON; of a server without any it is said why."""
    asked = ("top", "--root", busy, "--once", "--server")
    assert "server srv00" in nasacct(*asked, "srv00").stdout
    assert "no connection of srv01 was read" in nasacct(*asked, "srv01").stdout
    found = json.loads(nasacct(*asked, "srv00", "--json").stdout)
    assert [(c["client"], c["server"], c["received_bytes_s"]) for c in found["clients"]] == [
        ("c1", "srv00", 1000),
        ("c2", "srv00", 0),
    ]
    assert [(o["operation"], o["operations_s"]) for o in found["operations"]] == [("getattr", 300), ("read", 50)]
    rows = list(csv.DictReader(io.StringIO(nasacct(*asked, "srv00", "--csv").stdout)))
    assert [row["client"] for row in rows] == ["c1", "c2"]
