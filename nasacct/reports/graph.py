"""Graphs: what one server moved over a day, a week, a month, a year, in as many buckets as a graph has room for.

Each bucket has the sum of what is certain, the bound of what is possible, and the highest rate in it, so that a short
peak is seen in a long graph. Where buckets are made of whole cells of usage's sums, those are asked instead of usage:
the sums are the same, and cells keep the highest rate of a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from nasacct.errors import USAGE, NasacctError
from nasacct.reports import levels
from nasacct.reports.breakdown import MEASURES, ORDER
from nasacct.reports.buckets import CELLS, TIMES, Buckets
from nasacct.reports.questions import question
from nasacct.store.tree import STEPS
from nasacct.store.views import View
from nasacct.store.warehouse import Question

if TYPE_CHECKING:
    from nasacct.store.warehouse import Warehouse

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Lengths that people can read off an axis, in seconds.
_LENGTHS = (10, 30, 60, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 604_800)


@dataclass(frozen=True, slots=True)
class Graph:
    """`table` has a row for each bucket of `length` with anything in it.

    Columns: bucket (timestamp, its start); for M in read_bytes, written_bytes, received_bytes, sent_bytes, calls: M
    (what is certain, NULL when nothing is), M_max (what is possible, NULL without bound), M_peak (the highest rate of
    a row of usage in it, per second; rollups of 0.1.0 know those of their cells). Rows of usage are cut at 5-minute
    edges, so in longer buckets each is where it belongs.
    """

    length: timedelta
    table: pa.Table


def graph(
    warehouse: Warehouse,
    server: str,
    since: datetime,
    until: datetime,
    *,
    points: int = 400,
) -> Graph:
    """What the server moved from `since` to `until`, in at most so many buckets of UTC, which hold all of that time.

    A server of one node is asked of that node's warehouse. NasacctError when the span is none.
    """
    if since >= until:
        raise NasacctError("the time asked for ends before it begins; exchange since and until", USAGE)
    length = length_of(until - since, points)
    lo = (since - _EPOCH) // length * length
    hi = -(-(until - _EPOCH) // length) * length
    low, high, length_us = (each // timedelta(microseconds=1) for each in (lo, hi, length))
    views = levels.of(warehouse, tuple(MEASURES), length_us, low, high)
    # rows of usage say by what they lack what is unknown of them, and their rates follow from them
    steps = {View.of(piece.name).step for piece in views["nfsd"]}
    kinds = ("", "_bounds", *(() if steps == {None} else ("_unknown", "_peak")))
    step = next(iter(steps)) if len(steps) == 1 else None
    times, cell_us = (TIMES, 0) if step is None else (CELLS, STEPS[step] * 1_000_000)
    asked = [
        Question(
            question(f"graph_{view}"),
            {"server": server},
            {view: views[view]},
            {*times, *(f"{m}{kind}" for m in measures for kind in kinds)},
            of="server",
        )
        for view, measures in MEASURES.items()
    ]
    found = [Buckets(rows, low, length_us, cell_us) for rows in warehouse.answers(asked)]
    return Graph(length, _table(found, low, length_us))


def length_of(span: timedelta, points: int = 400) -> timedelta:
    """How long the buckets of a graph over such a span are."""
    wanted = span.total_seconds() / points
    seconds = next((s for s in _LENGTHS if s >= wanted), -(-int(wanted) // _LENGTHS[-1]) * _LENGTHS[-1])
    return timedelta(seconds=seconds)


def _table(found: list[Buckets], low: int, length_us: int) -> pa.Table:
    """The sums of every measure in the buckets in which there is anything."""
    numbers = np.unique(np.concatenate([each.numbers for each in found]))
    columns: dict[str, pa.Array[Any]] = {"bucket": pa.array(numbers * length_us + low).cast(pa.timestamp("us", "UTC"))}
    for each, measures in zip(found, MEASURES.values(), strict=True):
        at, sums = np.searchsorted(numbers, each.numbers), each.sums(measures)
        for suffix, values, known in (
            ("", sums.certain, sums.known),
            ("_max", sums.possible, sums.bounded),
            ("_peak", sums.peak, ~np.isnan(sums.peak)),
        ):
            shape = len(measures), len(numbers)
            placed, missing = np.zeros(shape, values.dtype), np.ones(shape, bool)
            placed[:, at], missing[:, at] = values, ~known
            for name, column, mask in zip(measures, placed, missing, strict=True):
                columns[f"{name}{suffix}"] = pa.array(column, mask=mask)
    return pa.table(columns).select(["bucket", *(f"{m}{s}" for m in ORDER for s in ("", "_max", "_peak"))])
