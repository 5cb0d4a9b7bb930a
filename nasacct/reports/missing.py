"""Missing: servers and clients that used the NAS, and of which the inventory does not say whose they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from nasacct.reports.owners import Exports, Vpses
from nasacct.reports.sums import column
from nasacct.reports.usage import ask
from nasacct.store import inventory
from nasacct.store.warehouse import Warehouse

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path


def missing(root: Path, since: datetime | None, until: datetime | None = None) -> list[dict[str, Any]]:
    """Rows with `kind` (export, address), `id`, `node`, `bytes` (both directions, what is certain), the most first.

    What has an owner at the end of the span is not missing. NasacctError as for `usage_rows.usage`.
    """
    warehouse, known = Warehouse(root), inventory.read(root)
    exports = Exports(known)
    found = [
        _told("export", row["who"], row)
        for row in _rows(ask(warehouse, "server", since, until))
        if not exports.of(row["node"], row["who"], row["last"])
    ]
    table = ask(warehouse, "client", since, until)
    vpses = Vpses(known, warehouse.addresses())
    for row in _rows(table):
        address = vpses.address(row["node"], row["who"])
        if address and vpses.of(row["node"], row["who"], row["last"]) == address:
            found.append(_told("address", address, row))
    return sorted(found, key=lambda row: (row["kind"] != "export", -row["bytes"], row["id"], row["node"]))


def _rows(table: pa.Table) -> list[dict[str, Any]]:
    """The rows, with `last`, the last µs of UTC in their span."""
    last: Any = pc.subtract(column(table, "to").cast(pa.int64()), 1)
    return table.append_column("last", last).to_pylist()


def _told(kind: str, name: str, row: dict[str, Any]) -> dict[str, Any]:
    moved = (row["received_bytes"] or 0) + (row["sent_bytes"] or 0)
    return {"kind": kind, "id": name, "node": row["node"], "bytes": moved}
