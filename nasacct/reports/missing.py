"""Missing: servers and clients that used the NAS, and of which the inventory does not say whose they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from nasacct.reports.breakdown import pair
from nasacct.reports.exports import Exports
from nasacct.reports.owners import ADDRESS, Addresses
from nasacct.reports.sums import column
from nasacct.reports.usage import ask
from nasacct.store import inventory
from nasacct.store.warehouse import Warehouse

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from nasacct.store.inventory import Inventory


def missing(root: Path, since: datetime | None, until: datetime | None = None) -> list[dict[str, Any]]:
    """Rows with `kind` (export, address), `id`, `dataset`, `node`, `bytes` (certain, both directions), the most first.

    What has an owner at the end of the span is not missing; a `dataset` may be known of an export all the same.
    NasacctError as for `usage_rows.usage`.
    """
    warehouse, known = Warehouse(root), inventory.read(root)
    found = [*_exports(warehouse, known, since, until), *_addresses(warehouse, known, since, until)]
    return sorted(found, key=lambda row: (row["kind"] != "export", -row["bytes"], row["id"], row["node"]))


def _exports(
    warehouse: Warehouse, known: Inventory, since: datetime | None, until: datetime | None
) -> list[dict[str, Any]]:
    exports, found = Exports(known), []
    for row in _rows(ask(warehouse, "server", since, until)):
        node, server, last = row["node"], row["who"], row["last"]
        if not exports.member(node, server, last):
            shown = exports.at(node, server, last)
            dataset = shown.properties.get("dataset") if shown else None
            found.append({"kind": "export", "id": server, "dataset": dataset, "node": node, "bytes": _moved(row)})
    return found


def _addresses(
    warehouse: Warehouse, known: Inventory, since: datetime | None, until: datetime | None
) -> list[dict[str, Any]]:
    rows = [row for row in _rows(ask(warehouse, "client", since, until)) if row["who"]]
    addresses, owners = warehouse.addresses(), Addresses(known)
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        client = pair(row["who"])[1]
        address = addresses.get(row["node"], {}).get(client, client)
        if owners.at(address, row["last"]).kind == ADDRESS:
            told = {"kind": "address", "id": address, "dataset": None, "node": row["node"], "bytes": 0}
            found.setdefault((row["node"], address), told)["bytes"] += _moved(row)
    return list(found.values())


def _rows(table: pa.Table) -> list[dict[str, Any]]:
    """The rows, with `last`, the last µs of UTC in their span."""
    last: Any = pc.subtract(column(table, "to").cast(pa.int64()), 1)
    return table.append_column("last", last).to_pylist()


def _moved(row: dict[str, Any]) -> int:
    return int((row["received_bytes"] or 0) + (row["sent_bytes"] or 0))
