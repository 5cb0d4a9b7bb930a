"""Minutes: which node and which span of time somebody means who asks why, by a moment, an episode or nothing at all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from nasacct.errors import NO_INPUT, UNAVAILABLE, USAGE, NasacctError
from nasacct.reports import components, facts, layout
from nasacct.reports import episodes as kept
from nasacct.reports.attribution import episodes
from nasacct.reports.attribution.saturation import saturated
from nasacct.reports.attribution.thresholds import Thresholds
from nasacct.store.journal_ring import RING
from nasacct.store.warehouse import Warehouse
from nasacct.times import us

if TYPE_CHECKING:
    from pathlib import Path

#: So much around a moment is looked at for an episode.
_LOOKED_AT = timedelta(hours=3)
#: An episode so near to a moment is what somebody who names the moment means; else it is this long around it.
NEAR, AROUND = timedelta(minutes=15), timedelta(minutes=5)


def chosen(root: Path, node: str | None, ring: Path | None = RING) -> Warehouse:
    """The warehouse of the node, or of the only one; NasacctError where there are several."""
    nodes = Warehouse(root, node, ring=ring).by_node()
    if not nodes:
        raise NasacctError(f"{root} holds no node's data yet; run `nasacct collect`", NO_INPUT)
    if len(nodes) > 1:
        names = ", ".join(str(one.node) for one in nodes)
        raise NasacctError(f"{root} holds several nodes ({names}); say which one with --node", USAGE)
    return nodes[0]


def extent(warehouse: Warehouse) -> tuple[datetime, datetime]:
    """From when to when something can be said; NasacctError where there is nothing of disks."""
    found = warehouse.extent(("disks",))
    if found is None:
        raise NasacctError(
            f"{warehouse.root} knows nothing of the disks of {warehouse.node}: enable the source `disks`", UNAVAILABLE
        )
    return found


def around(
    warehouse: Warehouse, moment: datetime, pool: str | None = None, limits: Thresholds | None = None
) -> tuple[datetime, datetime]:
    """The episode that somebody means who names a moment: the nearest one; else the minutes around it."""
    known_from, known_to = extent(warehouse)
    lo, hi = us(max(moment - _LOOKED_AT, known_from)), us(min(moment + _LOOKED_AT, known_to))
    limits = limits or Thresholds()
    near: list[tuple[float, datetime, datetime]] = []
    for each in layout.layout(warehouse, lo, hi) if lo < hi else ():
        seen = None
        if components.meant([each.name], pool):
            seen = facts.of_time(warehouse, each, lo // 1_000_000, hi // 1_000_000)
        if seen is None:
            continue
        for one in episodes.found(saturated(seen, limits), seen.present, limits):
            begin, end = (datetime.fromtimestamp(seen.moment(at), UTC) for at in (one.first, one.end))
            near.append((max((begin - moment).total_seconds(), (moment - end).total_seconds(), 0.0), begin, end))
    away, begin, end = min(near, default=(float("inf"), moment, moment))
    return (begin, end) if away <= NEAR.total_seconds() else (moment - AROUND, moment + AROUND)


def episode(warehouse: Warehouse, called: str, limits: Thresholds) -> tuple[datetime, datetime, str]:
    """From when to when an episode was, and of which disks (POOL/COMPONENT), by its id; NasacctError if none is."""
    day = datetime.strptime(called.rpartition("-")[0][-8:], "%Y%m%d").replace(tzinfo=UTC).date()
    for tree in warehouse.trees():
        ledger = kept.Ledger(tree, warehouse, limits)
        for pool in ledger.pools():
            for one in ledger.of(pool, day):
                if one["id"] == called:
                    begin, end = (datetime.fromtimestamp(one[name], UTC) for name in ("from", "to"))
                    return begin, end, "/".join(components.parted(pool))
    raise kept.unknown(called)
