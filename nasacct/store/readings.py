"""Readings: raw counters at instants, laid out so that usage is nothing but the difference of neighbours.

The kinds of rows are such that the ledger never has to ask:

- a *carry* row is the last reading before the file;
- a *zero* row stands where an epoch must have begun: at the last complete listing in which it was absent;
- a *read* row is a reading; a *held* row repeats the one before it at the last cycle in which it was still true, so
  that growth is booked where it happened ("unchanged" is not "not collected");
- a *final* row is the last one of its epoch; a *lost* row (all absent) marks an end without a final reading;
- a *next* row is the carry of the following file, later than anything this file holds: it bridges what was lost.

All of them are stored, so that usage can be made of them again. Where one file's rows end and the next one's begin,
the same reading stands twice, which is no growth in no time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nasacct.store.frame import ABSENT, Subject
from nasacct.store.tables import TIME, readings_schema

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nasacct.store.stream import Stream


KINDS = ("carry", "zero", "read", "held", "final", "lost", "next")
CARRY, ZERO, READ, HELD, FINAL, LOST, NEXT = range(len(KINDS))


@dataclass(slots=True)
class Readings:
    """Readings of one stream, sorted by subject and, within it, by time.

    `who` indexes `subjects`; `wall`, `boot` in ns, whole microseconds as they are stored; `cycle` counts the source's
    cycles within the file; `values` int64[n, stream.width], ABSENT where unknown.
    """

    stream: Stream
    subjects: list[Subject]
    who: NDArray[np.int32]
    wall: NDArray[np.int64]
    boot: NDArray[np.int64]
    kind: NDArray[np.uint8]
    cycle: NDArray[np.int64]
    values: NDArray[np.int64]

    def table(self, node: str) -> pa.Table:
        """The rows as they are stored (schema: `readings_schema`), by subject and time."""
        schema = readings_schema(self.stream)
        columns: dict[str, pa.Array[Any]] = {
            "node": pa.repeat(pa.scalar(node), len(self.who)),
            "epoch": _of_subjects(self, [s.epoch for s in self.subjects]),
            "t": pa.array(self.wall // 1000, TIME),
            "boot_us": pa.array(self.boot // 1000),
            "kind": pa.array(KINDS).take(self.kind),
            "cycle": pa.array(self.cycle.astype(np.int32)),
            "bits32": _of_subjects(self, [" ".join(sorted(s.bits32)) or None for s in self.subjects]),
        }
        for key in self.stream.keys:
            columns[key] = _of_subjects(self, [s.keys.get(key) for s in self.subjects])
        for i, measure in enumerate(self.stream.measures):
            columns[measure.name] = pa.array(self.values[:, i], mask=self.values[:, i] == ABSENT)
        return pa.table([columns[n] for n in schema.names], schema=schema)

    @classmethod
    def of_table(cls, stream: Stream, table: pa.Table) -> Self:
        """The same back from stored rows, those of each epoch in their order; accounting them gives the same usage."""
        names = [*stream.keys, "epoch", "bits32"]
        who, subjects = _subjects(stream, table.select(names))
        order = np.argsort(who, kind="stable")
        kinds: Any = pc.index_in(table.column("kind"), pa.array(KINDS))
        columns = [_numbers(table.column(m.name)) for m in stream.measures]
        return cls(
            stream,
            subjects,
            who[order],
            _numbers(table.column("t"))[order] * 1000,
            _numbers(table.column("boot_us"))[order] * 1000,
            _numbers(kinds).astype(np.uint8)[order],
            _numbers(table.column("cycle"))[order],
            np.stack(columns, axis=1)[order],
        )


def _of_subjects(readings: Readings, values: list[str | None]) -> pa.Array[Any]:
    return pa.array(values, pa.string()).take(readings.who)


def _subjects(stream: Stream, table: pa.Table) -> tuple[NDArray[np.int32], list[Subject]]:
    """The subject of each row as a number, and the subjects in the order in which they are met."""
    code = np.zeros(len(table), np.int64)
    for column in table.columns:
        chunk: Any = column.combine_chunks()
        indices = pc.fill_null(chunk.dictionary_encode(null_encoding="encode").indices, 0)
        _, dense = np.unique(code * (len(table) + 1) + _numbers(indices), return_inverse=True)
        code = dense.astype(np.int64)
    _, first, who = np.unique(code, return_index=True, return_inverse=True)
    subjects = []
    for row in table.take(first).to_pylist():
        keys = {key: row[key] for key in stream.keys}
        subjects.append(Subject(stream.source, keys, row["epoch"], bits32=frozenset((row["bits32"] or "").split())))
    return who.astype(np.int32), subjects


def _numbers(column: Any) -> NDArray[np.int64]:
    """A column of integers or times, ABSENT where it is NULL."""
    numbers: NDArray[np.int64] = pc.fill_null(column.cast(pa.int64()), ABSENT).to_numpy()
    return numbers
