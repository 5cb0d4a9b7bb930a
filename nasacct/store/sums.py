"""The sums that rollups hold: of usage over buckets, and of such sums once more.

A sum has a row for each key, epoch and bucket: how many `parts` of usage it sums, and each measure's sum. Of a bounded
measure `m` is what is certain (NULL when nothing is), `m_more` by how much the known bounds exceed it, and `m_unknown`
the number of parts that have no value or no bound: while there are any, the sum has no upper bound. `m_peak` is the
highest rate of a part. Any other counter is NULL when one of its parts is. A gauge is the sum of its values: divide by
`parts` for their mean.

A long row of usage may hold all of its growth in any of its parts, yet its total is exact. So its piece in a bucket
stays a row of its own where it reaches over the bucket's edge: whoever adds buckets up finds its pieces again, and a
month in which nobody could read for a night is exact all the same. (sql/rollup.sql in this folder does the same for
usage that is in no rollup yet.)
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from nasacct.store.tables import TIME, rollup_schema

if TYPE_CHECKING:
    from nasacct.store.stream import Stream

_SKIP = pc.ScalarAggregateOptions(skip_nulls=True, min_count=1)
_WINS = pc.ScalarAggregateOptions(skip_nulls=False)
#: What no rate reaches, and int64 holds.
_MOST_PER_S = 9e18


def summed(table: pa.Table, stream: Stream, step_us: int) -> pa.Table:
    """The sums of usage rows over buckets of `step_us`, as a rollup holds them."""
    start: Any = table.column("t0").cast(pa.int64())
    begun: Any = pc.subtract(start, table.column("before_us"))
    over: Any = pc.add(table.column("t1").cast(pa.int64()), table.column("after_us"))
    bucket: Any = pc.multiply(pc.divide(start, step_us), step_us)
    span: Any = pc.subtract(table.column("t1").cast(pa.int64()), start)
    whole: Any = table.column("whole")
    reaches: Any = pc.or_(pc.less(begun, bucket), pc.greater(over, pc.add(bucket, step_us)))
    inside: Any = pc.and_(whole, pc.invert(reaches))
    long: Any = pa.repeat(False, len(table))
    for measure in stream.usage:
        if measure.bounded:
            slack: Any = table.column(f"{measure.name}_more")
            more_than: Any = pc.greater(slack, pa.scalar(0, pa.int64()))
            long = pc.or_(long, pc.fill_null(more_than, False))
    piece: Any = pc.and_(pc.and_(whole, reaches), long)
    columns: dict[str, Any] = {name: table.column(name) for name in ("node", *stream.keys, "epoch")}
    columns["bucket"] = bucket.cast(TIME)
    nothing = pa.scalar(None, pa.int64())
    columns["row_t0"] = pc.if_else(piece, begun, nothing).cast(TIME)
    columns["row_t1"] = pc.if_else(piece, over, nothing).cast(TIME)
    columns["parts"] = pa.repeat(1, len(table))
    for measure in stream.usage:
        name = measure.name
        value: Any = table.column(name)
        columns[name] = value
        if measure.bounded:
            more: Any = pc.if_else(inside, 0, table.column(f"{name}_more"))
            unknown: Any = pc.or_(pc.is_null(value), pc.is_null(more))
            columns[f"{name}_more"] = pc.if_else(unknown, 0, more)
            columns[f"{name}_unknown"] = unknown.cast(pa.int64())
            columns[f"{name}_peak"] = _rate(value, span)
    every = pa.table(columns)
    sums = added(every.filter(pc.invert(piece)), stream)
    pieces = every.filter(piece)
    if not len(pieces):
        return sums
    return pa.concat_tables([sums, _one_each(pieces, stream)]).sort_by(_order(stream))


def added(table: pa.Table, stream: Stream) -> pa.Table:
    """The same sums with one row where there were several of a key, epoch and bucket."""
    return _grouped(table, stream, {})


def joined(table: pa.Table, stream: Stream) -> pa.Table:
    """The same of sorted sums: only those are added that have a neighbour like them, which is few or none."""
    if len(table) < 2:
        return table
    equal: Any = pa.repeat(True, len(table) - 1)
    for name in _by(stream):
        column: Any = table.column(name).combine_chunks()
        one, other = column.slice(0, len(table) - 1), column.slice(1)
        both: Any = pc.and_(pc.is_null(one), pc.is_null(other))
        equal = pc.and_(equal, pc.or_(both, pc.fill_null(pc.equal(one, other), False)))
    if not pc.any(equal).as_py():
        return table
    no = pa.array([False])
    alike: Any = pc.or_(pa.concat_arrays([no, equal]), pa.concat_arrays([equal, no]))
    sums = added(table.filter(alike), stream)
    return pa.concat_tables([table.filter(pc.invert(alike)), sums]).sort_by(_order(stream))


def _one_each(pieces: pa.Table, stream: Stream) -> pa.Table:
    """A long row's parts in one bucket as one piece: any of them may hold all, all together not more."""
    reach = pieces
    bounded = [m.name for m in stream.usage if m.bounded]
    for name in bounded:
        at = reach.column_names.index(f"{name}_more")
        most: Any = pc.add(reach.column(name), reach.column(f"{name}_more"))
        reach = reach.set_column(at, f"{name}_more", pc.coalesce(most, pa.scalar(0, pa.int64())))
    one = _grouped(reach, stream, {f"{name}_more": "max" for name in bounded})
    for name in bounded:
        at = one.column_names.index(f"{name}_more")
        certain: Any = pc.coalesce(one.column(name), pa.scalar(0, pa.int64()))
        more: Any = pc.max_element_wise(pc.subtract(one.column(f"{name}_more"), certain), 0)
        one = one.set_column(at, one.schema.field(at), more)
    return one


