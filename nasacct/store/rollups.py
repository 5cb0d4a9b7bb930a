"""Rollups: sums of usage over 5 minutes, an hour and a day of UTC, made once a day is over, kept for ever.

A rollup has a row for each key, epoch and bucket: how many `parts` of usage it sums, and each measure's sum. Of a
bounded measure `m` is what is certain (NULL when nothing is), `m_more` by how much the known bounds exceed it, and
`m_unknown` the number of parts that have no value or no bound: while there are any, the sum has no upper bound. Any
other counter is NULL when one of its parts is. A gauge is the sum of its values: divide by `parts` for their mean.

All are plain sums: rows of several rollups, and of several nodes, add up. Each level is summed from usage, because a
row of usage that was cut at a 5-minute edge is exact again in the hour that holds all of it.
"""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from nasacct.store.compaction import DAY_S, day_of, replaced_by, slices
from nasacct.store.segment_file import SegmentWriter
from nasacct.store.segments import Footer, Segment
from nasacct.store.shelf import shelf
from nasacct.store.tables import TIME

if TYPE_CHECKING:
    from nasacct.store.schema import Stream
    from nasacct.store.shelf import Shelf
    from nasacct.store.tree import Tree

log = logging.getLogger(__name__)

#: The length of a bucket in seconds, by its name.
STEPS = {"5m": 300, "1h": 3600, "1d": DAY_S}


@cache
def rollup_schema(stream: Stream) -> pa.Schema:
    """Columns of a stream's rollups: node, keys, epoch, bucket (its start), parts, then the measures."""
    fields: list[pa.Field[Any]] = [
        pa.field("node", pa.string(), nullable=False),
        *(pa.field(k, pa.string()) for k in stream.keys),
        pa.field("epoch", pa.string(), nullable=False),
        pa.field("bucket", TIME, nullable=False),
        pa.field("parts", pa.int64(), nullable=False),
    ]
    for measure in stream.usage:
        fields.append(pa.field(measure.name, pa.int64()))
        if measure.bounded:
            fields += [pa.field(f"{measure.name}_{what}", pa.int64(), nullable=False) for what in ("more", "unknown")]
    return pa.schema(fields)


def roll(tree: Tree, stream: Stream) -> int:
    """Make or renew the rollups of every day that is one segment by now; gives back how many were made."""
    relation = tree.relation("usage", stream)
    usage = shelf(relation.folder)
    days: dict[int, list[Segment]] = {}
    for segment in usage.visible:
        if segment.level == "day":
            days.setdefault(day_of(segment), []).append(segment)
    made = 0
    for step, length in STEPS.items():
        rolled = shelf(tree.rollup(step, stream))
        for path in rolled.damaged:
            tree.put_aside(path, "no whole segment")
        for day, segments in days.items():
            before = tuple(s for s in rolled.visible if day_of(s) == day)
            inputs, replaces = _wanted(usage, segments, rolled, before)
            if not inputs:
                continue
            with SegmentWriter(tree.rollup(step, stream), "day", rollup_schema(stream)) as writer:
                for table in slices(relation, inputs):
                    writer.add(summed(table, stream, length * 1_000_000))
                footer = Footer(
                    "rollup",
                    stream.name,
                    tree.node,
                    "day",
                    min(s.since for s in inputs) // length * length * 1_000_000,
                    -(-max(s.until for s in inputs) // length) * length * 1_000_000,
                    writer.rows,
                    replaced_by(replaces, [rolled.visible[s] for s in replaces]),
                    tuple(sorted({s.name for s in inputs})),
                )
                writer.finish(footer)
            made += 1
    return made


def _wanted(
    usage: Shelf, segments: list[Segment], rolled: Shelf, before: tuple[Segment, ...]
) -> tuple[tuple[Segment, ...], tuple[Segment, ...]]:
    """What is to be summed, and which rollups that replaces; nothing when all is summed."""
    summed_up = {name for s in before for name in rolled.visible[s].of}
    here = {s.name for s in segments}
    if summed_up == here:
        return (), ()
    inside = here.union(*({r.name for r in usage.visible[s].replaces} for s in segments))
    if summed_up <= inside:
        return tuple(segments), before
    # what was summed is not kept any more: the sums of it stay, and what is new stands beside them
    return tuple(s for s in segments if s.name not in summed_up), ()


def summed(table: pa.Table, stream: Stream, step_us: int) -> pa.Table:
    """The sums of usage rows over buckets of `step_us`, as a rollup holds them."""
    start: Any = table.column("t0").cast(pa.int64())
    end: Any = table.column("t1").cast(pa.int64())
    bucket: Any = pc.multiply(pc.divide(start, step_us), step_us)
    inside: Any = pc.and_(
        table.column("whole"),
        pc.and_(
            pc.greater_equal(pc.subtract(start, table.column("before_us")), bucket),
            pc.less_equal(pc.add(end, table.column("after_us")), pc.add(bucket, step_us)),
        ),
    )
    by = [*stream.keys, "epoch"]
    columns = {"node": table.column("node"), **{k: table.column(k) for k in by}, "bucket": bucket.cast(TIME)}
    keep = pc.ScalarAggregateOptions(skip_nulls=True, min_count=1)
    wins = pc.ScalarAggregateOptions(skip_nulls=False)
    asked: list[Any] = [([], "count_all")]
    for measure in stream.usage:
        name = measure.name
        columns[name] = table.column(name)
        asked.append((name, "sum", keep if measure.bounded else wins))
        if measure.bounded:
            more: Any = pc.if_else(inside, 0, table.column(f"{name}_more"))
            unknown: Any = pc.or_(pc.is_null(table.column(name)), pc.is_null(more))
            columns[f"{name}_more"] = pc.if_else(unknown, 0, more)
            columns[f"{name}_unknown"] = unknown.cast(pa.int64())
            asked += [(f"{name}_more", "sum"), (f"{name}_unknown", "sum")]
    grouped: Any = pa.table(columns).group_by(["node", *by, "bucket"], use_threads=False).aggregate(asked)
    schema = rollup_schema(stream)
    names = [n.removesuffix("_sum").replace("count_all", "parts") for n in grouped.column_names]
    sums: pa.Table = grouped.rename_columns(names).select(schema.names)
    return sums.sort_by([(n, "ascending") for n in (*by, "bucket")]).cast(schema)
