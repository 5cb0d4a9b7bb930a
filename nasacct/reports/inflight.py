"""Who waits inside nfsd: time in flight by server, client and operation, and how long all threads were busy.

All of it is by samples, and stands for the time that was sampled. A call waits inside nfsd for disks and locks; fast
ones are seen less than they are, and those that wait for a thread not at all. So where all threads were busy, nobody
can say how long a call took: then its latency is unknown.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from nasacct.reports import levels
from nasacct.reports.questions import question
from nasacct.reports.usage import checked
from nasacct.reports.whose import Clients, OfClient
from nasacct.store import inventory
from nasacct.store.journal_ring import RING
from nasacct.store.warehouse import Warehouse
from nasacct.times import us

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

log = logging.getLogger(__name__)

VIEWS = ("inflight", "nfsd")
#: The part of the time with all threads busy from which on latency is unknown.
FULL = 0.01
#: The part of the time from the first sample to the last one in which a server must have been sampled.
WHOLE = 0.95
#: With fewer calls in samples than that, what they say of latency is chance.
FEW = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits(OfClient):
    """Time in flight of a server (`operation` None), or of one client's calls of one operation of it.

    `client` is an address, or its `id` where none is known. `share` is of the server's time in flight, `mean` how many
    calls were in flight at a time. Of the server: `sampled` is the part of the time that samples stand for, `full` the
    part of this with all threads busy, `latency_us` the mean time of all of its calls. None is unknown.
    Whose the client is, is told as of the span's end.
    """

    node: str
    server: str
    client: str | None
    id: str | None
    operation: str | None
    in_flight_us: int
    share: float | None
    mean: float | None
    sampled_calls: int
    sampled: float | None = None
    full: float | None = None
    latency_us: float | None = None


def waits(
    root: Path,
    since: datetime | None = None,
    until: datetime | None = None,
    server: str | None = None,
    ring: Path | None = RING,
) -> list[Waits]:
    """Servers by node and name, each before its clients' operations, the longest time in flight first.

    Without `since` or `until`, everything in the store counts; with `server`, only what is that one's. What cannot be
    read is told in the log. NasacctError when there is no store, or the span is none.
    """
    checked(since, until)
    warehouse = Warehouse(root, ring=ring)
    extent = warehouse.extent(VIEWS[:1])
    if extent is None:
        return []
    # not all time there is: cells of days reach beyond what was sampled, and what nfsd counted then is no part of it
    lo, hi = us(since or extent[0]), us(until or extent[1])
    if lo >= hi:
        return []
    views = levels.between(warehouse, VIEWS, lo, hi)
    rows = warehouse.query(question("inflight"), {"lo": lo, "hi": hi, "server": server}, views=views).to_pylist()
    addresses = warehouse.addresses()
    for trouble in warehouse.trouble:
        log.warning("%s", trouble)
    found: list[Waits] = []
    whole: dict[str, Any] = {}
    for row in rows:
        if row["operation"] is None:
            whole = row
        found.append(_of(row, whole, addresses.get(row["node"], {})))
    clients = Clients(inventory.read(root))
    return [one if one.client is None else _owned(one, clients, hi - 1) for one in found]


def _owned(one: Waits, clients: Clients, moment: int) -> Waits:
    """The same with whose the client is at the end."""
    return replace(one, **asdict(clients.of(one.node, one.server, one.client or "", moment)))


def _of(row: dict[str, Any], whole: dict[str, Any], addresses: dict[str, str]) -> Waits:
    """A row, which is the server's own or is of the server `whole`."""
    of_server: dict[str, Any] = {}
    if row is whole:
        of_server = {
            "sampled": _part(row["sampled_us"], row["passed_us"]),
            "full": _part(row["full_us"], row["sampled_us"]),
            "latency_us": _latency_us(row),
        }
    return Waits(
        node=row["node"],
        server=row["server"],
        client=addresses.get(row["client"], row["client"]),
        id=row["client"],
        operation=row["operation"],
        in_flight_us=row["in_flight_us"],
        share=_part(row["in_flight_us"], whole["in_flight_us"]),
        mean=_part(row["in_flight_us"], whole["sampled_us"]),
        sampled_calls=row["sampled_calls"],
        **of_server,
    )


def _latency_us(row: dict[str, Any]) -> float | None:
    """The mean time of a server's calls: as many are in flight as come while one is (Little's law)."""
    full, mean = _part(row["full_us"], row["sampled_us"]), _part(row["in_flight_us"], row["sampled_us"])
    # where samples were taken only in a part of the time, its calls are not those that were sampled
    sampling = _part(row["passed_us"], row["span_us"])
    if full is None or mean is None or full > FULL or row["sampled_calls"] < FEW:
        return None
    if not row["calls"] or sampling is None or sampling < WHOLE:
        return None
    return float(mean * row["passed_us"] / row["calls"])


def _part(some: int | None, of: int | None) -> float | None:
    return None if some is None or not of else some / of
