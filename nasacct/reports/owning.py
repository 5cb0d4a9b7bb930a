"""Owning: usage of servers or clients as usage of whoever they belonged to at each moment.

What changed hands is asked for in parts, each of which is its owner's of that time; all else at once.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nasacct.reports.sums import column, judged
from nasacct.times import of_us, us

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from nasacct.reports.owners import Owners

    #: Asks for the usage of a server or client, or of more than that (None: of all), between two moments (None: without
    #: end).
    Asking = Callable[[str | None, datetime | None, datetime | None], pa.Table]


def by_owner(
    known: Callable[[], Owners], ask: Asking, since: datetime | None, until: datetime | None, measures: Sequence[str]
) -> pa.Table:
    """The answers to `ask`, a table of `sums.judged` by server or client, as one by their owners (`who`).

    They are `known` when the first answer is there.
    """
    whole = ask(None, since, until)
    if not len(whole):
        return whole
    owners = known()
    lo, hi = us(pc.min(column(whole, "from")).as_py()), us(pc.max(column(whole, "to")).as_py())
    every = _pairs(whole)
    changes = {pair: moments for pair in sorted(set(every)) if (moments := owners.changes(pair[0], pair[1], lo, hi))}
    parts = [_owned(whole.filter(pa.array([pair not in changes for pair in every])), owners, lo)]
    for pair, moments in changes.items():
        # no further than the first answer: meanwhile the next cycle may have come
        for begin, end in pairwise([since, *map(of_us, moments), until or of_us(hi)]):
            part = ask(pair[1], begin, end)
            part = part.filter(pa.array([other == pair for other in _pairs(part)], pa.bool_()))
            parts.append(_owned(part, owners, lo if begin is None else us(begin)))
    return _summed(pa.concat_tables(parts), whole, measures)


def _pairs(table: pa.Table) -> list[tuple[str, str]]:
    """Node, and server or client, of each row."""
    return list(zip(column(table, "node").to_pylist(), column(table, "who").to_pylist(), strict=True))


def _owned(part: pa.Table, owners: Owners, moment: int) -> pa.Table:
    """The rows as those of who owned them at a moment."""
    whose = pa.array([owners.of(node, who, moment) for node, who in _pairs(part)], pa.string())
    return part.set_column(part.column_names.index("who"), "who", whose)


def _summed(parts: pa.Table, whole: pa.Table, measures: Sequence[str]) -> pa.Table:
    """The parts added up by owner, in the steps of the whole."""
    steps = whole.select(["from", "to"]).group_by(["from"]).aggregate([("to", "max")]).sort_by("from")
    begins = column(steps, "from").cast(pa.int64()).to_numpy()
    spans = pa.table({"lo": begins, "from": column(steps, "from"), "to": column(steps, "to_max")})
    place = np.searchsorted(begins, column(parts, "from").cast(pa.int64()).to_numpy(), side="right") - 1
    found: dict[str, Any] = {key: column(parts, key) for key in ("node", "who")} | {"lo": begins[place]}
    for m in measures:
        found[m], found[f"{m}_unknown"] = column(parts, m), column(parts, f"{m}_unknown")
        found[f"{m}_more"] = pc.subtract(column(parts, f"{m}_max"), column(parts, m))
    names = [f"{m}{kind}" for m in measures for kind in ("", "_more", "_unknown")]
    sums = pa.table(found).group_by(["node", "who", "lo"]).aggregate([(name, "sum") for name in names])
    return judged(sums.rename_columns([name.removesuffix("_sum") for name in sums.column_names]), spans, measures)
