"""Usage as rows for people: addresses for ids, names, and whoever owned a server or an address at each moment."""

from __future__ import annotations

import logging
from datetime import UTC
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Literal, cast

from nasacct.reports.breakdown import order
from nasacct.reports.operations import protocol
from nasacct.reports.owners import ADDRESS, SHARED, VPS, ByConsumer, ByExport, ByMember, told
from nasacct.reports.owning import by_owner
from nasacct.reports.usage import ask
from nasacct.reports.whose import called
from nasacct.store import inventory
from nasacct.store.journal_ring import RING
from nasacct.store.warehouse import Warehouse
from nasacct.times import us

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, tzinfo
    from pathlib import Path

    import pyarrow as pa

    from nasacct.reports.breakdown import By
    from nasacct.reports.owners import Owners
    from nasacct.reports.owning import Owned
    from nasacct.store.inventory import Inventory, Kind

    Row = dict[str, Any]

log = logging.getLogger(__name__)

#: What usage is first told by, of that which is told by owner.
_OWNED: dict[str, By] = {"member": "server", "export": "server", "vps": "client", "client": "client"}
#: What is one row, on whichever nodes it was; a client's id is of its node.
_OVER_NODES = ("member", "export", "vps")
#: Kinds of whose an address is, in the order in which they are told; None: of something else.
_KINDS = (VPS, SHARED, ADDRESS, None)


class Usage(list["Row"]):
    """The rows of an answer, and up to when what is here of each node reaches."""

    def __init__(self, rows: list[Row], reached: Mapping[str, datetime]) -> None:
        super().__init__(rows)
        self.reached = {node: reached.get(node) for row in rows for node in nodes(row)}


def usage(
    root: Path,
    by: By | Literal["member", "export", "vps"] = "server",
    since: datetime | None = None,
    until: datetime | None = None,
    step: str | None = None,
    zone: tzinfo = UTC,
    server: str | None = None,
    ring: Path | None = RING,
) -> Usage:
    """Rows with the key `by`, `from`, `to` (UTC), and of every measure M `M`, `M_max`, `M_unknown` and `M_quality`.

    `M_unknown` is how many parts have no value or no bound, `quality` the worst one, `as_of` up to when what is here of
    the row's node reaches.

    The measures are read_bytes, written_bytes, received_bytes, sent_bytes, calls. One row for each server or node, or
    with `step` (10s, 5m, 1h, 1d: days of the zone) for each step from its first to its last. None is unknown.

    By member, it is what the servers of their exports moved while those were theirs; None: nobody is known.
    By export, what servers moved while they showed it, itself or a snapshot of it: `export` is the number under which
    it was shown last, `dataset` its name; None: none is known. By member, export and vps a row is of all nodes on which
    there was anything of it, and `node` names them.
    By client, what an address moved over the exports of one member: `client` is the address, `id` what the store calls
    it. By vps, what the addresses of a VPS moved so. The measures then are received_bytes and sent_bytes, of TCP's
    payload; a row of each node has no client (None): what its servers' links moved besides. `kind` says whether the
    address is that of a `vps`, `shared`, or one that nobody is known of (`address`: by vps, it is in that column).
    `owner` is the member of the export, `consumer` that of the VPS; beside each id is its name (`vps_name`).

    By operation, how often clients asked servers for each operation of a `protocol`, of those that they asked for, and
    for how long threads worked on it, where that is known: the measures are operations and thread_us.

    Without `since` or `until`, everything in the store counts; with `server`, only what is that one's. What cannot be
    read is told in the log.
    NasacctError when there is no store, or the span or the step is none.
    """
    warehouse = Warehouse(root, ring=ring)
    if by in _OWNED:
        known = inventory.read(root)
        table, found = _by_owner(warehouse, known, by, (since, until), step, zone, server)
    else:
        table = ask(warehouse, cast("By", by), since, until, step, zone, server)
        found = [_plainly(row, by) for row in table.select(["node", "who"]).to_pylist()]
    reached = warehouse.up_to()
    for trouble in warehouse.trouble:
        log.warning("%s", trouble)
    rest = table.drop_columns(["node", "who"]).to_pylist()
    rows = [
        key | of_it | {"as_of": min((reached[n] for n in nodes(key) if n in reached), default=None)}
        for key, of_it in zip(found, rest, strict=True)
    ]
    if by == "operation":
        rows.sort(key=_most_often)
    return Usage(sorted(rows, key=_place) if by in _OWNED else rows, reached)


def _plainly(row: Row, by: str) -> Row:
    """The keys of a row that is nobody's."""
    if by == "operation":
        version, name = protocol(row["who"])
        return {"protocol": version, "operation": name, "node": row["node"]}
    return {"server": row["who"], "node": row["node"]} if by == "server" else {"node": row["node"]}


def nodes(row: Row) -> list[str]:
    """The nodes of which a row tells; no name of a node has a comma in it."""
    return str(row["node"]).split(", ")


