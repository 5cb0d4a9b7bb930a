"""Rows of one stream as they lie in a journal frame: bare numbers, little-endian.

First the values (int64, row by row in the order of measures of the head), in a carry then wall and boot (int64, ns),
and at last the sids (int32). Absent is -1 in values; nothing is ever negative or NULL. Journals of version 1, which
0.1.0 wrote, have an Arrow record batch instead.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nasacct.store.schema import STREAMS

_INT64, _INT32 = np.dtype("<i8"), np.dtype("<i4")


def encode(sids: np.ndarray, values: np.ndarray, wall: Any = None, boot: Any = None) -> list[memoryview]:
    """Rows of one stream, at least one: `sids` int32[n], `values` int64[n, width], with a carry's times (ns)."""
    longs = [values] if wall is None else [values, wall, boot]
    return [*(_bytes(each, _INT64) for each in longs), _bytes(sids, _INT32)]


def decode(data: memoryview, stream: str, names: list[str], *, carry: bool, version: int) -> tuple[np.ndarray, ...]:
    """The same back, of measures called `names` when they were written, in a journal of that version.

    Sids, values in today's order of measures, and for a carry the times. Measures unknown today are left out.
    ValueError when it is none.
    """
    sids, values, *times = as_written(data, len(names), carry=carry, version=version)
    measures = [m.name for m in STREAMS[stream].measures]
    if names != measures:
        where = {n: i for i, n in enumerate(names)}
        old = values
        values = np.full((len(sids), len(measures)), -1, np.int64)
        for i, name in enumerate(measures):
            if name in where:
                values[:, i] = old[:, where[name]]
    return (sids, values, *times)


def as_written(data: memoryview, width: int, *, carry: bool, version: int) -> list[np.ndarray]:
    """The same of so many measures, in the order in which they were written."""
    return _of_arrow(data, width, carry=carry) if version == 1 else _of_numbers(data, width, carry=carry)


def _bytes(array: Any, dtype: np.dtype[Any]) -> memoryview:
    flat: Any = np.ascontiguousarray(array, dtype)
    return memoryview(flat).cast("B")


def _of_numbers(data: memoryview, width: int, *, carry: bool) -> list[np.ndarray]:
    longs = width + (2 if carry else 0)
    count, rest = divmod(len(data), longs * _INT64.itemsize + _INT32.itemsize)
    if rest:
        raise ValueError(f"{len(data)} bytes are no rows of {width} measures")
    numbers = np.frombuffer(data, _INT64, count * longs)
    values = numbers[: count * width].reshape(count, width)
    sids = np.frombuffer(data, _INT32, count, numbers.nbytes)
    return [sids, values, *numbers[count * width :].reshape(longs - width, count)]


def _of_arrow(data: memoryview, width: int, *, carry: bool) -> list[np.ndarray]:
    # the collector has no other use for it, and it takes 60 MiB
    import pyarrow as pa  # noqa: PLC0415

    fields = [pa.field("sid", pa.int32()), pa.field("values", pa.list_(pa.int64(), width))]
    if carry:
        fields += [pa.field("wall", pa.int64()), pa.field("boot", pa.int64())]
    batch = pa.ipc.read_record_batch(pa.py_buffer(data), pa.schema(fields))

    def numbers(column: Any, dtype: type[np.int32 | np.int64]) -> np.ndarray:
        # not by to_numpy: where pandas is installed it loads that, which costs the collector 80 MiB
        buffer = column.buffers()[-1]
        return np.frombuffer(buffer, dtype, len(column), column.offset * np.dtype(dtype).itemsize)

    if not len(batch):
        return [np.zeros(0, np.int32), np.zeros((0, width), np.int64), *[np.zeros(0, np.int64)] * (len(fields) - 2)]
    values: Any = batch.column(1)
    found = [numbers(batch.column(0), np.int32), numbers(values.flatten(), np.int64).reshape(len(batch), width)]
    return found + [numbers(batch.column(i), np.int64) for i in range(2, len(fields))]
