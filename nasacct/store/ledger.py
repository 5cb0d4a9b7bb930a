"""The ledger: readings in, usage out. One pure function, used by keep, replay and live readers alike.

Usage is the growth of each counter between two neighbouring readings of one epoch, and nothing else: births, holds
and finals were made rows by `journal_readings.py`. What cannot be known is bounded or NULL, never guessed:

- a 64-bit counter that falls inside an epoch: NULL (an anomaly);
- a 32-bit counter wraps: the growth modulo 2^32, certain only if it could not have wrapped twice in the time;
- an end without a final reading: 0 is certain, at most the link's rate times the time is possible;
- a counter that was absent and returns: the growth since it was last seen, as one row over the whole time;
- a row of more than 400 days, which only a wrong clock can give: its growth in no time, at its end; and an end without
  a final reading without a bound, when the server was last read.

Then usage is cut (`cutting.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from nasacct.store.cutting import NO_BOUND, Rows, cut, slices
from nasacct.store.frame import ABSENT
from nasacct.store.joining import joined
from nasacct.store.readings import FINAL, HELD, LOST, READ

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    from numpy.typing import NDArray

    from nasacct.store.readings import Readings

    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

#: Longer than a server runs without being read, in µs: a clock was wrong by years.
ENDLESS_US = 400 * 86_400_000_000


@dataclass(frozen=True, slots=True)
class Terms:
    """What the ledger must be told: the sampling interval, and how many bytes a second a link can carry."""

    interval_ns: int
    link_bytes_s: int = 1_250_000_000


@dataclass(slots=True)
class _Pairs:
    """Neighbouring readings: `left`, `right` row numbers; `t0`, `t1` in whole ms of wall time, counted in µs.

    `most_us` is how long the time between may have been, rounded up; `gap_ns` is between two looks.
    """

    left: Ints
    right: Ints
    t0: Ints
    t1: Ints
    most_us: Ints
    gap_ns: Ints
    cycles: Ints


def account(readings: Readings, node: str, terms: Terms) -> pa.Table:
    """The usage of one stream (schema: `usage_schema`), sorted by subject and time.

    The sum of a measure over an epoch equals its last reading minus its first, however the readings were cut into
    files and whatever was lost between them.
    """
    return cut(uncut(readings, terms), node)


def accounts(readings: Readings, node: str, terms: Terms) -> Iterator[pa.Table]:
    """The same in the order of segments, in tables that are small however long nobody read: at least one."""
    for some in slices(uncut(readings, terms)):
        yield cut(some, node)


def uncut(readings: Readings, terms: Terms) -> Rows:
    """The usage before it is cut."""
    stream = readings.stream
    readings = _without_gaps(readings)
    pairs = _pairs(readings)
    known = _last_known(readings)
    lost = np.isin(readings.kind[pairs.right], (FINAL, LOST))
    # no clock that is right says so: nobody knows when that was, and of an end not what there may have been
    endless = pairs.t1 - pairs.t0 > ENDLESS_US
    growth, unsure = _growth(readings, known, pairs)
    who = readings.who[pairs.left]
    columns: dict[str, tuple[Ints, Ints | None]] = {}
    for measure in stream.usage:
        parts = [stream.index[n] for n in measure.of]
        if stream.measures[parts[0]].kind == "gauge":
            columns[measure.name] = readings.values[pairs.right, parts[0]], None
            continue
        value, more = _total(growth, unsure, parts)
        if measure.bounded:
            # what no link carries has no bound
            if measure.unit == "bytes" and "server" in stream.keys:
                rate = _rate(readings, parts, terms.link_bytes_s)[who]
                value, more = _bound(value, more, lost, pairs, rate)
            more = np.where(lost & endless & (more > 0), NO_BOUND, more)
        columns[measure.name] = value, more
    t0 = np.where(endless & ~lost, pairs.t1, pairs.t0)
    t1 = np.where(endless & lost, pairs.t0, pairs.t1)
    long_us = 2 * terms.interval_ns // 1000 + 1_000_000
    rows = Rows(stream, readings.subjects, who, t0, t1, pairs.cycles, columns, long_us)
    if not stream.joined:
        return rows
    return joined(rows, _carried(pairs, terms.link_bytes_s), readings.wall[pairs.right] // 1000)


def _without_gaps(readings: Readings) -> Readings:
    """The same without readings that lack a counter which is known before and after: nothing begins or ends there."""
    counters = [i for i, m in enumerate(readings.stream.measures) if m.kind == "counter"]
    absent = readings.values[:, counters] == ABSENT
    usual = np.isin(readings.kind, (READ, HELD))
    if not absent[usual].any():
        return readings
    backwards = replace(readings, who=readings.who[::-1], values=readings.values[::-1])
    before, after = _last_known(readings), _last_known(backwards)[::-1]
    gap = absent & (before[:, counters] != ABSENT) & (after[:, counters] != ABSENT)
    kept = ~(gap.any(axis=1) & usual)
    rows = {name: getattr(readings, name)[kept] for name in ("who", "wall", "boot", "kind", "cycle", "values")}
    return replace(readings, **rows)


def anomalies(readings: Readings) -> list[str]:
    """Counters of 64 bits that fell within an epoch, which cannot be: a sentence for each, with when and from what."""
    if len(readings.who) < 2:
        return []
    known, counters = _last_known(readings), [m.kind == "counter" for m in readings.stream.measures]
    same = (readings.who[1:] == readings.who[:-1])[:, None] & _wide(readings)[readings.who[1:]] & np.array(counters)
    fell = same & (readings.values[1:] != ABSENT) & (readings.values[1:] < known[:-1])
    told = []
    for row, column in np.argwhere(fell).tolist():
        subject, name = readings.subjects[readings.who[row]], readings.stream.measures[column].name
        whose = " ".join(v for v in subject.keys.values() if v) or "the node"
        at = datetime.fromtimestamp(int(readings.wall[row + 1]) // 1_000_000_000, UTC)
        told.append(
            f"{name} of {whose} fell from {known[row, column]} to {readings.values[row + 1, column]} within one life "
            f"({subject.epoch}) at {at:%Y-%m-%d %H:%M:%S} UTC; what it grew by then is unknown"
        )
    return told


def _pairs(readings: Readings) -> _Pairs:
    same = readings.who[1:] == readings.who[:-1]
    left = np.flatnonzero(same)
    right = left + 1
    elapsed = readings.boot[right] - readings.boot[left]
    # no time and no growth is no interval; growth in no time (a birth just listed) is usage all the same
    told = (elapsed > 0) | (readings.values[right] != readings.values[left]).any(axis=1)
    left, right, elapsed = left[told], right[told], np.maximum(elapsed[told], 0)
    t1 = readings.wall[right]
    t0 = t1 - elapsed
    was = readings.wall[left]
    # where the wall clock did not step, intervals join without seams; where it did, CLOCK_BOOTTIME has the length
    t0 = np.where(np.abs(was - t0) <= 100_000_000 + elapsed // 1000, np.minimum(was, t1), t0)
    cycles = np.maximum(readings.cycle[right] - readings.cycle[left], 1)
    # what is below a ms is how late a cycle woke up: noise that would be half of the bytes on the disk
    begin, end = t0 // 1_000_000 * 1000, t1 // 1_000_000 * 1000
    # a bound needs the longest that it can have been: by either clock, and with what was cut off of the times
    most_us = -(-np.maximum(t1 - t0, elapsed) // 1000) + 1
    return _Pairs(left, right, begin, end, most_us, elapsed // cycles, cycles)


def _last_known(readings: Readings) -> Ints:
    """Values with every absence filled by the subject's last known value before it."""
    values = readings.values
    if not len(values) or not (values == ABSENT).any():
        return values
    rows = np.arange(len(values))[:, None]
    start = np.maximum.accumulate(np.where(np.r_[True, readings.who[1:] != readings.who[:-1]], rows[:, 0], 0))
    seen = np.maximum.accumulate(np.where(values != ABSENT, rows, 0), axis=0)
    return np.where(seen >= start[:, None], np.take_along_axis(values, seen, axis=0), ABSENT)


