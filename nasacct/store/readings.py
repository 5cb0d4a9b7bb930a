"""Readings: raw counters at instants, laid out so that usage is nothing but the difference of neighbours.

The kinds of rows are such that the ledger never has to ask:

- a *carry* row is the last reading before the file;
- a *zero* row stands where an epoch must have begun: at the last complete listing in which it was absent;
- a *read* row is a reading; a *held* row repeats the one before it at the last cycle in which it was still true, so
  that growth is booked where it happened ("unchanged" is not "not collected");
- a *final* row is the last one of its epoch; a *lost* row (all absent) marks an end without a final reading;
- a *next* row is the carry of the following file, later than anything this file holds: it bridges what was lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from nasacct.store.frame import ABSENT, Subject
from nasacct.store.tables import readings_schema

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nasacct.store.schema import Stream


KINDS = ("carry", "zero", "read", "held", "final", "lost", "next")
CARRY, ZERO, READ, HELD, FINAL, LOST, NEXT = range(len(KINDS))


@dataclass(slots=True)
class Readings:
    """Readings of one stream, sorted by subject and, within it, by time.

    `who` indexes `subjects`; `wall`, `boot` in ns; `cycle` counts the source's cycles within the file; `values`
    int64[n, stream.width], ABSENT where unknown.
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
        """The rows that were really read (read, final), as they are stored."""
        kept = np.isin(self.kind, (READ, FINAL))
        who, values = self.who[kept], self.values[kept]
        schema = readings_schema(self.stream)
        columns: dict[str, pa.Array[Any]] = {
            "node": pa.repeat(pa.scalar(node), len(who)),
            "epoch": pa.array([s.epoch for s in self.subjects], pa.string()).take(who),
            "t": pa.array(self.wall[kept] // 1000, schema.field("t").type),
            "boot_us": pa.array(self.boot[kept] // 1000),
            "kind": pa.array(KINDS).take(self.kind[kept]),
        }
        for key in self.stream.keys:
            columns[key] = pa.array([s.keys.get(key) for s in self.subjects], pa.string()).take(who)
        for i, measure in enumerate(self.stream.measures):
            columns[measure.name] = pa.array(values[:, i], mask=values[:, i] == ABSENT)
        return pa.table([columns[n] for n in schema.names], schema=schema)
