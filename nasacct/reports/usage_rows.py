"""Usage as rows for people: addresses for ids, and whoever owned a server or an address at each moment."""

from __future__ import annotations

import logging
from datetime import UTC
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Literal, cast

from nasacct.reports.breakdown import order
from nasacct.reports.owners import Exports, Vpses
from nasacct.reports.owning import by_owner
from nasacct.reports.usage import ask
from nasacct.store import inventory
from nasacct.store.journal_ring import RING
from nasacct.store.warehouse import Warehouse
from nasacct.times import us

if TYPE_CHECKING:
    from datetime import datetime, tzinfo
    from pathlib import Path

    import pyarrow as pa

    from nasacct.reports.breakdown import By
    from nasacct.reports.owners import Owners
    from nasacct.store.inventory import Inventory

log = logging.getLogger(__name__)

#: What usage is first told by, of that which is told by owner.
_OWNED: dict[str, By] = {"member": "server", "export": "server", "vps": "client"}


def usage(
    root: Path,
    by: By | Literal["member", "export", "vps"] = "server",
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
    By member, it is what the servers of their exports moved while those were theirs, by export what servers moved while
    they showed it, with its `dataset`; None: nobody, or none, is known.
    By vps, it is what clients moved: `vps N`, `shared`, or the address of one that nobody is known of.
    Without `since` or `until`, everything in the store counts; with `server`, only what is that one's. What cannot be
    read is told in the log.
    NasacctError when there is no store, or the span or the step is none.
    """
    warehouse = Warehouse(root, ring=ring)
    known = inventory.read(root) if by in _OWNED else None
    if known is not None:
        table = _by_owner(warehouse, known, by, since, until, step, zone, server)
    else:
        table = ask(warehouse, cast("By", by), since, until, step, zone, server)
    reached = warehouse.up_to()
    found = table.to_pylist()
    if by == "client":
        found = _addressed(found, warehouse)
    for trouble in warehouse.trouble:
        log.warning("%s", trouble)
    if known is not None:
        found = _named(found, by, known)
    keys = {
        "server": {"server": "who", "node": "node"},
        "member": {"member": "who", "node": "node"},
        "export": {"export": "who", "dataset": "dataset", "node": "node"},
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
    known: Inventory,
    by: str,
    since: datetime | None,
    until: datetime | None,
    step: str | None,
    zone: tzinfo,
    server: str | None,
) -> pa.Table:
    """The same by the exports or members of servers, or the VPSes of clients; '' where there is none."""
    of = _OWNED[by]

    def owners() -> Owners:
        # of a client that is new the address is known once it was asked for
        return Vpses(known, warehouse.addresses()) if by == "vps" else Exports(known, members=by == "member")

    def asked(one: str | None, begin: datetime | None, end: datetime | None) -> pa.Table:
        return ask(warehouse, of, begin, end, step, zone, server or (one if of == "server" else None))

    return by_owner(owners, asked, since, until, order(of))


def _named(rows: list[dict[str, Any]], by: str, known: Inventory) -> list[dict[str, Any]]:
    """Rows by owner, those of nobody last in each step; of exports with the dataset that they showed at the end."""
    rows.sort(key=lambda row: (row["from"], row["node"], not row["who"], row["who"]))
    for row in rows:
        if by == "export":
            row["dataset"] = (known.at("export", row["who"], us(row["to"]) - 1) or {}).get("dataset")
        row["who"] = row["who"] or None
    return rows


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
