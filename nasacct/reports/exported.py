"""Exported: at least how much each client read and wrote below each exported path, as export_stats has it.

Its entries lose what they gained last, so all of it is a lower bound. What nfsd counted for the whole server is exact:
no client can have moved more than that less what the others have for certain, and what is left is nobody's known.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nasacct.reports import levels
from nasacct.reports.questions import question
from nasacct.reports.usage import checked
from nasacct.store.journal_ring import RING
from nasacct.store.views import EVER
from nasacct.store.warehouse import Warehouse
from nasacct.times import us

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

log = logging.getLogger(__name__)

VIEWS = ("exports", "nfsd")
_MEASURES = ("read_bytes", "written_bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What one client moved below one exported path, at least, and at most (None: without bound).

    `export` is the path, `client` an address or what exports(5) has instead of one; ids where these are not known. With
    both of them None it is what nfsd counted and no entry had.
    """

    node: str
    server: str
    export: str | None
    client: str | None
    read_bytes: int
    read_bytes_max: int | None
    written_bytes: int
    written_bytes_max: int | None


def exported(
    root: Path,
    since: datetime | None = None,
    until: datetime | None = None,
    server: str | None = None,
    ring: Path | None = RING,
) -> list[Exported]:
    """Of each server whose entries were read its clients, the greatest first, and what no entry had last.

    Without `since` or `until`, everything in the store counts; with `server`, only what is that one's. What cannot be
    read is told in the log. NasacctError when there is no store, or the span is none.
    """
    checked(since, until)
    warehouse = Warehouse(root, ring=ring)
    lo, hi = us(since) if since else EVER[0], us(until) if until else EVER[1]
    views = levels.between(warehouse, VIEWS, lo, hi)
    rows = warehouse.query(question("exported"), {"lo": lo, "hi": hi, "server": server}, views=views).to_pylist()
    names = warehouse.addresses()
    for trouble in warehouse.trouble:
        log.warning("%s", trouble)
    by_server: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        by_server.setdefault((row["node"], row["server"]), []).append(row)
    return [one for (node, _), some in by_server.items() for one in _bounded(some, names.get(node, {}))]


def _bounded(rows: list[dict[str, Any]], names: dict[str, str]) -> list[Exported]:
    """The rows of one server, the last of which may be its own."""
    split = [row for row in rows if row["export"] is not None]
    own = next((row for row in rows if row["export"] is None), None)
    sums = {m: sum(row[m] for row in split) for m in _MEASURES}
    room = {m: None if own is None or own[f"{m}_most"] is None else own[f"{m}_most"] - sums[m] for m in _MEASURES}
    found = []
    for row in [*split, *([own] if own else [])]:
        said: dict[str, Any] = {key: names.get(row[key], row[key]) for key in ("export", "client")}
        for m in _MEASURES:
            left = room[m]
            said[m] = max(row[m] - sums[m], 0) if row is own else row[m]
            most = None if left is None else left if row is own else row[m] + left
            said[f"{m}_max"] = None if most is None else max(most, said[m])
        found.append(Exported(node=row["node"], server=row["server"], **said))
    return found
