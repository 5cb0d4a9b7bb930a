"""Recordings: written in blocks, read as far as they are whole, and replayed into the same numbers."""

import contextlib
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasacct import config
from nasacct.collect import recording
from nasacct.collect.lines import ParseError
from nasacct.collect.live import Live
from nasacct.collect.machine import Listing
from nasacct.collect.record import Recorder
from nasacct.collect.recorded import Recorded
from nasacct.collect.replay import replay
from nasacct.errors import NasacctError
from nasacct.store import journal, journal_readings, ledger

NFSD = "rc 0 0 {calls}\nio {read} {written}\nth 8 0\nnet {calls} 0 {calls} 1\nrpc {calls} 0 0 0 0\n"
DISKS = " 254 0 vda {n} 0 {n} 1 {n} 0 {n} 1 0 {n} {n} 0 0 0 0 0 0\n"


def line(n, servers, **more):
    """One cycle as the first recordings had it: no epochs, ten seconds a line."""
    texts = {
        name: {"t": n * 10.0, "rpc_nfsd": NFSD.format(calls=c, read=r, written=w)}
        for name, (c, r, w) in servers.items()
    }
    return {
        "n": n,
        "t": n * 10.0,
        "wall": 1.8e9 + n * 10,
        "host": {"diskstats": DISKS.format(n=n)},
        "servers": texts,
    } | more


def written(tmp_path, rows, name="a.jsonl.zst"):
    file = recording.RecordingFile(tmp_path / name)
    for row in rows:
        file.write(row)
    file.close()
    return tmp_path / name


def usage(root, stream="nfsd"):
    """Sums by server of what the store's journals hold: read, written, calls, and how much more it may be."""
    files = [journal.read(p) for p in journal.files(next(root.glob("node=*")) / "journal")]
    found = {}
    for one, following in zip(files, [*files[1:], None], strict=True):
        table = ledger.account(journal_readings.of_journal(one, following)[stream], "n", ledger.Terms(10_000_000_000))
        for row in table.to_pylist():
            sums = found.setdefault(row["server"], [0, 0, 0, 0])
            for i, name in enumerate(("read_bytes", "written_bytes", "calls")):
                sums[i] += row[name] or 0
            sums[3] += row["read_bytes_more"]
    return found


@pytest.fixture
def settings(tmp_path):
    return config.load(None, {}, {"root": str(tmp_path / "store")})


def test_lines_come_back_as_they_were_written(tmp_path):
    """More lines than a block holds, and a name that is no ASCII."""
    rows = [{"n": i, "name": "žluťoučký"} for i in range(200)]
    assert list(recording.read(written(tmp_path, rows))) == rows


def test_a_recording_is_never_written_over(tmp_path):
    """The second one of a name is refused in a sentence."""
    path = written(tmp_path, [{"n": 1}])
    with pytest.raises(NasacctError, match="exists already"):
        recording.RecordingFile(path)


@pytest.mark.parametrize("cut", [0.3, 0.6, 0.95])
def test_a_torn_recording_gives_what_is_whole(tmp_path, cut):
    """A file cut anywhere gives a prefix of its lines, never a wrong one and never an error."""
    rows = [{"n": i, "noise": str(i * 7919 % 1000003) * 20} for i in range(1000)]
    path = written(tmp_path, rows)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * cut)])
    got = list(recording.read(path))
    assert 0 < len(got) < 1000
    assert got == rows[: len(got)]


def test_what_is_no_recording_is_said_to_be_none(tmp_path):
    """Foreign bytes, an empty file and a line that is not JSON each get a sentence."""
    for name, data in (("a", b"\x28\xb5\x2f\xfdgarbage"), ("b", b""), ("c", b"{}\nnonsense\n"), ("d", b"[1]\n")):
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(NasacctError, match=re.escape(str(path))):
            list(recording.read(path))


def test_the_first_line_is_the_baseline_and_a_fall_is_a_new_life(tmp_path, settings):
    """Without epochs: growth since the first line, and after a fall everything counted since."""
    rows = [
        line(0, {"a": (100, 1000, 50), "b": (7, 0, 0)}),
        line(1, {"a": (110, 1500, 50), "b": (7, 0, 0)}),
        line(2, {"a": (3, 200, 10), "b": (9, 0, 400)}),
        line(3, {"a": (5, 250, 10), "b": (9, 0, 400)}),
    ]
    done = replay(written(tmp_path, rows), settings)
    assert (done.cycles, done.servers) == (4, 2)
    found = usage(settings.root)
    assert found["b"] == [0, 400, 2, 0]
    assert found["a"][:3] == [500 + 250, 10, 10 + 5]
    # what the first life did after its last line nobody saw: at most what the link carries in that time
    assert 0 < found["a"][3] <= 1_250_000_000 * 11


def test_static_lines_name_the_epochs(tmp_path, settings):
    """A server that restarts and overtakes its old counters is counted right, for its epoch is known."""

    def static(epoch):
        servers = {"a": {"epoch": f"boot/{epoch}", "pid": epoch, "link": None, "exports": []}}
        return {
            "static": {"boot_id": "boot", "kernel": "6.12.1", "node": "nas", "servers": servers, "links": {}},
            "t": 0,
        }

    ended = {"event": "server_ended", "server": "a", "epoch": "boot/1", "t": 15.0, "wall": 1.8e9 + 15}
    rows = [
        static(1),
        line(0, {"a": (100, 1000, 50)}),
        line(1, {"a": (110, 1500, 50)}),
        ended | {"rpc_nfsd": NFSD.format(calls=120, read=1600, written=50)},
        static(2),
        line(2, {"a": (900, 9000, 60)}),
    ]
    done = replay(written(tmp_path, rows), settings)
    assert done.node == "nas"
    assert usage(settings.root) == {"a": [500 + 100 + 9000, 60, 10 + 10 + 900, 0]}


