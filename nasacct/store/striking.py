"""Striking: clients that are to be forgotten go out of a node's tree, with every row and the address of each.

Journal files first, as long as no part was made of them; then parts are made, of the others only. Segments that have
rows of these clients are replaced by such that have all rows but those, and go at once, also those that were replaced
before. So usage, readings, sums and cuts lose the same rows, and what is left agrees; other streams are not touched.
Killed anywhere, the next run goes on: an order (`strikes.py`) is deleted when nothing is left to be done.

The journal file that a collector is writing cannot be changed: it waits until that one has begun another. Meanwhile
readers leave out what is to go.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from nasacct.errors import NasacctError
from nasacct.store import addresses, journal, journal_striking, strikes
from nasacct.store import root as store_root
from nasacct.store.compaction import replaced_by, with_unknown
from nasacct.store.copies import GONE, copied
from nasacct.store.cursor import in_order
from nasacct.store.heads import expire_heads, heads
from nasacct.store.parts import consume
from nasacct.store.place import held
from nasacct.store.schema import STREAMS
from nasacct.store.segment_file import SegmentWriter, counts, digest_of
from nasacct.store.segments import SegmentError, footer, named
from nasacct.store.shelf import shelf
from nasacct.store.sync import sync_folder

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from nasacct.store.segments import Footer, Segment
    from nasacct.store.stream import Stream
    from nasacct.store.strikes import Strike
    from nasacct.store.tree import Relation, Tree

log = logging.getLogger(__name__)

#: What is written in a journal file, or an address book, that may have an address of a client.
_TELLS = (*(f'"source":"{name}"'.encode() for name in sorted(addresses.TELLING)), b'"nasacct_addresses"')
#: The streams that have rows of clients.
_STREAMS = tuple(stream for stream in STREAMS.values() if stream.name in addresses.OF_CLIENTS)


def strike(tree: Tree) -> bool:
    """Carry out every order in the tree; whether all are done. For the holder of the tree's lock (keep, or pull).

    NasacctError when a file of a newer version or a damaged order is met; SegmentError when a segment is damaged;
    OSError when the store cannot be read or written.
    """
    ordered = strikes.ordered(tree.folder)
    if not ordered:
        return True
    clients = frozenset[str]().union(*(each.clients for each in ordered.values()))
    addresses.strike(tree, clients)
    _aside(tree)
    _unkept(tree, ordered.values())
    if copied(tree.folder) is None:
        consume(tree)
    _segments(tree, clients)
    _kept(tree, ordered.values())
    done = [path for path, each in ordered.items() if _is_done(tree, each)]
    for path in done:
        path.unlink()
    sync_folder(tree.folder)
    return len(done) == len(ordered)


def rows(tree: Tree, clients: Collection[str]) -> dict[str, int]:
    """How many rows of these clients are in each relation's visible segments. SegmentError, OSError."""
    found = {}
    for relation in _relations(tree):
        there = shelf(relation.folder).visible
        found[str(relation)] = sum(_count(segment, clients) for segment in there)
    return found


def _relations(tree: Tree) -> list[Relation]:
    # usage before sums, which then name it; cuts are told of usage before it has its name
    return [
        relation
        for stream in _STREAMS
        for relation in (
            tree.cuts(stream),
            tree.relation("readings", stream),
            tree.relation("usage", stream),
            *tree.rollups(stream),
        )
    ]


def _count(segment: Segment, clients: Collection[str]) -> int:
    found = counts(segment.path, "client")
    return sum(number for client, number in found.items() if client in clients)


def _aside(tree: Tree) -> None:
    """Delete what was put aside and may tell of them: nobody can say what a damaged file holds."""
    for folder in (tree.quarantine, tree.folder / GONE):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if ".parquet" in path.name:
                goes = _is_of_clients(path)
            else:
                content = path.read_bytes()
                goes = any(mark in content for mark in _TELLS)
            if goes:
                path.unlink()
                log.warning("%s was put aside and tells of clients; it is deleted, because one is forgotten", path)


def _is_of_clients(path: Path) -> bool:
    """Whether a segment that was put aside may have rows of clients: one that says that it has others has none."""
    segment = named(path.with_name(path.name.partition(".parquet")[0] + ".parquet"))
    try:
        return segment is None or footer(replace(segment, path=path)).stream in addresses.OF_CLIENTS
    except SegmentError:
        return True


def _unkept(tree: Tree, ordered: Collection[Strike]) -> None:
    """Strike in journal files of which nothing was made yet, all but the newest, and in heads."""
    paths = journal.files(tree.journal)
    if copied(tree.folder) is not None:
        # the journal of a copy is its source's to change, and comes from there
        return
    starts = [journal.begun(p) * 1_000_000 for p in paths]
    span = (min(starts), max(starts)) if starts else (0, 0)
    replaced = {name for r in tree.relations() for name in shelf(r.folder, *span).replaced}
    for path in [*(p for p in paths[:-1] if p.name not in replaced), *heads(tree.journal)]:
        # a newest file's head stands for it when it goes on: see below
        _rewrite(path, ordered, rows=not paths or path.stem != paths[-1].stem)


