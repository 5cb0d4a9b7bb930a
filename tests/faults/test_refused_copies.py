"""Who may not be copied, and who may not write to a copy."""

import json

import pytest
from copying import Source, asked, files

from nasacct.config import Config
from nasacct.errors import CANT_CREATE, DATA, NasacctError
from nasacct.store.keep import run as run_keeper
from nasacct.store.root import lock


def test_newer_store_is_refused_untouched(tmp_path, pulled):
    """A source of a later version is refused in a sentence, and nothing of it is copied."""
    source = Source(tmp_path / "source").run(3)
    (source.root / "store.json").write_text('{"nasacct_store": 2}\n')
    with pytest.raises(NasacctError, match=f"the store {source.root} has version 2, .*update") as caught:
        pulled(source).round()
    assert caught.value.status == DATA
    assert [p.name for p in (tmp_path / "copy").iterdir()] == ["store.json"]


def test_source_that_is_updated_later_is_refused_then(tmp_path, pulled):
    """The version is looked at whenever store.json changed."""
    source = Source(tmp_path / "source").run(3)
    pull = pulled(source)
    pull.round()
    (source.root / "store.json").write_text('{"nasacct_store": 22}\n')
    with pytest.raises(NasacctError, match="has version 22"):
        pull.round()


def test_tree_that_was_made_here_is_refused(tmp_path, pulled):
    """A collector's own tree is no copy and stays as it is."""
    source = Source(tmp_path / "source").run(3)
    mine = Source(tmp_path / "copy").run(5)
    before = files(tmp_path / "copy")
    with pytest.raises(NasacctError, match="node=nas1 is no copy: its readings were made here; pull into another"):
        pulled(source).round()
    assert files(tmp_path / "copy") == before
    assert not (mine.tree.folder / "pull.lock").exists()


def test_one_node_has_one_source(tmp_path, pulled):
    """Another source with a node of the same name is refused, until somebody says that it moved."""
    source = Source(tmp_path / "source").run(3)
    pull = pulled(source)
    pull.round()
    pull.__exit__()
    other = Source(tmp_path / "other").run(30)
    with pytest.raises(NasacctError, match=f"is a copy of {source.root}; say --moved if that is now") as caught:
        pulled(other).round()
    assert caught.value.status == CANT_CREATE
    pulled(other, moved=True).round()
    assert asked(tmp_path / "copy") == other.truth
    mark = json.loads((tmp_path / "copy" / "node=nas1" / "pulled.json").read_text())
    assert mark["from"] == str(other.root)


def test_second_pull_names_the_first(tmp_path, pulled):
    """Two pulls of one tree at once: the second is refused with the first one's pid."""
    source = Source(tmp_path / "source").run(3)
    pulled(source).round()
    with pytest.raises(NasacctError, match=r"`nasacct pull` already runs on .*: pid \d+ on .*; stop that one first"):
        pulled(source).round()


def test_collector_and_keeper_refuse_a_copy(tmp_path, pulled):
    """Both say where the copy comes from; `keep --once` passes copies over unless there is nothing else."""
    source = Source(tmp_path / "source").run(40)
    pulled(source).round()
    copy = tmp_path / "copy"
    for role in ("collect", "keep"):
        with pytest.raises(NasacctError, match=f"is a copy of {source.root}, .*run `nasacct {role}` there") as caught:
            lock(copy, "nas1", role)
        assert caught.value.status == DATA
    before = files(copy)
    with pytest.raises(NasacctError, match="is a copy of"):
        run_keeper(Config(root=copy, node="elsewhere"), once=True)
    mine = Source(copy, "mine").run(40)
    assert run_keeper(Config(root=copy, node="elsewhere"), once=True) == 0
    assert list(mine.tree.folder.glob("usage/nfsd/*.parquet"))
    assert {p: c for p, c in files(copy).items() if "node=nas1" in p} == before
