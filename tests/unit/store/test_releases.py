"""Stores of every release are read to the answers that the release itself gave, also after this one has kept them."""

import tarfile
from pathlib import Path

import pytest
from stores import answers, faults

from nasacct.store.check.repair import repair
from nasacct.store.expiry import Rules
from nasacct.store.keep import keep
from nasacct.store.seals import seals
from nasacct.store.tree import trees

FIXTURES = Path(__file__).parents[2] / "fixtures" / "stores"
RELEASES = sorted(path.parent.name for path in FIXTURES.glob("*/store.tar.xz"))
#: Long after all that is in them.
NOW, RULES = 4e9, Rules({"readings": 40, "usage": 400}, grace_s=1e12)


@pytest.fixture(params=RELEASES)
def release(request, tmp_path):
    """A release's name and a copy of its store."""
    with tarfile.open(FIXTURES / request.param / "store.tar.xz") as tar:
        tar.extractall(tmp_path, filter="data")
    return request.param, tmp_path / "store"


def said(name):
    """What the release answered."""
    return {path.stem: path.read_text() for path in (FIXTURES / name).glob("*.csv")}


def test_there_is_a_store_of_this_release():
    """It is made once, by tests/fixtures/stores/make.py."""
    from nasacct import __version__

    assert __version__ in RELEASES


def test_it_is_read_to_the_same_answers(release):
    """By server, as a whole and hour by hour, from days, hours, parts and journal files."""
    name, store = release
    assert answers(store) == said(name)
    assert len(seals(store)) == 1


def test_it_has_no_fault_but_the_torn_file_that_is_in_it(release):
    assert [kind for kind, _ in faults(release[1])] == ["torn"]


def test_it_can_be_kept_and_repaired_without_a_change(release):
    """All of it becomes days and sums of this release; the answers stay."""
    name, store = release
    for tree in trees(store):
        assert keep(tree, NOW, RULES) == 0
        assert repair(tree, NOW, RULES) == []
    assert answers(store)["by_server"] == said(name)["by_server"]
    assert answers(store)["by_hour"] == said(name)["by_hour"]
    assert {kind for kind, _ in faults(store)} <= {"torn"}
