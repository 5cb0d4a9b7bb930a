"""Rows of usage are cut at UTC 5-minute edges by t_k/T in integers, so that the parts always add up to the whole.

A part of a row longer than two intervals is bounded by the whole row's growth; the row's own total stays exact. Where
nobody could read for a month, every row has thousands of parts: so they are made in slices.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from nasacct.store.frame import ABSENT
from nasacct.store.tables import TIME, usage_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from nasacct.store.frame import Subject
    from nasacct.store.stream import Stream

    Ints = NDArray[np.int64]

#: Usage is cut at multiples of this (UTC), in microseconds.
EDGE_US = 300_000_000
#: The bound of a row that has none.
NO_BOUND = -1
#: How many values of parts are made at once.
VALUES = 4_000_000


@dataclass(slots=True)
class Rows:
    """Usage before it is cut, by subject and time: whose (`who` indexes `subjects`), from `t0` to `t1` (µs of UTC).

    `columns` are each measure's value (ABSENT: unknown) and, where bounded, by how much it may be more (NO_BOUND).
    Rows longer than `long_us` are bounded by their growth in each part.
    """

    stream: Stream
    subjects: list[Subject]
    who: NDArray[np.int32]
    t0: Ints
    t1: Ints
    cycles: Ints
    columns: dict[str, tuple[Ints, Ints | None]]
    long_us: int

    @property
    def first(self) -> Ints:
        """The number of the 5 minutes in which each begins."""
        return self.t0 // EDGE_US

    @property
    def pieces(self) -> Ints:
        """In how many parts each is cut."""
        return np.maximum(self.t1 - 1, self.t0) // EDGE_US - self.first + 1

    def take(self, which: Ints) -> Rows:
        """Those rows."""
        columns = {
            n: (value[which], more if more is None else more[which]) for n, (value, more) in self.columns.items()
        }
        times = {name: getattr(self, name)[which] for name in ("who", "t0", "t1", "cycles")}
        return replace(self, columns=columns, **times)


def slices(rows: Rows) -> Iterator[Rows]:
    """The rows in the order of segments, by key and epoch, so many at once as have at most VALUES parts' values.

    Those of one epoch stay together. At least one slice, of nothing if there is nothing.
    """
    keys = [_order(subject, rows.stream.keys) for subject in rows.subjects]
    place = {key: i for i, key in enumerate(sorted(set(keys)))}
    ranks = np.array([place[key] for key in keys], np.int64)[rows.who]
    order = np.argsort(ranks, kind="stable")
    ranks = ranks[order]
    starts = np.flatnonzero(np.r_[True, ranks[1:] != ranks[:-1]]) if len(ranks) else np.zeros(0, np.int64)
    counts = np.add.reduceat(rows.pieces[order], starts) if len(starts) else starts
    most, begin, held = VALUES // len(usage_schema(rows.stream)), 0, 0
    for start, count in zip(starts.tolist(), counts.tolist(), strict=True):
        if held and held + count > most:
            yield rows.take(order[begin:start])
            begin, held = start, 0
        held += count
    yield rows.take(order[begin:])


def _order(subject: Subject, keys: tuple[str, ...]) -> tuple[tuple[bool, str], ...]:
    """NULL comes after everything else."""
    return tuple((value is None, value or "") for value in (*(subject.keys.get(key) for key in keys), subject.epoch))


def cut(rows: Rows, node: str, within: tuple[int, int] | None = None) -> pa.Table:
    """The parts (schema: `usage_schema`), only those that reach into the span `within` (µs of UTC) if there is one."""
    span, first, pieces = rows.t1 - rows.t0, rows.first, rows.pieces
    row = np.repeat(np.arange(len(span)), pieces)
    nth = np.arange(len(row)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    if within is not None:
        edge = (first[row] + nth) * EDGE_US
        there = (edge < within[1]) & (edge + EDGE_US > within[0])
        row, nth = row[there], nth[there]
    begin = np.maximum((first[row] + nth) * EDGE_US, rows.t0[row])
    end = np.minimum((first[row] + nth + 1) * EDGE_US, rows.t1[row])
    long = (span > rows.long_us)[row] & (pieces > 1)[row]
    whole = np.ones(len(span), bool)
    data: dict[str, pa.Array[Any]] = {}
    stream = rows.stream
    for measure in stream.usage:
        value, more = rows.columns[measure.name]
        gauge = stream.measures[stream.index[measure.of[0]]].kind == "gauge"
        part = value[row] if gauge else _share(value, rows, row, begin, end)
        data[measure.name] = pa.array(part, mask=value[row] == ABSENT)
        if measure.bounded:
            assert more is not None
            whole &= more == 0
            # a bound is a rate times a time, so each piece has its share of it; rounding goes up
            share = _share(more, rows, row, begin, end) + ((more > 0) & (pieces > 1))[row]
            slack = share + np.where(long, np.maximum(value[row] - part, 0), 0)
            data[f"{measure.name}_more"] = pa.array(slack, mask=more[row] == NO_BOUND)
    who = rows.who[row]
    for key in stream.keys:
        data[key] = pa.array([s.keys.get(key) for s in rows.subjects], pa.string()).take(who)
    data["epoch"] = pa.array([s.epoch for s in rows.subjects], pa.string()).take(who)
    data["node"] = pa.repeat(pa.scalar(node), len(row))
    data["t0"], data["t1"] = pa.array(begin, TIME), pa.array(end, TIME)
    data["before_us"] = pa.array(begin - rows.t0[row])
    data["after_us"] = pa.array(rows.t1[row] - end)
    data["cycles"] = pa.array(rows.cycles[row].astype(np.int32))
    data["whole"] = pa.array(whole[row])
    schema = usage_schema(stream)
    return pa.table([data[n] for n in schema.names], schema=schema)


def _share(value: Ints, rows: Rows, row: Ints, begin: Ints, end: Ints) -> Ints:
    """Part k of D over T: floor(D*t_k/T) - floor(D*t_(k-1)/T), exact in integers."""
    if not len(row):
        return np.zeros(0, np.int64)
    span = (rows.t1 - rows.t0)[row]
    total, length = np.maximum(value, 0)[row], np.maximum(span, 1)
    until, since = end - rows.t0[row], begin - rows.t0[row]
    parted = span != (end - begin)
    out = total.copy()
    if parted.any():
        if float(total[parted].max()) * float(length[parted].max()) < 2**62:
            out[parted] = (
                total[parted] * until[parted] // length[parted] - total[parted] * since[parted] // length[parted]
            )
        else:
            big = [t.astype(object) for t in (total[parted], until[parted], since[parted], length[parted])]
            out[parted] = (big[0] * big[1] // big[3] - big[0] * big[2] // big[3]).astype(np.int64)
    return out
