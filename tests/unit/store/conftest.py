"""A small store in every state in which a keeper leaves it."""

import shutil

import pytest
from stores import GO, STAY, at, record

from nasacct.store.keep import keep
from nasacct.store.tree import Tree


@pytest.fixture(scope="session")
def states(tmp_path_factory):
    """One store in each state of its life, by name."""
    made = {}

    def state(name, *runs):
        where = tmp_path_factory.mktemp(name) / "store"
        record(where)
        for when, rules in runs:
            assert keep(Tree(where, "nas1"), at(when), rules) == 0
        made[name] = where

    state("journal")
    state("parts", ("2026-11-23 23:40", STAY))
    state("hours", ("2026-11-24 00:10", STAY))
    state("days", ("2026-11-26", STAY))
    state("merged", *[("2026-11-26", GO)] * 3)
    return made


@pytest.fixture
def store(states, tmp_path):
    """A copy of a store in which all is merged, rolled up and cleaned up."""
    return shutil.copytree(states["merged"], tmp_path / "store")
