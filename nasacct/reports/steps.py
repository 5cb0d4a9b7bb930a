"""Steps: the spans of time into which an answer is divided, as people divide it.

Steps of whole days are calendar days of a zone, so some have 23 or 25 hours. Shorter ones begin at multiples of their
length in UTC. The first and the last step are cut where the question begins and ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from nasacct.errors import USAGE, NasacctError
from nasacct.store.tables import TIME
from nasacct.units import seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

#: More rows than this nobody reads and no terminal holds.
MOST = 100_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: From and to when a step reaches.
Span = tuple[datetime, datetime]
#: One cell for all time.
_FOREVER_US = 1 << 62


@dataclass(frozen=True, slots=True)
class Steps:
    """The table `steps` of sql/usage.sql, and the length of its cells."""

    table: pa.Table
    cell_us: int


def length_of(text: str) -> timedelta:
    """The length that `10s`, `5m`, `1h`, `1d` names; NasacctError when it is none, or less than a second."""
    try:
        length = timedelta(seconds=seconds(text))
    except (ValueError, OverflowError) as error:
        raise NasacctError(f"--step: {error}", USAGE) from None
    if length < timedelta(seconds=1):
        raise NasacctError(f"--step {text} is too short; say at least 1s", USAGE)
    return length


def one(since: datetime, until: datetime, lo: int, hi: int) -> Steps:
    """A single step, of which rows count from `lo` to `hi` (µs of UTC): beyond it where the question has no end."""
    return _steps([(since, until)], [(lo, hi)], _FOREVER_US)


def steps(
    first: datetime, last: datetime, length: timedelta, zone: tzinfo, begin: datetime, end: datetime
) -> list[Span]:
    """Every step that has any of the time from `first` to `last`, within the question's `begin` and `end`."""
    count = (last - first) / length
    if count > MOST:
        raise NasacctError(f"--step: that would be {count:,.0f} steps; say a longer step or less time", USAGE)
    found = [(max(lo, begin), min(hi, end)) for lo, hi in _edges(first, length, zone, last)]
    return [(lo, hi) for lo, hi in found if lo < hi]


def table(spans: list[Span], cell_us: int) -> Steps:
    """The steps for cells of that length, at whose edges they may be cut."""
    return _steps(spans, [(us(low), us(high)) for low, high in spans], cell_us)


def _edges(first: datetime, length: timedelta, zone: tzinfo, last: datetime) -> Iterator[tuple[datetime, datetime]]:
    day = timedelta(days=1)
    if length % day:
        low = _EPOCH + (first - _EPOCH) // length * length
        while low <= last:
            yield low, low + length
            low += length
        return
    today = first.astimezone(zone).date()
    while (low := _midnight(today, zone)) <= last:
        today += length
        yield low, _midnight(today, zone)


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _steps(spans: list[Span], counted: list[tuple[int, int]], cell_us: int) -> Steps:
    lo, hi = (np.array([pair[i] for pair in counted], np.int64) for i in (0, 1))
    first = lo // cell_us
    count = (hi - 1) // cell_us - first + 1
    row = np.repeat(np.arange(len(spans)), count)
    nth = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    table = pa.table(
        {
            "from": pa.array([low for low, _ in spans], TIME).take(row),
            "to": pa.array([high for _, high in spans], TIME).take(row),
            "lo": pa.array(lo[row]),
            "hi": pa.array(hi[row]),
            "cell": pa.array(first[row] + nth),
        }
    )
    return Steps(table, cell_us)


def us(at: datetime) -> int:
    """The moment in µs since 1970, UTC."""
    return (at - _EPOCH) // timedelta(microseconds=1)