def _growth(readings: Readings, known: Ints, pairs: _Pairs) -> tuple[Ints, Ints]:
    """Growth of every counter in every pair (ABSENT = unknown), and by how much it may be more (NO_BOUND = any)."""
    before, after = known[pairs.left], readings.values[pairs.right]
    growth = after - before
    unknown = (before == ABSENT) | (after == ABSENT)
    more = np.zeros_like(growth)
    wide = _wide(readings)[readings.who[pairs.left]] if len(pairs.left) else np.zeros((0, readings.stream.width), bool)
    fell = growth < 0
    growth = np.where(fell & ~wide, growth + (1 << 32), growth)
    per_s = np.array([m.per_s for m in readings.stream.measures], np.int64)
    possible = per_s[None, :] * (pairs.gap_ns[:, None] // 1_000_000_000 + 1)
    twice = ~wide & (possible >= (1 << 32))
    more = np.where(twice, np.maximum(possible * pairs.cycles[:, None] - growth, 0), more)
    unknown |= fell & wide
    return np.where(unknown, ABSENT, growth), np.where(unknown, NO_BOUND, more)


def _wide(readings: Readings) -> Bools:
    """By subject and measure: counted in 64 bits."""
    measures = readings.stream.measures
    base = np.array([m.bits == 64 for m in measures], bool)
    wide = np.tile(base, (len(readings.subjects), 1))
    for i, subject in enumerate(readings.subjects):
        if subject.bits32:
            wide[i] &= np.array([m.name not in subject.bits32 for m in measures], bool)
    return wide


def _total(growth: Ints, unsure: Ints, parts: list[int]) -> tuple[Ints, Ints]:
    """The sum of several counters' growth, unknown when one of them is."""
    g, u = growth[:, parts], unsure[:, parts]
    unknown = (g == ABSENT).any(axis=1)
    value = np.where(unknown, ABSENT, np.where(g == ABSENT, 0, g).sum(axis=1))
    more = np.where(unknown | (u == NO_BOUND).any(axis=1), NO_BOUND, u.sum(axis=1))
    return value, more


def _rate(readings: Readings, parts: list[int], link_bytes_s: int) -> Ints:
    """By subject, how many bytes a second it moves at most: a link's; what is no one server's, as its counters can."""
    host = max(link_bytes_s, sum(readings.stream.measures[i].per_s for i in parts))
    return np.array([host if s.keys["server"] is None else link_bytes_s for s in readings.subjects], np.int64)


def _bound(value: Ints, more: Ints, lost: Bools, pairs: _Pairs, rate: Ints) -> tuple[Ints, Ints]:
    """An end without a final value: nothing is certain, and no more than is moved at that rate is possible."""
    unread = lost & (value == ABSENT)
    return np.where(unread, 0, value), np.where(unread, _carried(pairs, rate), more)


def _carried(pairs: _Pairs, rate: Ints | int) -> Ints:
    """What something of that rate (per second) can have moved in each pair's time."""
    seconds, rest = np.divmod(pairs.most_us, 1_000_000)
    carried: Ints = rate * seconds + rate * rest // 1_000_000 + 1
    return carried
