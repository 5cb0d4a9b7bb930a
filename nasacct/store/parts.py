"""Parts: closed journal files become one segment for each stream's usage and readings.

A journal file is closed once a later one can be read: that one's head says what the file lost at its end. What was
made of a file is asked of the segments, so a keeper that was killed goes on with what is missing.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from nasacct.store import addresses, journal, shown, strikes
from nasacct.store.chain import chain
from nasacct.store.heads import keep_head
from nasacct.store.journal_readings import of_journal
from nasacct.store.ledger import accounts, anomalies
from nasacct.store.segment_file import SegmentWriter, digest_of
from nasacct.store.segments import Footer, Replaced
from nasacct.store.shelf import shelf
from nasacct.store.tail import terms

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from nasacct.store.journal import Journal
    from nasacct.store.tree import Relation, Tree

log = logging.getLogger(__name__)


def consume(tree: Tree) -> int:
    """Make parts of every closed journal file of which any is missing; gives back of how many files.

    A file that cannot be read gets parts that bridge it, then it goes to the quarantine; so does one before which
    nothing is known. The newest, which is perhaps just being begun, stays.
    Nothing is made of clients that are to be forgotten (`strikes.py`).
    NasacctError when a file is of a newer version; OSError when the store cannot be read or written.
    """
    paths = journal.files(tree.journal)
    missing = _missing(tree, paths[:-1])
    todo = {name: relations for name, relations in missing.items() if relations}
    if not todo:
        return 0
    first = next(i for i, p in enumerate(paths) if p.name in todo)
    done = 0
    ordered = strikes.ordered(tree.folder).values()
    for path, found, following in chain(paths, first):
        if following is not None and path.name in todo:
            gone = strikes.struck(ordered, path)
            keep_head(tree.journal, found, following)
            addresses.learn(tree, found, gone)
            shown.learn(tree, found)
            _make(tree, found, following, todo[path.name], gone)
            if found.broken:
                tree.put_aside(path, found.trouble)
            done += 1
    return done


def _missing(tree: Tree, paths: list[Path]) -> dict[str, list[Relation]]:
    """Of each file the relations in which no segment replaces it."""
    missing: dict[str, list[Relation]] = {p.name: [] for p in paths}
    starts = [journal.begun(p) for p in paths]
    for relation in tree.relations():
        span = (min(starts) * 1_000_000, max(starts) * 1_000_000) if starts else (0, 0)
        replaced = shelf(relation.folder, *span).replaced
        for name, relations in missing.items():
            if name not in replaced:
                relations.append(relation)
    return missing


def _make(tree: Tree, found: Journal, following: Journal, missing: list[Relation], gone: strikes.Struck) -> None:
    if found.trouble and not found.broken:
        log.warning("%s has a %s; what is whole counts", found.name, found.trouble)
    replaces = (Replaced(found.name, digest_of(tree.journal / found.name)),)
    readings = of_journal(found, following)
    for relation in missing:
        of_stream = strikes.without(readings[relation.stream.name], gone)
        if relation.kind == "usage":
            for sentence in anomalies(of_stream):
                log.warning("node %s: %s", tree.node, sentence)
            tables = accounts(of_stream, tree.node, terms(found.origin))
        else:
            tables = iter([of_stream.table(tree.node)])
        at_us = found.at.wall_ns // 1000
        bounds = [(at_us, at_us)]
        told = ((found.origin.interval_ns, found.origin.link_bytes_s),) if relation.kind == "readings" else ()
        kind, stream = relation.kind, relation.stream.name
        with SegmentWriter(relation.folder, "part", relation.schema) as writer:
            for table in tables:
                writer.add(table.sort_by(relation.order))
                bounds.append(span(table, at_us))
            rows = writer.rows
            since, until = min(low for low, _ in bounds), max(high for _, high in bounds)
            writer.finish(Footer(kind, stream, tree.node, "part", since, until, rows, replaces, terms=told))


def span(table: pa.Table, at_us: int) -> tuple[int, int]:
    """From and to which time (µs of UTC) the rows reach, `at_us` among them."""
    if not len(table):
        return at_us, at_us
    first, last = ("t0", "t1") if "t0" in table.column_names else ("t", "t")
    low = pc.min(table.column(first).cast("int64")).as_py()
    high = pc.max(table.column(last).cast("int64")).as_py()
    return min(low, at_us), max(high, at_us)
