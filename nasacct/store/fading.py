"""Fading: addresses of clients that were not seen for long leave the address book; their ids stay, and are nobody's."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from nasacct.store import addresses, journal
from nasacct.store.compaction import DAY_S
from nasacct.store.schema import STREAMS
from nasacct.store.segment_file import counts, read
from nasacct.store.shelf import shelf
from nasacct.store.tables import TIME

if TYPE_CHECKING:
    from nasacct.store.tree import Tree

log = logging.getLogger(__name__)


def fade(tree: Tree, newest_s: float, days: int) -> int:
    """Strike the addresses that were seen last longer than so many days before `newest_s`; gives back how many.

    SegmentError, OSError.
    """
    limit = newest_s - days * DAY_S
    old = {each for each, entry in addresses.mend(tree).items() if entry.since < limit}
    if not old:
        return 0
    gone = old - _seen(tree, limit)
    if gone:
        addresses.strike(tree, gone)
        log.info("node %s: %d addresses that were not seen for %d days are forgotten", tree.node, len(gone), days)
    return len(gone)


def _seen(tree: Tree, since_s: float) -> set[str | None]:
    """The clients of which there is anything since then (seconds of UTC)."""
    found: set[str | None] = set()
    since_us = int(since_s * 1_000_000)
    recent: Any = pc.field("bucket")
    recent = recent >= pa.scalar(int(since_s // DAY_S * DAY_S) * 1_000_000, pa.int64()).cast(TIME)
    told = [(STREAMS[name], key) for name in sorted(addresses.OF_CLIENTS) for key in ("client", "export")]
    for stream, key in told:
        if key not in stream.keys:
            continue
        for segment in shelf(tree.relation("usage", stream).folder, since_us).visible:
            found |= counts(segment.path, key).keys()
        days = tree.rollup("1d", stream)
        for segment in shelf(days.folder, since_us).visible:
            found |= set(read(segment.path, days.schema, [key], recent).column(key).unique().to_pylist())
    for path in journal.files(tree.journal):
        try:
            found |= {entry.id for entry in addresses.told(journal.read(path)) if entry.since >= since_s}
        except journal.JournalError:
            continue
    return found