def _rate(values: Any, span_us: Any) -> Any:
    """Each value per second, rounded down; NULL where there is none, or no time."""
    nothing = pa.scalar(None, pa.float64())
    some: Any = pc.greater(span_us, pa.scalar(0, pa.int64()))
    spans: Any = pc.if_else(some, span_us.cast(pa.float64()), nothing)
    scaled: Any = pc.multiply(values.cast(pa.float64()), 1e6)
    per_s: Any = pc.floor(pc.divide(scaled, spans))
    return pc.min_element_wise(per_s, _MOST_PER_S, skip_nulls=False).cast(pa.int64(), safe=False)


def _grouped(table: pa.Table, stream: Stream, otherwise: dict[str, str]) -> pa.Table:
    schema = rollup_schema(stream)
    asked, names = _asked(stream)
    chosen: Any = [(name, otherwise.get(name, how), options) for name, how, options in asked]
    grouped: Any = table.group_by(_by(stream), use_threads=False).aggregate(chosen)
    plain = {f"{name}_{how}": name for name, how, _ in chosen}
    one: pa.Table = grouped.rename_columns([plain.get(n, n) for n in grouped.column_names]).select(names)
    return one.sort_by(_order(stream)).cast(schema)


@cache
def _asked(stream: Stream) -> tuple[list[tuple[str, str, Any]], list[str]]:
    """Which sums are asked for: (column, how, options) each; and all columns in their order."""
    asked: list[tuple[str, str, Any]] = [("parts", "sum", None)]
    for measure in stream.usage:
        asked.append((measure.name, "sum", _SKIP if measure.bounded else _WINS))
        if measure.bounded:
            asked += [(f"{measure.name}_{what}", "sum", None) for what in ("more", "unknown")]
            asked.append((f"{measure.name}_peak", "max", _SKIP))
    return asked, rollup_schema(stream).names


def _by(stream: Stream) -> list[str]:
    return ["node", *stream.keys, "epoch", "bucket", "row_t0", "row_t1"]


def _order(stream: Stream) -> list[tuple[str, Any]]:
    return [(n, "ascending") for n in (*stream.keys, "epoch", "bucket", "row_t0")]
