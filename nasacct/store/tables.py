"""How usage and readings lie in Arrow and Parquet: one schema a stream, never taken from the data."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from nasacct.store.stream import Stream

TIME = pa.timestamp("us", tz="UTC")


@cache
def usage_schema(stream: Stream) -> pa.Schema:
    """Columns of a stream's usage.

    node, the stream's keys, epoch; t0, t1 (this part's interval, UTC); before_us, after_us (how far the uncut row
    reached beyond this part); cycles (source cycles in the uncut row); whole (the uncut row's total is exact); then
    each measure `m` (NULL = unknown) and, where bounded, `m_more` (how much the truth may exceed m; 0 exact, NULL
    no bound).
    """
    fields: list[pa.Field[Any]] = [
        pa.field("node", pa.string(), nullable=False),
        *(pa.field(k, pa.string()) for k in stream.keys),
        pa.field("epoch", pa.string(), nullable=False),
        pa.field("t0", TIME, nullable=False),
        pa.field("t1", TIME, nullable=False),
        pa.field("before_us", pa.int64(), nullable=False),
        pa.field("after_us", pa.int64(), nullable=False),
        pa.field("cycles", pa.int32(), nullable=False),
        pa.field("whole", pa.bool_(), nullable=False),
    ]
    for measure in stream.usage:
        fields.append(pa.field(measure.name, pa.int64()))
        if measure.bounded:
            fields.append(pa.field(f"{measure.name}_more", pa.int64()))
    return pa.schema(fields)


@cache
def readings_schema(stream: Stream) -> pa.Schema:
    """Columns of a stream's readings.

    node, keys, epoch; t (UTC); boot_us (CLOCK_BOOTTIME); kind (carry, zero, read, held, final, lost, next: see
    `readings.py`); cycle (which of its source's within the journal file); bits32 (the measures that this kernel counts
    in 32 bits beside those that every one does, NULL = none); then each measure as it was read (NULL = absent).
    """
    fields: list[pa.Field[Any]] = [
        pa.field("node", pa.string(), nullable=False),
        *(pa.field(k, pa.string()) for k in stream.keys),
        pa.field("epoch", pa.string(), nullable=False),
        pa.field("t", TIME, nullable=False),
        pa.field("boot_us", pa.int64(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("cycle", pa.int32(), nullable=False),
        pa.field("bits32", pa.string()),
        *(pa.field(m.name, pa.int64()) for m in stream.measures),
    ]
    return pa.schema(fields)


@cache
def rollup_schema(stream: Stream) -> pa.Schema:
    """Columns of a stream's rollups.

    node, keys, epoch; bucket (its start, UTC); row_t0, row_t1 (from when to when a long row of usage reaches of which
    this is the piece in the bucket; NULL: the sum of all that is no such piece); parts (how many of usage); then of
    each measure the sum and, where bounded, `m_more` (the sum of the known bounds), `m_unknown` (how many parts have
    no value or no bound) and `m_peak` (the highest rate of a part, per second and rounded down; NULL: none is known).
    """
    fields: list[pa.Field[Any]] = [
        pa.field("node", pa.string(), nullable=False),
        *(pa.field(k, pa.string()) for k in stream.keys),
        pa.field("epoch", pa.string(), nullable=False),
        pa.field("bucket", TIME, nullable=False),
        pa.field("row_t0", TIME),
        pa.field("row_t1", TIME),
        pa.field("parts", pa.int64(), nullable=False),
    ]
    for measure in stream.usage:
        fields.append(pa.field(measure.name, pa.int64()))
        if measure.bounded:
            fields += [pa.field(f"{measure.name}_{what}", pa.int64(), nullable=False) for what in ("more", "unknown")]
            fields.append(pa.field(f"{measure.name}_peak", pa.int64()))
    return pa.schema(fields)
