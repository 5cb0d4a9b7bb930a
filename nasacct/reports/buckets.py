"""Sums by bucket: what rows of usage, or its cells, add up to in each bucket of a graph, with the bound of each sum.

The same as `usage` says of steps whose edges cut no row; done here because one server's rows are few, and a
graph is wanted before DuckDB has planned as many sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Integers = NDArray[np.int64]
    Truths = NDArray[np.bool_]


#: What tells when a row was, of views of usage and of cells; and in fewer columns, sooner planned, of cells alone.
TIMES = ("server", "epoch", "t0_us", "t1_us", "begun_us", "over_us", "whole")
CELLS = ("server", "epoch", "bucket", "row_t0", "row_t1")


@dataclass(frozen=True, slots=True)
class Sums:
    """Measures in every bucket that has rows: arrays of a row for each measure, of a column for each bucket.

    `certain` is the sum of what is known, where anything is (`known`); `possible` the most that it may be, where that
    is `bounded`; `peak` the highest rate of one row of usage, per second, NaN without any.
    """

    certain: Integers
    known: Truths
    possible: Integers
    bounded: Truths
    peak: NDArray[np.float64]


class Buckets:
    """Rows in buckets of `length_us` from `lo_us` on (µs of UTC), each in the one in which it begins.

    `rows` has the columns TIMES of the warehouse's views, or those CELLS of views of cells of `cell_us`, and those of
    measures; `numbers` are those of the buckets that have any, counted from 0.
    Pieces of one row that reaches out of its bucket are the row's growth, split: of a long one each may hold all of it
    (m + more, in one of them with nothing more), but all together do not hold more than that.
    """

    def __init__(self, rows: pa.Table, lo_us: int, length_us: int, cell_us: int = 0) -> None:
        self._rows = rows
        if "bucket" in rows.column_names:
            t0 = self._integers("bucket")
            t1 = t0 + cell_us
            begun, over = self._integers("row_t0", t0), self._integers("row_t1", t1)
            t0, t1 = np.maximum(t0, begun), np.minimum(t1, over)
            self._whole: Truths = pc.is_valid(rows.column("row_t0")).to_numpy()
        else:
            t0, t1 = self._integers("t0_us"), self._integers("t1_us")
            begun, over = self._integers("begun_us", t0), self._integers("over_us", t1)
            self._whole = rows.column("whole").to_numpy()
        at: Integers = (t0 - lo_us) // length_us
        begin = at * length_us + lo_us
        self._span = t1 - t0
        self._all: Truths = np.ones((1, len(rows)), bool)
        self._long: Truths = self._whole & ((begun < begin) | (over > begin + length_us))
        # rows lie by epoch and time, so those of one bucket are together, but for lives that overlap
        self._order = None if (at[1:] >= at[:-1]).all() else np.argsort(at, kind="stable")
        ordered = at if self._order is None else at[self._order]
        self._starts = np.flatnonzero(np.concatenate([np.ones(min(len(at), 1), bool), ordered[1:] != ordered[:-1]]))
        self.numbers: Integers = ordered[self._starts]
        which = np.flatnonzero(self._long)
        places = np.searchsorted(self.numbers, at[which])
        self._groups, self._group_at = _grouped(places, begun[which], rows.column("epoch"), which)

    def sums(self, measures: Sequence[str]) -> Sums:
        """What the measures add up to."""
        m, known = self._values(measures)
        more, bound = self._values([f"{name}_bounds" for name in measures])
        if f"{measures[0]}_unknown" in self._rows.column_names:
            bound = bound & (self._values([f"{name}_unknown" for name in measures])[0] == 0)
        possible = self._reduced(np.add, np.where(self._long, 0, m + np.where(self._whole, 0, more)))
        if len(self._groups):
            for sums, one, other in zip(possible, m[:, self._long], more[:, self._long], strict=True):
                np.add.at(sums, self._group_at, self._split(one, other))
        rate = np.full(m.shape, np.nan)
        np.divide(m * 1e6, self._span, out=rate, where=known & (self._span > 0))
        if f"{measures[0]}_peak" in self._rows.column_names:
            # rollups of 0.1.0 have none
            peak, there = self._values([f"{name}_peak" for name in measures])
            np.fmax(rate, peak, out=rate, where=there)
        return Sums(
            self._reduced(np.add, m),
            self._reduced(np.logical_or, known),
            possible,
            self._reduced(np.logical_and, known & (bound | self._long)),
            self._reduced(np.fmax, rate),
        )

    def _split(self, m: Integers, more: Integers) -> Integers:
        """What is possible of the rows that are split, of each in each bucket."""
        together, most = np.zeros(len(self._group_at), np.int64), np.zeros(len(self._group_at), np.int64)
        np.add.at(together, self._groups, m)
        np.maximum.at(most, self._groups, m + more)
        return np.maximum(together, most)

    def _reduced(self, operation: np.ufunc, values: NDArray[Any]) -> Any:
        """The operation over the rows of each bucket."""
        if not len(self._starts):
            return values[:, :0]
        return operation.reduceat(values if self._order is None else values[:, self._order], self._starts, axis=1)

    def _integers(self, name: str, instead: Integers | None = None) -> Integers:
        """The column; `instead` has what it lacks."""
        column: Any = self._rows.column(name).cast(pa.int64())
        if instead is not None and column.null_count:
            column = pc.coalesce(column, pa.array(instead))
        found: Integers = column.to_numpy()
        return found

    def _values(self, names: Sequence[str]) -> tuple[Integers, Truths]:
        """The columns as rows: the values, 0 where there is none, and where there is one."""
        columns: list[Any] = [self._rows.column(name) for name in names]
        if not any(column.null_count for column in columns):
            return np.array([column.to_numpy() for column in columns]), self._all
        there = np.array([pc.is_valid(column).to_numpy() for column in columns])
        return np.array([pc.fill_null(column, 0).to_numpy() for column in columns]), there


def _grouped(at: Integers, begun: Integers, epochs: Any, which: Integers) -> tuple[Integers, Integers]:
    """Of each piece the number of the group of those that are of one row and in one place; each group's place."""
    if not len(which):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    lives: Any = pc.dictionary_encode(epochs.take(pa.array(which))).combine_chunks()
    keys = np.stack([at, begun, pc.fill_null(lives.indices, -1).to_numpy().astype(np.int64)])
    unique, groups = np.unique(keys, axis=1, return_inverse=True)
    return groups.reshape(-1), unique[0]
