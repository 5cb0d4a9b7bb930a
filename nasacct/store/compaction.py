"""Compaction: an hour's parts become one segment, then six hours do, then all that a day has; its sums join a month's.

A segment belongs to the hour, the day, the month in which it ends. What comes late lies beside the day until the next
run, which makes one of both. The new segment lists what it replaces before anything is deleted, so a reader sees every
row once at any moment.

Usage that is in the rollups and usage that is not are never merged: nobody could tell afterwards what to add.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from nasacct.store.cursor import in_order
from nasacct.store.segment_file import SegmentWriter
from nasacct.store.segments import Footer, Replaced, Segment, SegmentError, reading
from nasacct.store.shelf import Shelf, shelf
from nasacct.store.sums import joined

if TYPE_CHECKING:
    from nasacct.store.journal_spans import Spans
    from nasacct.store.tree import Relation, Tree

log = logging.getLogger(__name__)

HOUR_S, DAY_S = 3600, 86_400
#: Segments of so much of a running day become one, so that the day is made of few, which needs less memory.
SHIFT_S = 6 * HOUR_S
#: From how many segments one is made at most: a row group of each is in memory.
MOST = 8
#: How often what was merged is looked at again at most, to be merged with more.
_ROUNDS = 20
#: A day is over so long after its end: the journal file that reaches over midnight is closed by then.
SETTLED_S = 1800
#: What becomes of the rollups of each step.
_PERIODS = {"5m": "month", "1h": "month", "1d": "year"}


@dataclass(frozen=True, slots=True)
class Merge:
    """Segments that are to become one of this level."""

    level: str
    inputs: tuple[Segment, ...]


def compact(tree: Tree, relation: Relation, now_s: float) -> int:
    """Do every merge that is due in one relation; gives back how many were done.

    An input that turns out damaged goes to the quarantine, and its merge waits for the next run.
    """
    done = 0
    for _ in range(_ROUNDS):
        found = shelf(relation.folder)
        for path in found.damaged:
            tree.put_aside(path, "no whole segment")
        merges = periods(found, relation.step) if relation.step else due(found, now_s)
        if relation.kind == "usage" and merges:
            steps = [shelf(r.folder).journals for r in tree.rollups(relation.stream)]
            merges = [m for m in merges if len({rolled(found.visible[s], steps) for s in m.inputs}) == 1]
        merged = [_merge(tree, relation, found, m) for m in merges if all(tree.sound(s) for s in m.inputs)]
        done += sum(merged)
        if not any(merged):
            break
    return done


def rolled(said: Footer, steps: list[Spans]) -> tuple[bool, ...]:
    """In which of the rollups, each made of these journal files, a segment of usage is."""
    return tuple(step.covers(said.journals) for step in steps)


def due(found: Shelf, now_s: float) -> list[Merge]:
    """What is to be merged: a day that is over and more than one day's segment, else hours that are over, then six."""
    days: dict[int, list[Segment]] = {}
    for segment in found.visible:
        days.setdefault(day_of(segment), []).append(segment)
    merges = []
    for day, segments in sorted(days.items()):
        if (day + 1) * DAY_S + SETTLED_S <= now_s:
            if len(segments) > 1 or segments[0].level != "day":
                merges += _few("day", segments)
            continue
        for length in (HOUR_S, SHIFT_S):
            spans: dict[int, list[Segment]] = {}
            for segment in segments:
                spans.setdefault((segment.until - 1) // length, []).append(segment)
            for number, inputs in sorted(spans.items()):
                some = any(s.level == "part" for s in inputs)
                # six hours when they have no parts any more
                ready = some if length == HOUR_S else not some and len(inputs) > 1
                if ready and (number + 1) * length <= now_s:
                    merges += _few("hour", inputs)
    return merges


def _few(level: str, inputs: list[Segment]) -> list[Merge]:
    """The merge of these, or, where they are many, those of a few of them each: the rest is due then."""
    if len(inputs) <= MOST:
        return [Merge(level, tuple(inputs))]
    some = sorted((s for s in inputs if s.level != "day"), key=lambda s: (s.since, s.name))
    chunks = [some[i : i + MOST] for i in range(0, len(some), MOST)]
    return [Merge("hour", tuple(chunk)) for chunk in chunks if len(chunk) > 1]


def periods(found: Shelf, step: str) -> list[Merge]:
    """The rollups that are to become one of their month or year; what has columns of a later program stays as it is."""
    level = _PERIODS[step]
    inputs: dict[str, list[Segment]] = {}
    for segment in found.visible:
        end = datetime.fromtimestamp(segment.until - 1, UTC)
        inputs.setdefault(f"{end:%Y-%m}" if level == "month" else f"{end:%Y}", []).append(segment)
    return [Merge(level, tuple(i)) for _, i in sorted(inputs.items()) if len(i) > 1 or i[0].level != level]


def day_of(segment: Segment) -> int:
    """The day (since 1970, UTC) in which the segment ends."""
    return (segment.until - 1) // DAY_S


def _merge(tree: Tree, relation: Relation, found: Shelf, merge: Merge) -> bool:
    """Write one segment of several; False when that would lose columns that this program does not know."""
    footers = [found.visible[s] for s in merge.inputs]
    schema = with_unknown(relation.schema, merge.inputs)
    if relation.step and len(schema) > len(relation.schema):
        log.warning("%s has columns of a later nasacct and stays in several files", relation)
        return False
    wanted = read_rows = 0
    with SegmentWriter(relation.folder, merge.level, schema, relation.group) as writer:
        for table in in_order(relation, [s.path for s in merge.inputs], schema):
            read_rows += len(table)
            writer.add(joined(table, relation.stream) if relation.step else table)
        wanted = sum(f.rows for f in footers)
        if read_rows != wanted:
            raise SegmentError(f"{relation.folder}: {wanted} rows were to be merged, but {read_rows} were read")
        made = writer.finish(
            Footer(
                relation.kind,
                relation.stream.name,
                tree.node,
                merge.level,
                min(f.since for f in footers),
                max(f.until for f in footers),
                writer.rows,
                replaced_by(merge.inputs, footers),
                reduce(or_, (f.journals for f in footers)),
                tuple(sorted({terms for f in footers for terms in f.terms})),
                frozenset().union(*(f.of for f in footers)),
            )
        )
    log.debug("%s: %s of %d", relation, made.name, len(merge.inputs))
    return True


def with_unknown(schema: pa.Schema, inputs: tuple[Segment, ...]) -> pa.Schema:
    """The columns, and behind them those of the inputs that only a later program knows: they are not ours to drop."""
    for segment in inputs:
        with reading(segment.path):
            for field in pq.read_schema(segment.path):
                if field.name not in schema.names:
                    schema = schema.append(field.with_nullable(True))
    return schema


def replaced_by(inputs: tuple[Segment, ...], footers: list[Footer]) -> tuple[Replaced, ...]:
    """What a segment made of the inputs replaces: them, and all that they replaced."""
    names = {Replaced(s.name, s.digest) for s in inputs}
    names.update(item for footer in footers for item in footer.replaces)
    return tuple(sorted(names, key=lambda item: item.name))
