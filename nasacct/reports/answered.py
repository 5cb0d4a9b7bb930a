"""Whether the kernel's histograms have all calls: those that fell between two generations are in none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from nasacct.reports.questions import question
from nasacct.times import us

if TYPE_CHECKING:
    from nasacct.store.warehouse import Warehouse

_VIEWS = ("nfsd", "inside")
#: The two sources of a cycle are read within so long, and the newest cycle may be on its way.
_SLACK = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Answered:
    """One server: calls that nfsd counted, and those that were added up inside; None is unknown."""

    node: str
    server: str
    counted: int | None
    inside: int | None
    unknown: int


def answered(warehouse: Warehouse, window: timedelta = timedelta(hours=1)) -> list[Answered]:
    """Every server whose inside is read, over the last `window` of each node."""
    found = []
    for one in warehouse.by_node():
        until = one.newest(("inside",))
        if until is None:
            continue
        until -= _SLACK
        since = until - window
        span = {"lo": us(since), "hi": us(until)}
        rows = one.query(question("answered"), span, views=_VIEWS, since=since, until=until).to_pylist()
        found += [Answered(**row) for row in rows]
    return found
