"""The ledger: readings in, usage out. One pure function, used by keep, replay and live readers alike.

Usage is the growth of each counter between two neighbouring readings of one epoch, and nothing else: births, holds
and finals were made rows by `journal_readings.py`. What cannot be known is bounded or NULL, never guessed:

- a 64-bit counter that falls inside an epoch: NULL (an anomaly);
- a 32-bit counter wraps: the growth modulo 2^32, certain only if it could not have wrapped twice in the time;
- an end without a final reading: 0 is certain, at most the link's rate times the time is possible;
- a counter that was absent and returns: the growth since it was last seen, as one row over the whole time.

Usage is cut at UTC 5-minute edges by t_k/T in integers, so that the parts always add up to the whole. A part of a row
longer than two intervals is bounded by the whole row's growth; the row's own total stays exact.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from nasacct.store.frame import ABSENT
from nasacct.store.readings import FINAL, HELD, LOST, READ
from nasacct.store.tables import TIME, usage_schema

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nasacct.store.readings import Readings
    from nasacct.store.schema import Stream

    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

#: Usage is cut at multiples of this (UTC), in microseconds.
EDGE_US = 300_000_000
#: The bound of a row that has none.
NO_BOUND = -1


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
    stream = readings.stream
    readings = _without_gaps(readings)
    pairs = _pairs(readings)
    known = _last_known(readings)
    lost = np.isin(readings.kind[pairs.right], (FINAL, LOST))
    growth, unsure = _growth(readings, known, pairs)
    columns: dict[str, tuple[Ints, Ints | None]] = {}
    for measure in stream.usage:
        parts = [stream.index[n] for n in measure.of]
        if stream.measures[parts[0]].kind == "gauge":
            columns[measure.name] = readings.values[pairs.right, parts[0]], None
            continue
        value, more = _total(growth, unsure, parts)
        if measure.bounded:
            rate = terms.link_bytes_s if measure.unit == "bytes" else None
            value, more = _bound(value, more, lost, pairs, rate)
        columns[measure.name] = value, more
    return _cut(stream, readings, node, pairs, columns, terms)


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


def _bound(value: Ints, more: Ints, lost: Bools, pairs: _Pairs, rate: int | None) -> tuple[Ints, Ints]:
    """An end without a final value: nothing is certain, and no more than the link can carry is possible."""
    unread = lost & (value == ABSENT)
    if rate is None:
        return value, more
    seconds, rest = np.divmod(pairs.most_us, 1_000_000)
    carried = rate * seconds + rate * rest // 1_000_000 + 1
    return np.where(unread, 0, value), np.where(unread, carried, more)


def _cut(
    stream: Stream,
    readings: Readings,
    node: str,
    pairs: _Pairs,
    columns: dict[str, tuple[Ints, Ints | None]],
    terms: Terms,
) -> pa.Table:
    span = pairs.t1 - pairs.t0
    first, last = pairs.t0 // EDGE_US, np.maximum(pairs.t1 - 1, pairs.t0) // EDGE_US
    pieces = last - first + 1
    row = np.repeat(np.arange(len(span)), pieces)
    nth = np.arange(len(row)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    begin = np.maximum((first[row] + nth) * EDGE_US, pairs.t0[row])
    end = np.minimum((first[row] + nth + 1) * EDGE_US, pairs.t1[row])
    long = (span > 2 * terms.interval_ns // 1000 + 1_000_000)[row] & (pieces > 1)[row]
    whole = np.ones(len(span), bool)
    data: dict[str, pa.Array[Any]] = {}
    for measure in stream.usage:
        value, more = columns[measure.name]
        gauge = stream.measures[stream.index[measure.of[0]]].kind == "gauge"
        part = value[row] if gauge else _share(value, pairs, span, row, begin, end)
        data[measure.name] = pa.array(part, mask=value[row] == ABSENT)
        if measure.bounded:
            assert more is not None
            whole &= more == 0
            # a bound is a rate times a time, so each piece has its share of it; rounding goes up
            share = _share(more, pairs, span, row, begin, end) + ((more > 0) & (pieces > 1))[row]
            slack = share + np.where(long, np.maximum(value[row] - part, 0), 0)
            data[f"{measure.name}_more"] = pa.array(slack, mask=more[row] == NO_BOUND)
    who = readings.who[pairs.left][row]
    for key in stream.keys:
        data[key] = pa.array([s.keys.get(key) for s in readings.subjects], pa.string()).take(who)
    data["epoch"] = pa.array([s.epoch for s in readings.subjects], pa.string()).take(who)
    data["node"] = pa.repeat(pa.scalar(node), len(row))
    data["t0"], data["t1"] = pa.array(begin, TIME), pa.array(end, TIME)
    data["before_us"] = pa.array(begin - pairs.t0[row])
    data["after_us"] = pa.array(pairs.t1[row] - end)
    data["cycles"] = pa.array(pairs.cycles[row].astype(np.int32))
    data["whole"] = pa.array(whole[row])
    schema = usage_schema(stream)
    return pa.table([data[n] for n in schema.names], schema=schema)


def _share(value: Ints, pairs: _Pairs, span: Ints, row: Ints, begin: Ints, end: Ints) -> Ints:
    """Part k of D over T: floor(D*t_k/T) - floor(D*t_(k-1)/T), exact in integers."""
    if not len(row):
        return np.zeros(0, np.int64)
    total, length = np.maximum(value, 0)[row], np.maximum(span, 1)[row]
    until, since = end - pairs.t0[row], begin - pairs.t0[row]
    cut = span[row] != (end - begin)
    out = total.copy()
    if cut.any():
        if float(total[cut].max()) * float(length[cut].max()) < 2**62:
            out[cut] = total[cut] * until[cut] // length[cut] - total[cut] * since[cut] // length[cut]
        else:
            big = [t.astype(object) for t in (total[cut], until[cut], since[cut], length[cut])]
            out[cut] = (big[0] * big[1] // big[3] - big[0] * big[2] // big[3]).astype(np.int64)
    return out