def _by_owner(
    warehouse: Warehouse,
    known: Inventory,
    by: str,
    span: tuple[datetime | None, datetime | None],
    step: str | None,
    zone: tzinfo,
    server: str | None,
) -> tuple[pa.Table, list[Row]]:
    """The same by what servers showed, or by whose their clients are, and the keys of each row."""
    of = _OWNED[by]
    made: list[Owners] = []

    def owners() -> Owners:
        if by == "member":
            made.append(ByMember(known))
        elif by == "export":
            made.append(ByExport(known))
        else:
            # of a client that is new the address is known once it was asked for
            made.append(ByConsumer(known, warehouse.addresses(), clients=by == "client"))
        return made[0]

    def asked(one: str | None, begin: datetime | None, end: datetime | None) -> pa.Table:
        return ask(warehouse, of, begin, end, step, zone, server or one)

    owned = by_owner(owners, asked, *span, order(of), over_nodes=by in _OVER_NODES)
    keys = _Keys(known, made[0], owned) if made else None
    rows = owned.usage.select(["node", "who", "to"]).to_pylist()
    return owned.usage, [getattr(keys, f"of_{by}")(row) for row in rows]


class _Keys:
    """What is told of whom a row is about, as it was at the row's end."""

    def __init__(self, known: Inventory, owners: Owners, owned: Owned) -> None:
        self._known, self._owners, self._nodes = known, owners, owned.nodes

    def of_member(self, row: Row) -> Row:
        """A member's."""
        return self._named(row, "member", row["who"] or None) | {"node": self._node(row)}

    def of_export(self, row: Row) -> Row:
        """An export's, and its owner's."""
        assert isinstance(self._owners, ByExport)
        at, member = us(row["to"]) - 1, None
        found: Row = {"export": None, "dataset": None}
        if row["who"]:
            number, dataset, member = self._owners.folded.title(row["who"], at)
            found = {"export": number, "dataset": dataset}
        owner = self._known.member(member, at) if member else None
        return found | self._named(row, "owner", owner) | {"node": self._node(row)}

    def of_client(self, row: Row) -> Row:
        """A client's, its VPS's and both members'."""
        assert isinstance(self._owners, ByConsumer)
        client, whose, owner = told(row["who"])
        address = self._owners.address(row["node"], client)
        found = {"client": address or None, "id": client or None, "kind": whose.kind or None}
        return found | self._of_both(row, whose.vps, whose.consumer, owner)

    def of_vps(self, row: Row) -> Row:
        """A VPS's, or an address's, and both members'."""
        address, whose, owner = told(row["who"])
        found = {"vps": None, "vps_name": None, "address": address if whose.kind == ADDRESS else None}
        return found | {"kind": whose.kind or None} | self._of_both(row, whose.vps, whose.consumer, owner)

    def _of_both(self, row: Row, vps: str | None, consumer: str | None, owner: str | None) -> Row:
        found: Row = {}
        for what, name in (("vps", vps), ("consumer", consumer), ("owner", owner)):
            found |= self._named(row, what, name)
        return found | {"node": self._node(row)}

    def _node(self, row: Row) -> str:
        """The node, or all nodes, of which it tells."""
        return row["node"] or ", ".join(self._nodes[row["who"]])

    def _named(self, row: Row, what: str, name: str | None) -> Row:
        """The id of a member or VPS, and beside it what people call it."""
        kind: Kind = "vps" if what == "vps" else "member"
        return {what: name, f"{what}_name": called(self._known, kind, name, us(row["to"]) - 1)}


def _most_often(row: Row) -> tuple[Any, ...]:
    return row["from"], row["node"], -(row["operations"] or 0), row["protocol"], row["operation"]


def _place(row: Row) -> tuple[Any, ...]:
    """Where a row stands: in each step what is nobody's last, addresses and numbers as numbers."""
    who = [row.get(key) for key in ("client", "vps", "address", "export", "member", "consumer", "owner")]
    nobody = not any(who) and row.get("kind") is None
    one_node = row["node"] if nobody or row.get("client") else ""
    kind = _KINDS.index(row.get("kind"))
    in_order = row.get("dataset") or "", *map(_by_number, who)
    return row["from"], one_node, nobody, _by_address(row.get("client") or row.get("address")), kind, in_order


def _by_number(name: str | None) -> tuple[int, int, str]:
    """Numbers before other names, and those before nothing."""
    if name is None:
        return 2, 0, ""
    return (0, int(name), "") if name.isdecimal() and name.isascii() and len(name) < 20 else (1, 0, name)


def _by_address(client: str | None) -> tuple[int, int]:
    """Addresses as numbers, then ids of which no address is known; what has none comes first."""
    if client is None:
        return 0, 0
    try:
        found = ip_address(client)
    except ValueError:
        return 8, 0
    return found.version, int(found)
