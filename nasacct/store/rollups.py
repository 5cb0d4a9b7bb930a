"""Rollups: sums of usage over 5 minutes, an hour and a day of UTC, made once a day is over, kept for ever.

Each row of usage is in the rollups of each step once and for ever: a footer says of which journal files they were made,
and only usage of other files is summed. What comes late is summed by itself and stands beside the sums of its day until
both become one (`compaction.py`); rows of several rollups, and of several nodes, add up. Each step is summed from
usage, because a row of usage that was cut at a 5-minute edge is exact again in the hour that holds all of it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from nasacct.store.compaction import day_of
from nasacct.store.cursor import in_order
from nasacct.store.segment_file import SegmentWriter
from nasacct.store.segments import Footer
from nasacct.store.shelf import shelf
from nasacct.store.sums import summed
from nasacct.store.tree import STEPS

if TYPE_CHECKING:
    from nasacct.store.journal_spans import Spans
    from nasacct.store.segments import Segment
    from nasacct.store.shelf import Shelf
    from nasacct.store.stream import Stream
    from nasacct.store.tree import Relation, Tree

log = logging.getLogger(__name__)


def roll(tree: Tree, stream: Stream) -> int:
    """Sum what is a day's segment by now, and what came late to a day; gives back how many rollups were made."""
    usage = shelf(tree.relation("usage", stream).folder)
    if not usage.visible:
        return 0
    ready = _ready(usage)
    made = 0
    for relation in tree.rollups(stream):
        there = shelf(relation.folder)
        for path in there.damaged:
            tree.put_aside(path, "no whole segment")
        summed_up = there.journals
        for segment in ready:
            if _is_new(segment, usage.visible[segment], summed_up):
                _roll(tree, relation, segment, usage.visible[segment])
                made += 1
    return made


def _ready(usage: Shelf) -> list[Segment]:
    """Days, and whatever else there is of the same days."""
    days = {day_of(s) for s in usage.visible if s.level == "day"}
    return [s for s in usage.visible if day_of(s) in days]


def _is_new(segment: Segment, said: Footer, summed_up: Spans) -> bool:
    if summed_up.covers(said.journals):
        return False
    if summed_up.meets(said.journals):
        log.error(
            "a part of %s is in its sums already, so it is not summed; `nasacct check --repair` mends that", segment
        )
        return False
    return True


def _roll(tree: Tree, relation: Relation, segment: Segment, said: Footer) -> None:
    assert relation.step is not None
    length = STEPS[relation.step]
    usage = tree.relation("usage", relation.stream)
    with SegmentWriter(relation.folder, "day", relation.schema, relation.group) as writer:
        for table in in_order(usage, [segment.path]):
            writer.add(summed(table, relation.stream, length * 1_000_000))
        since = segment.since // length * length * 1_000_000
        until = -(-segment.until // length) * length * 1_000_000
        stream, node = relation.stream.name, tree.node
        writer.finish(
            Footer(
                "rollup",
                stream,
                node,
                "day",
                since,
                until,
                writer.rows,
                (),
                said.journals,
                of=frozenset((segment.digest,)),
            )
        )
