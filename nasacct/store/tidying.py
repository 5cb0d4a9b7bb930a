"""Tidying by hand: what the keeper makes and merges by itself, done now and told."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nasacct.errors import NO_INPUT, NasacctError
from nasacct.store import journal
from nasacct.store import root as store_root
from nasacct.store.copies import copied
from nasacct.store.expiry import clean, folders
from nasacct.store.keep import merge
from nasacct.store.newer import refuse_newer
from nasacct.store.shelf import shelf
from nasacct.store.tree import Tree, trees

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Amount:
    """What a reader opens in one node's tree: journal files and segments, and their bytes."""

    journals: int
    segments: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class Tidied:
    """One node's tree before and after; `failed` steps are in the log."""

    node: str
    before: Amount
    after: Amount
    failed: int


def tidy(root: Path, node: str | None = None) -> list[Tidied]:
    """Merge what can be in the tree of `node`, or in every tree that is no copy.

    NasacctError when there is no store or no such node, when it is a copy, or when a keeper is at work on it.
    """
    store_root.existing(root)
    every = trees(root)
    chosen = [tree for tree in every if (tree.node == node if node else copied(tree.folder) is None)]
    if not chosen:
        names = ", ".join(tree.node for tree in every) or "none"
        raise NasacctError(f"{root} holds no node {node or 'of its own'}; it holds: {names}", NO_INPUT)
    return [_tidy(root, tree) for tree in chosen]


def _tidy(root: Path, tree: Tree) -> Tidied:
    refuse_newer(tree)
    with store_root.lock(root, tree.node, "keep"):
        clean(tree)
        before = _amount(tree)
        failed = merge(tree, time.time())
        return Tidied(tree.node, before, _amount(tree), failed)


def _amount(tree: Tree) -> Amount:
    """Of the journal only what no segment stands for yet, as far as usage is concerned."""
    replaced: set[str] = set()
    sizes = []
    for where in folders(tree):
        found = shelf(where, left_out={})
        sizes += [s.path.stat().st_size for s in found.visible]
        if where.parent.name == "usage":
            replaced |= found.replaced.keys()
    journals = [p for p in journal.files(tree.journal) if p.name not in replaced]
    with suppress(FileNotFoundError):
        sizes += [p.stat().st_size for p in journals]
    return Amount(len(journals), len(sizes) - len(journals), sum(sizes))
