"""`nasacct compact`: what the keeper does, by hand, with an answer."""

import json

from journals import Recorder

from nasacct.store import root
from nasacct.store.copies import MARK
from nasacct.store.schema import STREAMS


def record(where, node="nas1"):
    """Three files of a day that is long over."""
    recorder = Recorder(where, node=node, start="2026-01-05T10:00:00+00:00")
    server = recorder.thing("nfsd", server="srv1")
    for i in range(12):
        if i % 4 == 0:
            recorder.rotate()
        recorder.cycle({server: {"read_bytes": 100 * i}})


def test_it_merges_now_and_says_what_there_is_afterwards(nasacct, tmp_path):
    """Two of three journal files become one segment a stream and its sums; a second run finds nothing to do."""
    record(tmp_path)
    done = nasacct("compact", "--root", tmp_path, "--json")
    assert done.returncode == 0
    (row,) = json.loads(done.stdout)
    assert (row["journals_before"], row["journals"], row["segments_before"]) == (3, 1, 0)
    assert row["segments"] == len(STREAMS) * (2 + 3)
    (again,) = json.loads(nasacct("compact", "--root", tmp_path, "--json").stdout)
    assert (again["segments"], again["bytes_before"], again["bytes"]) == (row["segments"], row["bytes"], row["bytes"])
    (usage,) = json.loads(nasacct("usage", "--root", tmp_path, "--json").stdout)
    assert (usage["read_bytes"], usage["read_bytes_quality"]) == (1100, "exact")
    assert "SEGMENTS" in nasacct("compact", "--root", tmp_path).stdout


def test_it_is_refused_beside_a_keeper_and_in_a_copy(nasacct, tmp_path):
    """One sentence that names the holder, or where the copy comes from; trees of its own are merged all the same."""
    record(tmp_path)
    with root.lock(tmp_path, "nas1", "keep"):
        refused = nasacct("compact", "--root", tmp_path)
    assert refused.returncode == 75
    assert "`nasacct keep` already runs on" in refused.stderr
    record(tmp_path, "nas2")
    (tmp_path / "node=nas2" / MARK).write_text('{"from": "elsewhere:/tank", "at": null}\n')
    assert [r["node"] for r in json.loads(nasacct("compact", "--root", tmp_path, "--json").stdout)] == ["nas1"]
    refused = nasacct("compact", "--root", tmp_path, "--node", "nas2")
    assert refused.returncode == 65
    assert "is a copy of elsewhere:/tank" in refused.stderr
    assert "holds no node nas3; it holds: nas1, nas2" in nasacct("compact", "--root", tmp_path, "--node", "nas3").stderr
