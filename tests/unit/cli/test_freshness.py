"""Freshness: whatever is shown of a node says up to when that reaches, where it need not be now."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from journals import Recorder

from nasacct.store.copies import Copied
from nasacct.store.keep import Rules, keep
from nasacct.store.tree import Tree
from nasacct.store.warehouse import Warehouse
from nasacct.times import iso


def write(root, node, ago):
    """A node whose newest cycle was so long ago; gives back when."""
    newest = (datetime.now(UTC) - ago).replace(microsecond=0)
    recorder = Recorder(root, node=node, start=(newest - timedelta(seconds=50)).isoformat())
    server = recorder.thing("nfsd", server="srv1")
    for i in range(6):
        if i == 3:
            recorder.rotate()
        recorder.cycle({server: {"read_bytes": 1000 * i}})
    return newest


@pytest.fixture
def two(tmp_path):
    """A store of a node that is fresh and one that is four hours behind."""
    return {
        "nas1": write(tmp_path, "nas1", timedelta()),
        "nas2": write(tmp_path, "nas2", timedelta(hours=4, minutes=5)),
    }


def shown(nasacct, *arguments):
    """What a command prints."""
    done = nasacct(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_several_nodes_say_up_to_when_they_reach(nasacct, tmp_path, two):
    """Above the table stands each node's newest cycle, and the age of what is not fresh."""
    for by in ("server", "node"):
        second = shown(nasacct, "usage", "--root", tmp_path, "--by", by).splitlines()[1]
        first, other = second.split(", nas2 up to ")
        assert first.startswith("nas1 up to 20")
        assert "behind" not in first
        assert other.endswith(", 4 h 5 min behind")
    screen = shown(nasacct, "top", "--root", tmp_path, "--once")
    assert ", 4 h 5 min behind, the last " in screen
    assert screen.count("behind") == 1
    assert set(two) == {"nas1", "nas2"}


def test_every_row_says_as_of_when_it_is(nasacct, tmp_path, two):
    """In JSON and CSV, of usage and top, `as_of` is the newest cycle of the row's node."""
    expected = {node: iso(at) for node, at in two.items()}
    for command in (["usage", "--by", "node"], ["usage", "--by", "server", "--until", "now"]):
        rows = json.loads(shown(nasacct, *command, "--root", tmp_path, "--json"))
        assert {row["node"]: row["as_of"] for row in rows} == expected
        lines = csv.DictReader(io.StringIO(shown(nasacct, *command, "--root", tmp_path, "--csv")))
        assert {row["node"]: row["as_of"] for row in lines} == expected
    found = json.loads(shown(nasacct, "top", "--root", tmp_path, "--json"))
    for kind in ("nodes", "servers"):
        assert {row["node"]: row["as_of"] for row in found[kind]} == expected
    lines = csv.DictReader(io.StringIO(shown(nasacct, "top", "--root", tmp_path, "--csv")))
    assert {row["node"]: row["as_of"] for row in lines} == expected


def test_single_node_says_so_only_when_it_is_a_copy(nasacct, tmp_path):
    """What was collected here is as fresh as can be; a copy whose pull fails grows old visibly."""
    write(tmp_path, "nas1", timedelta(days=2))
    assert "up to" not in shown(nasacct, "usage", "--root", tmp_path)
    assert "behind" not in shown(nasacct, "top", "--root", tmp_path, "--once")
    (tmp_path / "node=nas1" / "pulled.json").write_bytes(Copied("nas1:/", None).encode())
    assert shown(nasacct, "usage", "--root", tmp_path).splitlines()[1].endswith(", 2 d behind")
    assert ", 2 d behind, the last " in shown(nasacct, "top", "--root", tmp_path, "--once")


def test_freshness_is_the_newest_cycle_also_without_a_change(tmp_path):
    """An idle node is not behind, whatever its usage rows say; without a journal, segments tell."""
    newest = write(tmp_path, "nas1", timedelta())
    assert Warehouse(tmp_path).up_to() == {"nas1": newest}
    tree = Tree(tmp_path, "nas1")
    keep(tree, 0, Rules({"readings": 40, "usage": 400}, grace_s=1e12))
    assert Warehouse(tmp_path).up_to() == {"nas1": newest}
    for path in tree.journal.iterdir():
        path.unlink()
    assert Warehouse(tmp_path).up_to()["nas1"] <= newest
