"""Owning: usage of servers as usage of the members whose exports they showed, whoever that was at each moment.

An export that changed hands is asked for in parts, each of which is its member's of that time; all others at once.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nasacct.reports.sums import column, judged

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nasacct.store.inventory import Inventory

    #: Asks for a server's usage, None: all of them, between two moments, None: without end.
    Asking = Callable[[str | None, datetime | None, datetime | None], pa.Table]

_EPOCH = datetime.fromtimestamp(0, UTC)


class Owners:
    """Whose each server was at each moment, by what the inventory says of exports."""

    def __init__(self, known: Inventory) -> None:
        self._spans: dict[str, list[tuple[int, int, str | None, str | None]]] = {}
        for intervals in known.things("export").values():
            for since, until, said in intervals:
                span = since, until, said.get("node"), said.get("member")
                self._spans.setdefault(said.get("server", ""), []).append(span)

    def of(self, node: str, server: str, moment: int) -> str | None:
        """The member of a server at a moment (µs of UTC), None when nobody is known; of several the latest."""
        there = [s for s in self._spans.get(server, ()) if s[0] <= moment < s[1] and s[2] in (None, node)]
        return max(there, key=lambda s: s[0])[3] if there else None

    def changes(self, node: str, server: str, lo: int, hi: int) -> list[int]:
        """The moments between `lo` and `hi` at which it came to another member, or to none."""
        edges = sorted({at for s in self._spans.get(server, ()) for at in s[:2] if lo < at < hi})
        return [at for at in edges if self.of(node, server, at) != self.of(node, server, at - 1)]


def by_member(
    known: Inventory, ask: Asking, since: datetime | None, until: datetime | None, measures: Sequence[str]
) -> pa.Table:
    """The answers to `ask`, a table of `sums.judged` by server, as one by member (`who`; '' where nobody is known)."""
    owners = Owners(known)
    whole = ask(None, since, until)
    if not len(whole):
        return whole
    lo, hi = _us(pc.min(column(whole, "from")).as_py()), _us(pc.max(column(whole, "to")).as_py())
    servers = _servers(whole)
    changes = {pair: moments for pair in sorted(set(servers)) if (moments := owners.changes(pair[0], pair[1], lo, hi))}
    stay = [pair not in changes for pair in servers]
    parts = [_owned(whole.filter(pa.array(stay)), owners, lo)]
    for (node, server), moments in changes.items():
        for begin, end in pairwise([since, *map(_moment, moments), until]):
            part = ask(server, begin, end)
            part = part.filter(pc.equal(column(part, "node"), pa.scalar(node)))
            parts.append(_owned(part, owners, lo if begin is None else _us(begin)))
    return _summed(pa.concat_tables(parts), whole, measures)


def _servers(table: pa.Table) -> list[tuple[str, str]]:
    """Node and server of each row."""
    return list(zip(column(table, "node").to_pylist(), column(table, "who").to_pylist(), strict=True))


def _owned(part: pa.Table, owners: Owners, moment: int) -> pa.Table:
    """The rows of servers as those of who owned them at a moment."""
    whose = pa.array([owners.of(node, server, moment) or "" for node, server in _servers(part)], pa.string())
    return part.set_column(part.column_names.index("who"), "who", whose)


def _summed(parts: pa.Table, whole: pa.Table, measures: Sequence[str]) -> pa.Table:
    """The parts added up by member, in the steps of the whole."""
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


def _us(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


def _moment(us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=us)