def _rewrite(path: Path, ordered: Collection[Strike], *, rows: bool) -> None:
    """Write a journal file or head anew without those who are to go; one that cannot be read is put aside later."""
    what = strikes.struck(ordered, path)
    content = path.read_bytes()
    if not what.is_in(content):
        return
    try:
        left = journal_striking.without(content, what, rows=rows)
    except journal.JournalError:
        return
    if left != content:
        mode = path.stat().st_mode & 0o7777
        store_root.write_atomically(path, left)
        path.chmod(mode)


def _segments(tree: Tree, clients: frozenset[str]) -> None:
    """Replace every segment that has rows of theirs, and delete at once what is replaced."""
    now_called: dict[str, str] = {}
    for relation in _relations(tree):
        for segment, said in shelf(relation.folder).visible.items():
            if _count(segment, clients):
                made = _without(tree, relation, segment, said, clients, now_called)
                now_called[segment.digest] = made.digest
                segment.path.unlink()
        found = shelf(relation.folder)
        if not all(tree.sound(found.replaced[s.name][1]) for s in found.hidden):
            raise SegmentError(f"{relation.folder}: what replaces others is damaged; they stay until it is mended")
        for segment in found.hidden:
            if _count(segment, clients):
                segment.path.unlink()
        if relation.folder.is_dir():
            sync_folder(relation.folder)


def _without(
    tree: Tree,
    relation: Relation,
    segment: Segment,
    said: Footer,
    clients: frozenset[str],
    now_called: Mapping[str, str],
) -> Segment:
    """A segment of all rows but theirs, in the place of that one."""
    schema = with_unknown(relation.schema, (segment,))
    gone = pa.array(sorted(clients), pa.string())
    with SegmentWriter(relation.folder, said.level, schema, relation.group) as writer:
        for table in in_order(relation, [segment.path], schema):
            theirs: Any = pc.is_in(table.column("client"), gone)
            writer.add(table.filter(pc.invert(theirs)))
        of = frozenset(now_called.get(digest, digest) for digest in said.of)
        told = replace(said, rows=writer.rows, replaces=replaced_by((segment,), [said]), of=of)

        def called(digest: str) -> None:
            if relation == tree.relation("usage", relation.stream):
                _tell_cuts(tree, relation.stream, segment.digest, digest)

        return writer.finish(told, called)


def _tell_cuts(tree: Tree, stream: Stream, was: str, digest: str) -> None:
    """Let the cuts that took rows of usage know it by the digest that it is about to have, too.

    Else its rows would count twice. By one that comes never nothing is lost.
    """
    relation = tree.cuts(stream)
    for segment, said in shelf(relation.folder).visible.items():
        if was in said.of:
            with SegmentWriter(relation.folder, said.level, relation.schema, relation.group) as writer:
                for table in in_order(relation, [segment.path]):
                    writer.add(table)
                writer.finish(replace(said, replaces=replaced_by((segment,), [said]), of=said.of | {digest}))
            segment.path.unlink()


def _kept(tree: Tree, ordered: Collection[Strike]) -> None:
    """Delete journal files of which all was made; take the addresses out of the newest, if nobody writes it."""
    paths = journal.files(tree.journal)
    if not paths or copied(tree.folder) is not None:
        return
    newest, mine = paths[-1], {path: strikes.struck(ordered, path) for path in paths}
    if mine[newest] and f"{tree.node}/collect" not in held(tree.root):
        # not where one has just begun
        with suppress(NasacctError), store_root.lock(tree.root, tree.node, "collect"):
            # what was read of a connection that may still be there says from where on it counts
            _rewrite(newest, ordered, rows=False)
    starts = [journal.begun(p) * 1_000_000 for p in paths]
    shelves = [shelf(r.folder, min(starts), max(starts)) for r in tree.relations()]
    gone: list[Path] = []
    for path in paths[:-1]:
        by = [found.replaced.get(path.name) for found in shelves]
        if not mine[path].is_in(path.read_bytes()) or not all(by):
            continue
        witnesses = {entry[1] for entry in by if entry}
        if all(entry and entry[0].digest == digest_of(path) for entry in by) and all(map(tree.sound, witnesses)):
            gone.append(path)
    for path, following in pairwise(paths):
        if path in gone and following not in gone:
            # should that one rot, it is bridged from its own head
            _keep_head(following, ordered)
    for path in gone:
        path.unlink()
    expire_heads(tree.journal)
    sync_folder(tree.journal)


def _keep_head(path: Path, ordered: Collection[Strike]) -> None:
    """Copy the head of a journal file, without the addresses of those who are to go."""
    try:
        content = journal_striking.head(path.read_bytes())
        content = journal_striking.without(content, strikes.struck(ordered, path), rows=False)
    except journal.JournalError:
        return
    store_root.write_atomically(path.with_suffix(".head"), content)


def _is_done(tree: Tree, ordered: Strike) -> bool:
    """Whether no journal file and no head that may tell of them is left, nor is being written."""
    paths = journal.files(tree.journal)
    for path in (*paths, *heads(tree.journal)):
        if strikes.struck([ordered], path).is_in(path.read_bytes()):
            return False
    if copied(tree.folder) is not None or not paths:
        return True
    return journal.begun(paths[-1]) > ordered.at or f"{tree.node}/collect" not in held(tree.root)
