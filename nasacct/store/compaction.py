"""Compaction: the parts of an hour become one segment, and all that a day has become one, in bounded memory.

A segment belongs to the hour and the day in which it ends. A part that comes late lies beside the day until the next
run, which makes one of both. The new segment lists what it replaces before anything is deleted, so a reader sees every
row once at any moment.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from nasacct.store.segment_file import SegmentWriter, read
from nasacct.store.segments import Footer, Replaced, Segment, SegmentError
from nasacct.store.shelf import Shelf, shelf

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nasacct.store.tree import Relation, Tree

log = logging.getLogger(__name__)

HOUR_S, DAY_S = 3600, 86_400
#: How many values are held in memory at once.
VALUES = 8_000_000


@dataclass(frozen=True, slots=True)
class Merge:
    """Segments that are to become one of this level."""

    level: str
    inputs: tuple[Segment, ...]


def compact(tree: Tree, relation: Relation, now_s: float) -> int:
    """Do every merge that is due in one relation; gives back how many were done.

    An input that turns out damaged goes to the quarantine, and its merge waits for the next run.
    """
    found = shelf(relation.folder)
    for path in found.damaged:
        tree.put_aside(path, "no whole segment")
    done = 0
    for merge in due(found, now_s):
        if all(tree.sound(s) for s in merge.inputs):
            _merge(tree, relation, found, merge)
            done += 1
    return done


def due(found: Shelf, now_s: float) -> list[Merge]:
    """What is to be merged: a day that is over and more than one day's segment, else an hour that is over."""
    days: dict[int, list[Segment]] = {}
    for segment in found.visible:
        days.setdefault(day_of(segment), []).append(segment)
    merges = []
    for day, segments in sorted(days.items()):
        if (day + 1) * DAY_S <= now_s:
            if len(segments) > 1 or segments[0].level != "day":
                merges.append(Merge("day", tuple(segments)))
            continue
        hours: dict[int, list[Segment]] = {}
        for segment in segments:
            hours.setdefault((segment.until - 1) // HOUR_S, []).append(segment)
        merges += [
            Merge("hour", tuple(inputs))
            for hour, inputs in sorted(hours.items())
            if (hour + 1) * HOUR_S <= now_s and any(s.level == "part" for s in inputs)
        ]
    return merges


def day_of(segment: Segment) -> int:
    """The day (since 1970, UTC) in which the segment ends."""
    return (segment.until - 1) // DAY_S


def slices(relation: Relation, inputs: tuple[Segment, ...]) -> Iterator[pa.Table]:
    """All rows of the inputs in order, in tables small enough to be held.

    The rows of one key are never in two tables, so that what is summed by key is whole in each.
    """
    if not relation.stream.keys:
        yield _rows(relation, inputs, None)
        return
    key = relation.stream.keys[0]
    sizes: dict[str | None, int] = {}
    for segment in inputs:
        values: Any = pc.value_counts(read(segment.path, relation.schema, [key]).column(key))
        for entry in values.to_pylist():
            sizes[entry["values"]] = sizes.get(entry["values"], 0) + entry["counts"]
    most = max(VALUES // len(relation.schema), 1)
    named = sorted(k for k in sizes if k is not None)
    start, rows = 0, 0
    field = pc.field(key)
    for i, value in enumerate(named):
        rows += sizes[value]
        if i + 1 == len(named) or rows + sizes[named[i + 1]] > most:
            yield _rows(relation, inputs, (field >= named[start]) & (field <= value))
            start, rows = i + 1, 0
    if None in sizes:
        yield _rows(relation, inputs, field.is_null())


def _rows(relation: Relation, inputs: tuple[Segment, ...], which: Any) -> pa.Table:
    tables = [read(s.path, relation.schema, rows=which) for s in inputs]
    return pa.concat_tables(tables).sort_by(relation.order)


def _merge(tree: Tree, relation: Relation, found: Shelf, merge: Merge) -> None:
    footers = [found.visible[s] for s in merge.inputs]
    with SegmentWriter(relation.folder, merge.level, relation.schema) as writer:
        for table in slices(relation, merge.inputs):
            writer.add(table)
        rows = sum(f.rows for f in footers)
        if writer.rows != rows:
            raise SegmentError(f"{relation.folder}: {rows} rows were to be merged, but {writer.rows} were read")
        made = writer.finish(
            Footer(
                relation.kind,
                relation.stream.name,
                tree.node,
                merge.level,
                min(f.since for f in footers),
                max(f.until for f in footers),
                rows,
                replaced_by(merge.inputs, footers),
            )
        )
    log.debug("%s: %s of %d", relation, made.name, len(merge.inputs))


def replaced_by(inputs: tuple[Segment, ...], footers: list[Footer]) -> tuple[Replaced, ...]:
    """What a segment made of the inputs replaces: them, and all that they replaced."""
    names = {Replaced(s.name, s.digest) for s in inputs}
    names.update(item for footer in footers for item in footer.replaces)
    return tuple(sorted(names, key=lambda item: item.name))
