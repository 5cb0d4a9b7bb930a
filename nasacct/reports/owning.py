"""Owning: usage of servers or clients as usage of whoever they belonged to at each moment.

What changed hands is asked for in parts, each of which is its owner's of that time; all else at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nasacct.reports import breakdown
from nasacct.reports.sums import column, judged
from nasacct.times import of_us, us

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from nasacct.reports.owners import Owners

    Integers = NDArray[np.int64]
    #: Asks for the usage of a server and its clients, or of more than that (None: of all), between two moments (None:
    #: without end).
    Asking = Callable[[str | None, datetime | None, datetime | None], pa.Table]


@dataclass(frozen=True, slots=True)
class Owned:
    """The answer: `usage` as of `sums.judged`, and on which `nodes` each owner's was if that is one row (node '')."""

    usage: pa.Table
    nodes: dict[str, list[str]] = field(default_factory=dict)


def by_owner(
    known: Callable[[], Owners],
    ask: Asking,
    since: datetime | None,
    until: datetime | None,
    measures: Sequence[str],
    *,
    over_nodes: bool = False,
) -> Owned:
    """The answers to `ask`, a table of `sums.judged` by server or client, as one by their owners (`who`).

    They are `known` when the first answer is there. `over_nodes`: what is one owner's is one row, whichever nodes it
    was on.
    """
    whole = ask(None, since, until)
    if not len(whole):
        return Owned(whole)
    owners = known()
    lo, hi = us(pc.min(column(whole, "from")).as_py()), us(pc.max(column(whole, "to")).as_py())
    every, places = _pairs(whole)
    changes = {pair: moments for pair in every if (moments := owners.changes(*pair, lo, hi))}
    stays = np.array([pair not in changes for pair in every], bool)
    parts = [_owned(whole.filter(pa.array(stays[places])), owners, lo)]
    answers: dict[tuple[str, datetime | None, datetime | None], pa.Table] = {}
    for pair, moments in sorted(changes.items()):
        # no further than the first answer: meanwhile the next cycle may have come
        for begin, end in pairwise([since, *map(of_us, moments), until or of_us(hi)]):
            question = breakdown.server(pair[1]), begin, end
            if question not in answers:
                answers[question] = ask(*question)
            answer = answers[question]
            others, place = _pairs(answer)
            part = answer.filter(pa.array(np.array([other == pair for other in others], bool)[place]))
            parts.append(_owned(part, owners, lo if begin is None else us(begin)))
    owned = pa.concat_tables(parts)
    nodes: dict[str, list[str]] = {}
    if over_nodes:
        for node, who in sorted(_pairs(owned)[0]):
            nodes.setdefault(who, []).append(node)
        one: Any = pc.if_else(pc.equal(column(owned, "who"), pa.scalar("")), column(owned, "node"), "")
        owned = owned.set_column(owned.column_names.index("node"), "node", one)
    return Owned(_summed(owned, whole, measures), nodes)


def _pairs(table: pa.Table) -> tuple[list[tuple[str, str]], Integers]:
    """Node, and server or client, each once, and which of them each row is of."""
    nodes, whos = (column(table, name).combine_chunks().dictionary_encode() for name in ("node", "who"))
    codes = nodes.indices.to_numpy().astype(np.int64) * max(len(whos.dictionary), 1) + whos.indices.to_numpy()
    once, places = np.unique(codes, return_inverse=True)
    of_node, of_who = np.divmod(once, max(len(whos.dictionary), 1))
    pairs = zip(nodes.dictionary.take(of_node).to_pylist(), whos.dictionary.take(of_who).to_pylist(), strict=True)
    return list(pairs), places


def _owned(part: pa.Table, owners: Owners, moment: int) -> pa.Table:
    """The rows as those of who owned them at a moment."""
    pairs, places = _pairs(part)
    whose: Any = pa.array([owners.of(*pair, moment) for pair in pairs], pa.string())
    return part.set_column(part.column_names.index("who"), "who", whose.take(places))


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
