"""What is kept of episodes: names, damage, versions, expiry; and that a file is there whole or not at all."""

import json
import os
from datetime import date

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stores import STAY, at, faults, record

from nasacct.errors import NasacctError
from nasacct.store import expiry, judged
from nasacct.store.keep import keep
from nasacct.store.newer import refuse_newer
from nasacct.store.segments import SegmentError
from nasacct.store.tree import Tree

DAY = date(2026, 11, 23)
ROWS = pa.table({"present": [True, False], "busy": pa.array([9000, None], pa.int32())})


@pytest.fixture
def tree(tmp_path):
    """A store whose days were judged."""
    where = tmp_path / "store"
    record(where)
    found = Tree(where, "nas1")
    keep(found, at("2026-11-24 01:00"), STAY)
    judged.write_table(found, "tank", "facts", DAY, ROWS, {"start": 0})
    judged.write_text(found, "tank", "episodes", DAY, {"episodes": []})
    return found


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_a_pools_name_is_that_of_its_folder(pool):
    """Whatever it is called: the folder's name is one that a copy takes, and says the pool's."""
    folder = judged._folder(pool)
    assert set(folder) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")
    assert folder[0] not in ".-"
    assert judged._plain(folder) == pool


def test_what_was_kept_is_read_again(tree):
    """Rows, and what is said of them; each file by its pool, kind and day."""
    facts, episodes = sorted(judged.listed(tree), key=lambda each: each.kind, reverse=True)
    assert [(each.pool, each.kind, each.day) for each in (facts, episodes)] == [
        ("tank", "facts", DAY),
        ("tank", "episodes", DAY),
    ]
    rows, told = judged.read_table(facts)
    assert rows.equals(ROWS)
    assert told == {"nasacct_judged": 1, "rows": 2, "start": 0}
    assert judged.said(episodes) == {"nasacct_judged": 1, "episodes": []}


def test_the_same_is_the_same_file(tree):
    """To the byte, so its name is the same."""
    before = judged.listed(tree)
    judged.write_table(tree, "tank", "facts", DAY, ROWS, {"start": 0})
    judged.write_text(tree, "tank", "episodes", DAY, {"episodes": []})
    assert judged.listed(tree) == before


def test_a_sound_one_has_no_fault(tree):
    assert faults(tree.root) == []
    judged.put_provisional(tree, "tank", {"from": 1})
    assert faults(tree.root) == []
    assert judged.provisional(tree) == {"tank": {"nasacct_judged": 1, "from": 1}}


@pytest.mark.parametrize("number", [0, 1])
def test_a_flipped_bit_is_found(tree, number):
    """Of either kind."""
    path = judged.listed(tree)[number].path
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert faults(tree.root) == [("damaged", path.name)]


def test_what_does_not_belong_there_is_found(tree):
    folder = judged.listed(tree)[0].path.parent
    (folder / "notes.txt").touch()
    (folder / ".facts.parquet.tmp").touch()
    assert sorted(faults(tree.root)) == [("foreign", "notes.txt"), ("leftover", ".facts.parquet.tmp")]
    expiry.clean(tree)
    assert faults(tree.root) == [("foreign", "notes.txt")]


def test_a_day_that_is_told_twice_counts_once(tree):
    judged.write_text(tree, "tank", "episodes", DAY, {"episodes": [], "again": True})
    both = sorted(path.name for path in judged.listed(tree)[0].path.parent.glob("episodes-*"))
    assert len([each for each in judged.listed(tree) if each.kind == "episodes"]) == 1
    assert faults(tree.root) == [("duplicate", both[1])]


def test_what_is_of_a_later_version_is_refused(tree):
    """By the keeper before it writes anything, and told by the check."""
    file = next(each for each in judged.listed(tree) if each.kind == "episodes")
    text = json.dumps({"nasacct_judged": 2}).encode()
    file.path.write_bytes(text)
    newer = file.path.rename(file.path.with_name(f"episodes-2026-11-23-{judged.digest_of(file.path)}.json"))
    assert faults(tree.root) == [("newer", newer.name)]
    with pytest.raises(NasacctError, match="version 2"):
        refuse_newer(tree)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"nasacct_judged": null}', '{"nasacct_judged": 0}', "\xff"])
def test_what_says_nothing_is_damaged(tree, text):
    file = next(each for each in judged.listed(tree) if each.kind == "episodes")
    file.path.write_bytes(text.encode("latin-1"))
    with pytest.raises(SegmentError):
        judged.said(file)
    refuse_newer(tree)


def test_what_is_old_goes(tree):
    """As configured, counted from the newest day; what is younger stays."""
    judged.write_text(tree, "tank", "episodes", date(2026, 11, 20), {"episodes": []})
    rules = expiry.Rules({"readings": 40, "usage": 400}, judged_days=2)
    expiry.expire_old(tree, at("2026-11-24 00:00"), rules)
    assert {each.day for each in judged.listed(tree)} == {DAY}


def test_a_keeper_that_dies_leaves_no_part(tree, monkeypatch):
    """The name is given last: before, there is nothing that a reader takes for a file."""
    before = judged.listed(tree)

    def die(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", die)
    day = date(2026, 11, 25)
    with pytest.raises(KeyboardInterrupt):
        judged.write_table(tree, "tank", "facts", day, ROWS, {})
    with pytest.raises(KeyboardInterrupt):
        judged.write_text(tree, "tank", "episodes", day, {})
    assert judged.listed(tree) == before
    assert faults(tree.root) == []
