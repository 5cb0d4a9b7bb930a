"""Usage: who moved how much, by server, client or node, as a whole or step by step."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Literal, cast

import pyarrow.compute as pc

from nasacct.errors import USAGE, NasacctError
from nasacct.reports import breakdown, levels, steps
from nasacct.reports.breakdown import MEASURES
from nasacct.reports.owners import Members, Vpses
from nasacct.reports.owning import by_owner
from nasacct.reports.questions import question
from nasacct.reports.sums import added, judged
from nasacct.store import inventory
from nasacct.store.journal_ring import RING
from nasacct.store.views import EVER
from nasacct.store.warehouse import Question, Warehouse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import tzinfo
    from pathlib import Path

    import pyarrow as pa

    from nasacct.reports.breakdown import By
    from nasacct.reports.owners import Owners
    from nasacct.store.views import Piece

log = logging.getLogger(__name__)

#: The views of what is a server's; from when to when there are any is what an answer without ends tells.
VIEWS = tuple(MEASURES)
#: What usage is first told by, of that which is told by owner.
_OWNED: dict[str, By] = {"member": "server", "vps": "client"}
_TIMES = ("node", "server", "client", "epoch", "t0_us", "t1_us", "begun_us", "over_us", "whole")
#: Before and after everything that a store can hold.
_EVER = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def usage(
    root: Path,
    by: By | Literal["member", "vps"] = "server",
    since: datetime | None = None,
    until: datetime | None = None,
    step: str | None = None,
    zone: tzinfo = UTC,
    server: str | None = None,
    ring: Path | None = RING,
) -> list[dict[str, Any]]:
    """Rows with the key `by`, `from`, `to` (UTC), and of every measure M `M`, `M_max`, `M_unknown` and `M_quality`.

    `M_unknown` is how many parts have no value or no bound, `quality` the worst one, `as_of` up to when what is here of
    the row's node reaches.

    The measures are read_bytes, written_bytes, received_bytes, sent_bytes, calls. One row for each server or node, or
    with `step` (10s, 5m, 1h, 1d: days of the zone) for each step from its first to its last. None is unknown.
    By client, `client` is an address, `id` what the store calls it, and the measures are received_bytes and sent_bytes,
    of TCP's payload; a row of each node has no client (None): what its servers' links moved besides.
    By member, it is what the servers of their exports moved while those were theirs; None: nobody is known.
    By vps, it is what clients moved: `vps N`, `shared`, or the address of one that nobody is known of.
    Without `since` or `until`, everything in the store counts; with `server`, only what is that one's. What cannot be
    read is told in the log.
    NasacctError when there is no store, or the span or the step is none.
    """
    warehouse = Warehouse(root, ring=ring)
    if by in _OWNED:
        table = _by_owner(warehouse, by, since, until, step, zone, server)
    else:
        table = ask(warehouse, cast("By", by), since, until, step, zone, server)
    reached = warehouse.up_to()
    found = table.to_pylist()
    if by == "client":
        found = _addressed(found, warehouse)
    for trouble in warehouse.trouble:
        log.warning("%s", trouble)
    if by in _OWNED:
        # who is known comes before nobody
        found.sort(key=lambda row: (row["from"], row["node"], not row["who"], row["who"]))
        found = [row | {"who": row["who"] or None} for row in found]
    keys = {
        "server": {"server": "who", "node": "node"},
        "member": {"member": "who", "node": "node"},
        "vps": {"vps": "who", "node": "node"},
        "client": {"client": "client", "id": "who", "node": "node"},
    }
    names = keys.get(by, {"node": "node"})
    rest = [n for n in table.column_names if n not in ("node", "who")]
    return [
        {key: row[name] for key, name in names.items()}
        | {n: row[n] for n in rest}
        | {"as_of": reached.get(row["node"])}
        for row in found
    ]


def _by_owner(
    warehouse: Warehouse,
    by: str,
    since: datetime | None,
    until: datetime | None,
    step: str | None,
    zone: tzinfo,
    server: str | None,
) -> pa.Table:
    """The same by the members of servers or the VPSes of clients; '' where there is none."""
    known = inventory.read(warehouse.root)
    of = _OWNED[by]

    def owners() -> Owners:
        # of a client that is new the address is known once it was asked for
        return Members(known) if by == "member" else Vpses(known, warehouse.addresses())

    def asked(one: str | None, begin: datetime | None, end: datetime | None) -> pa.Table:
        return ask(warehouse, of, begin, end, step, zone, server or (one if by == "member" else None))

    return by_owner(owners, asked, since, until, breakdown.order(of))


def _addressed(rows: list[dict[str, Any]], warehouse: Warehouse) -> list[dict[str, Any]]:
    """Rows by client with their addresses, in their order; those without a client stand last in each step."""
    known = warehouse.addresses()
    for row in rows:
        row["client"] = known.get(row["node"], {}).get(row["who"], row["who"]) or None
        row["who"] = row["who"] or None
    return sorted(rows, key=lambda row: (row["from"], row["node"], _by_address(row["client"])))


def _by_address(client: str | None) -> tuple[int, int, str]:
    """Addresses as numbers, then ids of which no address is known, then nobody."""
    if client is None:
        return 9, 0, ""
    try:
        found = ip_address(client)
    except ValueError:
        return 8, 0, client
    return found.version, int(found), client


def ask(
    warehouse: Warehouse,
    by: By = "server",
    since: datetime | None = None,
    until: datetime | None = None,
    step: str | None = None,
    zone: tzinfo = UTC,
    server: str | None = None,
) -> pa.Table:
    """The same as a table with the columns of `sums.judged`, for whoever keeps a warehouse open.

    By `epoch` there is a row for each life of a server's counters; by `client`, `who` is an id, or ''.
    """
    begin, end = checked(since, until)
    asked = tuple(breakdown.views(by))
    length = steps.length_of(step) if step else None
    first, last = since, until
    if length or first is None or last is None:
        seen = _seen(warehouse, since, until)
        if seen is None:
            first = last = begin
        elif length:
            first, last = max(seen[0], begin), min(seen[1], end)
        else:
            first, last = first or seen[0], last or max(seen[1], seen[0] + timedelta(microseconds=1))
    if length:
        spans = steps.steps(first, last, length, zone, begin, end)
        views, cell_us = levels.stepped(warehouse, asked, [steps.us(at) for span in spans for at in span])
        divided = steps.of_cells(spans, cell_us)
    else:
        lo, hi = steps.us(since) if since else EVER[0], steps.us(until) if until else EVER[1]
        views = levels.between(warehouse, asked, lo, hi)
        divided = steps.one(first, last, lo, hi)
    return of_steps(warehouse, divided, views, by, server)


def of_steps(
    warehouse: Warehouse,
    divided: steps.Steps,
    views: Mapping[str, Sequence[Piece]],
    by: By = "server",
    server: str | None = None,
) -> pa.Table:
    """The same for steps and for the views of their cells.

    What lies in a step is summed at once; what the edges of steps cut is looked at only where there is such.
    """
    told, measures = breakdown.order(by), breakdown.views(by)
    params = {"by": "server" if by == "client" else by, "server": server} | divided.params

    def cut(found: list[pa.Table]) -> list[Question]:
        if all(pc.all(table.column("inside")).as_py() is not False for table in found):
            return []
        columns = _columns(told, ("", "_more", "_unknown"))
        return [Question(breakdown.cut(by, divided), params, views, columns, divided.tables)]

    def filled(view: str) -> dict[str, str]:
        fits = divided.fits(views[view])
        return {view: divided.placed(view, fits=fits), "inside": divided.inside(fits=fits)}

    asked = [
        Question(
            question(f"usage_{view}", **filled(view)),
            params,
            {view: views[view]},
            _columns(names, ("", "_bounds", "_unknown")),
            divided.tables,
        )
        for view, names in measures.items()
    ]
    found = warehouse.answers(asked, then=cut)
    inside = [table.filter(table.column("inside")) for table in found[: len(asked)]]
    sums = added([*inside, *found[len(asked) :]], told)
    return judged(breakdown.by_client(sums, told) if by == "client" else sums, divided.spans, told)


def _columns(measures: Iterable[str], kinds: Sequence[str]) -> set[str]:
    """The columns that the questions name of views with these measures."""
    return {*_TIMES, *(f"{m}{kind}" for m in measures for kind in kinds)}


def checked(since: datetime | None, until: datetime | None) -> tuple[datetime, datetime]:
    """From when to when, where the question says no end before and after everything; NasacctError when that is none."""
    begin, end = since or _EVER[0], until or _EVER[1]
    if begin >= end:
        raise NasacctError("the time asked for ends before it begins; exchange --since and --until", USAGE)
    return begin, end


def _seen(warehouse: Warehouse, since: datetime | None, until: datetime | None) -> tuple[datetime, datetime] | None:
    """From when to when there is usage of servers between two moments, if there is any."""
    begin, end = since or _EVER[0], until or _EVER[1]

    def span(low: datetime, high: datetime) -> tuple[datetime | None, datetime | None]:
        params = {"since": begin, "until": end}
        views = levels.finest(warehouse, VIEWS, steps.us(low), steps.us(high))
        row = warehouse.query(question("span"), params, views=views).to_pylist()[0]
        return row["first"], row["last"]

    extent = warehouse.extent(VIEWS)
    if extent is None:
        return None
    oldest, newest = extent
    # the first and the last day tell, unless they hold nothing of servers
    day = timedelta(days=1)
    low, high = max(begin, oldest - day), min(end, newest + day)
    if low >= high:
        return None
    first, last = span(low, min(low + 2 * day, high))[0], span(max(high - 2 * day, low), high)[1]
    if first is None or last is None:
        first, last = span(low, high)
    return None if first is None or last is None else (first, last)
