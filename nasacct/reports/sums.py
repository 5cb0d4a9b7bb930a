"""Sums by step, and what may be said of each: what is certain, what is possible, and which of the two it is.

They are added up by DuckDB; what is done here, with a few rows, would take it longer to plan than to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nasacct.store.segment_file import in_schema

if TYPE_CHECKING:
    from collections.abc import Sequence

_KEYS: dict[str, pa.DataType] = {"node": pa.string(), "who": pa.string(), "client": pa.string(), "lo": pa.int64()}
#: From the best to the worst.
_QUALITIES = pa.array(["exact", "bounded", "unknown"])
EXACT, BOUNDED, UNKNOWN = range(3)


def added(parts: Sequence[pa.Table], measures: Sequence[str]) -> pa.Table:
    """One row for each step of a node or server, or of its client, of parts that have some of the measures.

    Columns: node, who, client (NULL where parts have none), lo; of every measure M: M, M_more, M_unknown, as in
    sql/usage_nfsd.sql; NULL where no part says anything of it.
    """
    names = [f"{m}{kind}" for m in measures for kind in ("", "_more", "_unknown")]
    schema = pa.schema(_KEYS | dict.fromkeys(names, pa.int64()))
    every = pa.concat_tables([in_schema(part, schema) for part in parts])
    sums = every.group_by(list(_KEYS)).aggregate([(name, "sum") for name in names])
    return sums.rename_columns([name.removesuffix("_sum") for name in sums.column_names])


def judged(sums: pa.Table, spans: pa.Table, measures: Sequence[str]) -> pa.Table:
    """The answer: a row for each step from the first to the last in which there is anything of a node or server.

    `spans` are those of `Steps`. Columns: node, who, from, to; of every M: M (what is certain, NULL when nothing is),
    M_max (what is possible, NULL without bound), M_unknown (how many parts have no value or no bound), M_quality
    (exact, bounded, unknown); quality (the worst of them). Ordered by from, node and who.
    """
    rows = _every_step(sums, spans)
    found = {name: column(rows, name) for name in ("node", "who", "from", "to")}
    doubts = []
    for name in measures:
        m, more, unknown = (column(rows, f"{name}{kind}") for kind in ("", "_more", "_unknown"))
        more = pc.fill_null(more, 0)
        known: Any = pc.fill_null(pc.equal(unknown, pa.scalar(0)), pa.scalar(value=False))
        more_than: Any = pc.greater(more, pa.scalar(0))
        doubt: Any = pc.if_else(known, pc.if_else(more_than, BOUNDED, EXACT), UNKNOWN).cast(pa.int8())
        doubts.append(doubt)
        found[name] = m
        found[f"{name}_max"] = pc.if_else(known, pc.add(m, more), None)
        found[f"{name}_unknown"] = unknown
        found[f"{name}_quality"] = _QUALITIES.take(doubt)
    found["quality"] = _QUALITIES.take(pc.max_element_wise(*doubts))
    return pa.table(found)


def column(table: pa.Table, name: str) -> Any:
    """The table's column, for which pyarrow's stubs know no arithmetic."""
    return table.column(name)


def _every_step(sums: pa.Table, spans: pa.Table) -> pa.Table:
    """The sums in order, with from and to, and rows without anything for the steps between."""
    order = sums.sort_by([("lo", "ascending"), ("node", "ascending"), ("who", "ascending")])
    keys = order.select(["node", "who"]).group_by(["node", "who"]).aggregate([])
    keys = keys.sort_by([("node", "ascending"), ("who", "ascending")])
    ranks = {pair: i for i, pair in enumerate(zip(*(keys.column(k).to_pylist() for k in ("node", "who")), strict=True))}
    pairs = zip(*(order.column(k).to_pylist() for k in ("node", "who")), strict=True)
    who = np.fromiter((ranks[pair] for pair in pairs), np.int64, len(order))
    step = np.searchsorted(spans.column("lo").to_numpy(), order.column("lo").to_numpy())
    first, last = np.full(len(ranks), len(spans), np.int64), np.full(len(ranks), -1, np.int64)
    np.minimum.at(first, who, step)
    np.maximum.at(last, who, step)
    count = last - first + 1
    whos = np.repeat(np.arange(len(ranks)), count)
    steps = np.arange(len(whos)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)
    place = np.full(len(whos), -1, np.int64)
    place[(np.cumsum(count) - count)[who] + step - first[who]] = np.arange(len(order))
    sort = np.lexsort((whos, steps))
    whos, steps, place = whos[sort], steps[sort], place[sort]
    of_sums: Any = pa.array(place, mask=place < 0)
    found = order.take(of_sums)
    for name in ("node", "who"):
        found = found.set_column(found.column_names.index(name), name, keys.column(name).take(whos))
    for name in ("from", "to"):
        found = found.append_column(name, spans.column(name).take(steps))
    return found
