"""Graphs: what one server moved over a day, a week, a month, a year, in as many buckets as a graph has room for.

Each bucket has the sum of what is certain, the bound of what is possible, and the highest rate in it, so that a short
peak is seen in a long graph. A day and a week come from rows of usage, a month from cells of 5 minutes, longer spans
from hours and days.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from nasacct.errors import USAGE, NasacctError
from nasacct.reports import levels
from nasacct.reports.questions import question

if TYPE_CHECKING:
    import pyarrow as pa

    from nasacct.store.warehouse import Warehouse

_VIEWS = ("nfsd", "links")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
#: From how long a span on which cells are asked; the last that fits counts.
_LEVELS = ((timedelta(0), ""), (8 * _DAY, "_5m"), (62 * _DAY, "_1h"), (200 * _DAY, "_1d"))
#: Lengths that people can read off an axis, in seconds.
_LENGTHS = (10, 30, 60, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 604_800)


@dataclass(frozen=True, slots=True)
class Graph:
    """`table` has the columns of sql/graph.sql, a row for each bucket with anything known; `length` is theirs."""

    length: timedelta
    table: pa.Table


def graph(
    warehouse: Warehouse,
    server: str,
    since: datetime,
    until: datetime,
    *,
    node: str | None = None,
    points: int = 400,
) -> Graph:
    """What the server moved from `since` to `until`, in at most so many buckets of UTC, which hold all of that time.

    NasacctError when the span is none.
    """
    if since >= until:
        raise NasacctError("the time asked for ends before it begins; exchange since and until", USAGE)
    span = until - since
    suffix = next(level for least, level in reversed(_LEVELS) if span >= least)
    shortest = levels.LENGTHS.get(suffix, 1) // 1_000_000
    wanted = max(span.total_seconds() / points, shortest)
    seconds = next((s for s in _LENGTHS if s >= wanted), -(-int(wanted) // _LENGTHS[-1]) * _LENGTHS[-1])
    length = timedelta(seconds=seconds)
    lo = (since - _EPOCH) // length * length
    hi = -(-(until - _EPOCH) // length) * length
    low, high, length_us = (each // timedelta(microseconds=1) for each in (lo, hi, length))
    views = levels.of(warehouse, _VIEWS, suffix, low, high)
    params = {"server": server, "node": node, "lo": low, "hi": high, "length_us": length_us}
    return Graph(length, warehouse.query(question("graph"), params, views=views))
