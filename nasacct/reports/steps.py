"""Steps: the spans of time into which an answer is divided, as people divide it.

Steps of whole days are calendar days of a zone, so some have 23 or 25 hours. Shorter ones begin at multiples of their
length in UTC. The first and the last step are cut where the question begins and ends.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING

import pyarrow as pa

from nasacct.errors import USAGE, NasacctError
from nasacct.store.tables import TIME
from nasacct.units import seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

#: More rows than this nobody reads and no terminal holds.
MOST = 100_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SCHEMA = pa.schema([("from", TIME), ("to", TIME), ("lo", pa.int64()), ("hi", pa.int64())])


def length_of(text: str) -> timedelta:
    """The length that `10s`, `5m`, `1h`, `1d` names; NasacctError when it is none, or less than a second."""
    try:
        length = timedelta(seconds=seconds(text))
    except (ValueError, OverflowError) as error:
        raise NasacctError(f"--step: {error}", USAGE) from None
    if length < timedelta(seconds=1):
        raise NasacctError(f"--step {text} is too short; say at least 1s", USAGE)
    return length


def one(since: datetime, until: datetime, *, whole: bool) -> pa.Table:
    """A single step; `whole` that what happened at its very end belongs to it."""
    return _table([(since, until)], last_us=1 if whole else 0)


def steps(first: datetime, last: datetime, length: timedelta, zone: tzinfo, begin: datetime, end: datetime) -> pa.Table:
    """Every step that has any of the time from `first` to `last`, within the question's `begin` and `end`."""
    count = (last - first) / length
    if count > MOST:
        raise NasacctError(f"--step: that would be {count:,.0f} steps; say a longer step or less time", USAGE)
    found = [(max(lo, begin), min(hi, end)) for lo, hi in _edges(first, length, zone, last)]
    return _table([(lo, hi) for lo, hi in found if lo < hi])


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


def _table(spans: list[tuple[datetime, datetime]], last_us: int = 0) -> pa.Table:
    rows = [{"from": lo, "to": hi, "lo": _us(lo), "hi": _us(hi) + last_us} for lo, hi in spans]
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


def _us(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)
