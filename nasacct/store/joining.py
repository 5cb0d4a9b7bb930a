"""Usage of things that are counted one by one but asked for together: the connections of one client of one server.

Their epochs are `<epoch>/<which>`: usage has one row for all that have the same keys, are of the same `<epoch>`, and
grew over the same time. What is certain of the row is the sum of what is certain of each; it has no bound when one of
them has none, and else no more than all of them together can have moved.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nasacct.store.cutting import NO_BOUND
from nasacct.store.frame import ABSENT, Subject

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nasacct.store.cutting import Rows

    Ints = NDArray[np.int64]


def joined(rows: Rows, most: Ints, read: Ints) -> Rows:
    """The rows of `<epoch>`s, of one stream without gauges; `most` is what all can have moved together in each's time.

    `read` is when each was read at its end, to the µs: rows of two moments within the ms of `t1` stay two. These may be
    of two journal files, and who has the rows of both must make of them what the keeper makes of each by itself.
    A measure that is not bounded is unknown where one of the rows has no value.
    """
    wholes, of = _wholes(rows.subjects)
    whole = of[rows.who]
    order = np.lexsort((read, rows.t1, rows.t0, whole))
    keys = np.stack([whole[order], rows.t0[order], rows.t1[order], read[order]])
    first = np.ones(keys.shape[1], bool)
    first[1:] = (keys[:, 1:] != keys[:, :-1]).any(axis=0)
    starts = np.flatnonzero(first)
    columns: dict[str, tuple[Ints, Ints | None]] = {}
    for measure in rows.stream.usage:
        value, more = rows.columns[measure.name]
        assert more is not None
        absent = value == ABSENT
        none = _reduced(np.logical_and if measure.bounded else np.logical_or, absent[order], starts)
        total = np.where(none, ABSENT, _reduced(np.add, np.where(absent, 0, value)[order], starts))
        endless = _reduced(np.logical_or, ((more == NO_BOUND) | absent)[order], starts)
        slack = _reduced(np.add, np.where(more == NO_BOUND, 0, more)[order], starts)
        room = np.maximum(_reduced(np.maximum, most[order], starts) - np.where(none, 0, total), 0)
        # what one of them alone may have moved is possible, whatever the link is said to carry
        alone = _reduced(np.maximum, more[order], starts)
        columns[measure.name] = total, np.where(endless, NO_BOUND, np.minimum(slack, np.maximum(room, alone)))
    return replace(
        rows,
        subjects=wholes,
        who=whole[order][starts].astype(np.int32),
        t0=rows.t0[order][starts],
        t1=rows.t1[order][starts],
        cycles=_reduced(np.maximum, rows.cycles[order], starts),
        columns=columns,
    )


def _wholes(subjects: list[Subject]) -> tuple[list[Subject], Ints]:
    """The subjects that the others are parts of, and of which each is one."""
    found: dict[tuple[str, tuple[str | None, ...]], int] = {}
    wholes: list[Subject] = []
    of = np.zeros(len(subjects), np.int64)
    for i, subject in enumerate(subjects):
        epoch = subject.epoch.rpartition("/")[0]
        name = epoch, tuple(subject.keys.values())
        if name not in found:
            found[name] = len(wholes)
            wholes.append(Subject(subject.source, subject.keys, epoch))
        of[i] = found[name]
    return wholes, of


def _reduced(operation: np.ufunc, values: NDArray[np.generic], starts: Ints) -> Ints:
    return np.asarray(operation.reduceat(values, starts) if len(starts) else values[:0])