def test_servers_that_look_alike_for_a_while_lose_nothing(tmp_path, settings):
    """Identical files are kept back until one differs; nobody ends by it, and nothing counted meanwhile is lost."""
    rows = [
        line(0, {"a": (5, 10, 0), "b": (4, 0, 0)}),
        line(1, {"a": (6, 20, 0), "b": (6, 20, 0)}),
        line(2, {"a": (6, 20, 0), "b": (6, 20, 0)}),
        line(3, {"a": (9, 50, 0), "b": (7, 30, 0)}),
    ]
    replay(written(tmp_path, rows), settings)
    assert usage(settings.root) == {"a": [40, 0, 4, 0], "b": [30, 0, 3, 0]}


def test_replaying_twice_counts_once(tmp_path, settings):
    """The second replay into a store is refused, under another node's name it is not."""
    path = written(tmp_path, [line(0, {"a": (1, 1, 1)}), line(1, {"a": (2, 2, 2)})])
    replay(path, settings)
    with pytest.raises(NasacctError, match="holds readings of a already"):
        replay(path, settings)
    replay(path, settings, node="other")


def test_unknown_keys_and_kinds_of_lines_are_passed_over(tmp_path, settings):
    """A recording of tomorrow is read as far as today understands it."""
    rows = [
        {"weather": "fine", "t": 0.0, "wall": 1.8e9},
        line(0, {"a": (1, 0, 0)}, sky={"blue": 1}),
        {"event": "moon_rise", "t": 5.0, "wall": 1.8e9 + 5},
        line(1, {"a": (2, 30, 0)}),
    ]
    replay(written(tmp_path, rows), settings)
    assert usage(settings.root) == {"a": [30, 0, 1, 0]}


def test_a_plain_file_is_read_too(tmp_path):
    """Not every tool compresses."""
    path = tmp_path / "plain.jsonl"
    path.write_text("".join(json.dumps({"n": i}) + "\n" for i in range(3)))
    assert [r["n"] for r in recording.read(path)] == [0, 1, 2]


@pytest.mark.parametrize(
    "row",
    [
        {"servers": {}, "t": 1.0},
        {"servers": {}, "t": 1.0, "wall": "now"},
        {"servers": {}, "t": 1.0, "wall": 1e30},
        {"servers": [], "t": 1.0, "wall": 1.8e9},
        {"servers": {"a": 7}, "t": 1.0, "wall": 1.8e9},
        {"servers": {}, "host": "x", "t": 1.0, "wall": 1.8e9},
        {"servers": {}, "t": 1.0, "wall": 1.8e9, "boot_ns": 1.5},
        {"event": "server_ended", "t": 1.0, "wall": 1.8e9},
        {"event": "link_ended", "t": 1.0, "wall": 1.8e9, "epoch": "e", "sent_bytes": "many"},
        {"static": 3, "t": 0.0},
        {"static": {"servers": {"a": {}}}, "t": 0.0},
        {"static": {"disks": [{"epoch": "e"}]}, "t": 0.0},
        {"static": {"servers": {"a": {"epoch": "e", "exports": ["x"]}}}, "t": 0.0},
        {"static": {"links": 5}, "t": 0.0},
    ],
)
def test_a_line_that_cannot_be_played_is_told_and_nothing_is_written(tmp_path, settings, row):
    """Wrong kinds and missing parts get the line's number; no half of a recording is in the store."""
    path = written(tmp_path, [line(0, {"a": (1, 0, 0)}), line(1, {"a": (2, 0, 0)}), row])
    with pytest.raises(NasacctError, match="line 3 "):
        replay(path, settings)
    assert not settings.root.exists()


def test_a_recording_cannot_name_a_path_as_its_node(tmp_path, settings):
    """What a file says is no place to write to."""
    static = {"static": {"node": "../../elsewhere", "servers": {}, "links": {}}, "t": 0.0}
    path = written(tmp_path, [static, line(0, {})])
    with pytest.raises(NasacctError, match="cannot name a node"):
        replay(path, settings)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "!", "rc 1 2 3", "Inter-|", "a: b"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "rpc_nfsd", "net_dev", "diskstats", "epoch", "t"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.sampled_from(["static", "event", "servers", "host", "t", "wall", "boot_ns"]), anything)
def test_no_line_makes_a_traceback(key, value):
    """Whatever JSON a line holds, it is played, passed over or refused in a sentence."""
    row = {"servers": {}, "t": 1.0, "wall": 1.8e9, key: value}
    wrong = recording.trouble(row)
    assert wrong is None or wrong
    if wrong is None and key not in ("static", "event"):
        machine = Recorded("x", "n")
        machine.play(row)
        machine.now()
        for server in machine.servers().servers:
            with contextlib.suppress(OSError, ParseError):
                machine.nfsd(server)
        for read in (machine.links, machine.disks):
            with contextlib.suppress(OSError, ParseError):
                read()


def test_a_recorder_that_stood_still_says_nothing_of_who_was_not_there(tmp_path):
    """Replayed, who came meanwhile is not taken for overlooked."""
    settings = config.Config(node="n", servers={"exportfs": None, "namespaces": False})
    file = recording.RecordingFile(tmp_path / "a.jsonl.zst")
    with contextlib.closing(file), Recorder(settings, Live(settings), file) as recorder:
        now = recorder.machine.now().boot_ns
        for age_s in (0, 100):
            recorder.cycle(Listing((), begun_ns=now - age_s * 10**9))
    rows = recording.read(tmp_path / "a.jsonl.zst")
    assert [row["static"]["complete"] for row in rows if "static" in row] == [True, False]
