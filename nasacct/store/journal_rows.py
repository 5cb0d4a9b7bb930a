"""Rows of one stream as they lie in a journal frame: an Arrow record batch without its schema.

The columns are sid (int32) and values (a fixed-size list of int64, in the order of measures of the head),
and in a carry wall and boot (ns). Absent is -1 in values; nothing is ever negative or NULL.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from nasacct.store.schema import STREAMS

_SCHEMAS: dict[tuple[int, bool], pa.Schema] = {}


def _schema(width: int, carry: bool) -> pa.Schema:
    schema = _SCHEMAS.get((width, carry))
    if schema is None:
        fields = [pa.field("sid", pa.int32()), pa.field("values", pa.list_(pa.int64(), width))]
        if carry:
            fields += [pa.field("wall", pa.int64()), pa.field("boot", pa.int64())]
        schema = _SCHEMAS[width, carry] = pa.schema(fields)
    return schema


def encode(sids: np.ndarray, values: np.ndarray, wall: Any = None, boot: Any = None) -> memoryview:
    """Rows of one stream as a record batch: `sids` int32[n], `values` int64[n, width], with a carry's times (ns)."""
    width = values.shape[1]
    columns = [_column(sids), pa.FixedSizeListArray.from_arrays(_column(values), width)]
    if wall is not None:
        columns += [_column(wall), _column(boot)]
    batch = pa.RecordBatch.from_arrays(columns, schema=_schema(width, wall is not None))
    return memoryview(batch.serialize())


def decode(data: memoryview, stream: str, names: list[str], carry: bool) -> tuple[np.ndarray, ...]:
    """The same back, of measures called `names` when they were written.

    Sids, values in today's order of measures, and for a carry the times. Measures unknown today are left out.
    """
    batch = pa.ipc.read_record_batch(pa.py_buffer(data), _schema(len(names), carry))
    flat: Any = batch.column(1)
    values = _numbers(flat.flatten(), np.int64).reshape(len(batch), len(names))
    measures = [m.name for m in STREAMS[stream].measures]
    if names != measures:
        where = {n: i for i, n in enumerate(names)}
        old = values
        values = np.full((len(batch), len(measures)), -1, np.int64)
        for i, name in enumerate(measures):
            if name in where:
                values[:, i] = old[:, where[name]]
    columns = [_numbers(batch.column(0), np.int32), values]
    if carry:
        columns += [_numbers(batch.column(2), np.int64), _numbers(batch.column(3), np.int64)]
    return tuple(columns)


# not by pa.array and to_numpy: where pandas is installed they load it, which costs the collector 80 MiB
def _column(values: np.ndarray) -> pa.Array[Any]:
    """An array's numbers in their order as a column, without a copy."""
    flat: Any = np.ascontiguousarray(values).reshape(-1)
    return pa.Array.from_buffers(pa.from_numpy_dtype(flat.dtype), flat.size, [None, pa.py_buffer(flat)])


def _numbers(column: pa.Array[Any], dtype: type[np.int32 | np.int64]) -> np.ndarray:
    """A column without nulls as an array, without a copy."""
    if not len(column):
        return np.zeros(0, dtype)
    buffer: Any = column.buffers()[-1]
    return np.frombuffer(buffer, dtype, len(column), column.offset * np.dtype(dtype).itemsize)
