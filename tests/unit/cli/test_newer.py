"""What a later version wrote is refused in a sentence by every command that opens the store, and nothing is written."""

import json
import shutil

import pytest
from stores import GO, at, record, rewrite, same, segment

from nasacct.store import journal, journal_frames
from nasacct.store.keep import keep
from nasacct.store.tree import Tree

READERS = ["usage", "top --once"]
WRITERS = ["keep --once", "compact", "check --repair", "collect --volatile"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A store with segments and journal files."""
    where = tmp_path_factory.mktemp("made") / "store"
    record(where)
    keep(Tree(where, "nas1"), at("2026-11-24 00:10"), GO)
    return where


@pytest.fixture
def store(made, tmp_path):
    return shutil.copytree(made, tmp_path / "store")


def everything(where):
    """Every file and folder, with contents and times."""
    return {p: (p.stat().st_mtime_ns, p.is_file() and p.read_bytes()) for p in where.rglob("*")}


def of_store(store):
    (store / "store.json").write_text('{"nasacct_store": 2}')


def of_segment(store):
    rewrite(segment(store, number=-1), same, format=2)


def of_journal(store):
    path = journal.files(Tree(store, "nas1").journal)[-1]
    head, parts, end = journal_frames.unpack(path.read_bytes(), len(journal.MAGIC))
    frames = path.read_bytes()[end:]
    path.write_bytes(journal.MAGIC + journal_frames.pack(head | {"nasacct_journal": 3}, [bytes(parts)]) + frames)


CASES = [
    *((of_store, command) for command in (*READERS, *WRITERS, "check")),
    *((of_segment, command) for command in ("usage", *WRITERS[:3])),
    *((of_journal, command) for command in (*READERS, *WRITERS)),
]


@pytest.mark.parametrize(("newer", "command"), CASES, ids=[f"{n.__name__}-{c}" for n, c in CASES])
def test_it_is_refused(refused, store, newer, command):
    """Neither a lock nor a temporary file is touched."""
    newer(store)
    before = everything(store)
    status, sentence = refused(*command.split(), "--root", store, NASACCT_NODE="nas1")
    assert status == 65, sentence
    assert "newer" in sentence or "version 2" in sentence
    assert everything(store) == before


@pytest.mark.parametrize("newer", [of_segment, of_journal])
def test_a_check_tells_it_as_that(nasacct, store, newer):
    """It is no damage; the rest is checked all the same."""
    newer(store)
    before = everything(store)
    done = nasacct("check", "--json", "--root", store)
    assert done.returncode == 1
    assert "newer" in {row["kind"] for row in json.loads(done.stdout)}
    assert not {row["kind"] for row in json.loads(done.stdout)} & {"damaged", "torn"}
    assert everything(store) == before
