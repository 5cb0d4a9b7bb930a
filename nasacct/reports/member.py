"""Everything that is known of one member, as one JSON document for them (docs/privacy.en.md says what is in it).

What belongs to somebody else is not in it: of the clients of their exports, those of another member are one line.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from nasacct.errors import NO_INPUT, NasacctError
from nasacct.reports.breakdown import order, views
from nasacct.reports.judged_now import with_what_was_judged
from nasacct.reports.mine import MyClients, MyExports, MyVpses
from nasacct.reports.owning import by_owner
from nasacct.reports.space import space
from nasacct.reports.usage import ask
from nasacct.store import forgotten, inventory, judgements
from nasacct.store.inventory import EVER
from nasacct.store.journal_ring import RING
from nasacct.store.personal import Personal
from nasacct.store.warehouse import Warehouse
from nasacct.times import iso, of_us, us

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import tzinfo
    from pathlib import Path

    import pyarrow as pa

    from nasacct.reports.breakdown import By
    from nasacct.reports.owners import Owners
    from nasacct.store.inventory import Inventory

log = logging.getLogger(__name__)

#: The version of the document.
FORMAT = 1
#: By what usage is asked for.
_BY: tuple[By, ...] = ("server", "client")
#: From when to when (µs of UTC; EVER's ends: without end).
Span = tuple[int, int]


def exported(root: Path, member: str, step: str | None, zone: tzinfo, ring: Path | None = RING) -> str:
    """The document, of usage by calendar month of the zone, or in steps such as `1h`.

    NasacctError when there is no store, when nobody knows the member, or the step is none.
    """
    warehouse, known = Warehouse(root, ring=ring), inventory.read(root)
    personal, before = Personal(known, member), forgotten.read(root).get(member)
    if not personal.things and before is None:
        raise NasacctError(f"no member {member} is known; `nasacct inventory show member` lists them", NO_INPUT)
    asked = _Asked(warehouse, known, member, step, zone)
    document = {
        "nasacct_member": FORMAT,
        "member": member,
        "made": iso(datetime.now(UTC).replace(microsecond=0)),
        "zone": str(zone),
        "forgotten": iso(before) if before else None,
        "inventory": list(_statements(personal)),
        "exports": asked.by("export", "server", lambda: MyExports(known, member)),
        "vpses": asked.by("vps", "client", lambda: MyVpses(known, member, warehouse.addresses())),
        "clients_of_exports": asked.clients(),
        "space": [asdict(one) for one in space(root, member, ring=ring)],
        "judgements": list(_judgements(root, known, member)),
    }
    for trouble in warehouse.trouble:
        log.warning("%s", trouble)
    return json.dumps(document, indent=1, default=lambda at: iso(cast("datetime", at)))


def _statements(personal: Personal) -> Iterator[dict[str, Any]]:
    """What the inventory says of the member, each with its time."""
    for kind, name in sorted(personal.things):
        for interval in personal.known.things(kind).get(name, ()):
            for since, until in personal.spans(kind, name, interval):
                yield {
                    "kind": kind,
                    "id": name,
                    "is": interval.properties,
                    "since": None if since == EVER[0] else of_us(since),
                    "until": None if until == EVER[1] else of_us(until),
                }


def _judgements(root: Path, known: Inventory, member: str) -> Iterator[dict[str, Any]]:
    """What was said of verdicts that accused the member: without the words, which may name others."""
    mine = MyExports(known, member)
    for each in with_what_was_judged(root, judgements.read(root)):
        judged = each.judged
        if judged is None or judged.node is None or judged.begin is None:
            continue
        servers = (name.removeprefix("server:") for name in judged.culprits if name.startswith("server:"))
        if any(mine.of(judged.node, server, us(judged.begin)) for server in servers):
            yield {
                "episode": each.episode,
                "judgement": each.judgement,
                "told": each.told,
                "verdict": judged.verdict,
                "confidence": judged.confidence,
            }


class _Asked:
    """Asks for usage of a member, span by span."""

    def __init__(self, warehouse: Warehouse, known: Inventory, member: str, step: str | None, zone: tzinfo) -> None:
        self._warehouse, self._known, self._member, self._step, self._zone = warehouse, known, member, step, zone
        extent = warehouse.extent(tuple({view for by in _BY for view in views(by)}))
        self._months = list(_months(*extent, zone)) if extent else []
        if step and extent:
            self._months = [(us(extent[0]), us(extent[1]))]

    def by(self, called: str, of: By, owners: Callable[[], Owners]) -> list[dict[str, Any]]:
        """Usage of what is the member's, by what it is called; of nothing else."""
        found = []
        for span in self._months:
            found += [row for row in self._rows(called, of, owners, span) if row[called]]
        return sorted(found, key=lambda row: (row[called], row["from"], row["node"]))

    def clients(self) -> list[dict[str, Any]]:
        """What clients moved over the servers of the member's exports while those were theirs."""
        found = []
        for row in self.by(
            "client", "client", lambda: MyClients(self._known, self._member, self._warehouse.addresses())
        ):
            export, client = json.loads(row["client"])
            found.append({"export": export} | row | {"client": client})
        return found

    def _rows(self, called: str, of: By, owners: Callable[[], Owners], span: Span) -> list[dict[str, Any]]:
        def asked(one: str | None, begin: datetime | None, end: datetime | None) -> pa.Table:
            return ask(self._warehouse, of, begin, end, self._step, self._zone, one)

        measures = order(of)
        table = by_owner(owners, asked, of_us(span[0]), of_us(span[1]), measures).usage
        kinds = ("", "_max", "_unknown", "_quality")
        names = ["node", "from", "to", *(f"{m}{kind}" for m in measures for kind in kinds)]
        return [{called: row["who"]} | {name: row[name] for name in names} for row in table.to_pylist()]


def _months(first: datetime, last: datetime, zone: tzinfo) -> Iterator[Span]:
    """The calendar months of a zone from the one of `first` on up to that of `last`."""
    begin = first.astimezone(zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while begin <= last:
        after = (begin + timedelta(days=32)).replace(day=1)
        yield us(begin.astimezone(UTC)), us(after.astimezone(UTC))
        begin = after
