"""What reading costs: the CPU time of each source, as the collector measured it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from nasacct.reports.questions import question
from nasacct.times import us

if TYPE_CHECKING:
    from nasacct.store.warehouse import Warehouse


@dataclass(frozen=True, slots=True)
class Cost:
    """A source of a node: the share of one processor that it took (0..1), how often it could not read or was late."""

    node: str
    source: str
    share: float
    failed: float
    late: float


def costs(warehouse: Warehouse, window: timedelta = timedelta(hours=1)) -> list[Cost]:
    """Every source that was read in the last `window` of each node, the dearest first."""
    found = []
    for one in warehouse.by_node():
        until = one.newest(("health",))
        if until is None or one.node is None:
            continue
        since = until - window
        span = {"since": since, "until": until, "lo": us(since), "hi": us(until)}
        rows = one.query(question("costs"), span, views=["health"], since=since, until=until).to_pylist()
        found += [
            Cost(one.node, row["source"], row["cpu_us"] / row["span_us"], row["failed"], row["late"])
            for row in rows
            if row["cpu_us"] is not None and row["span_us"]
        ]
    return sorted(found, key=lambda cost: -cost.share)
