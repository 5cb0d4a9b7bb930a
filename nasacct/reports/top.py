"""Top: who uses the NAS now, and how busy its disks are.

"Now" is a node's newest data, so that a recording that was replayed, or a copy of yesterday's store, shows its last
minute.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from nasacct.reports.questions import question
from nasacct.store.journal_ring import RING
from nasacct.store.schema import OPS
from nasacct.store.warehouse import Warehouse
from nasacct.times import us

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: By what servers are sorted, the largest first; `server` by name.
Sort = Literal["bytes", "read", "written", "calls", "server"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerNow:
    """One server's rates; None is unknown. `seen` is its newest reading: long before `as_of`, and it has ended."""

    node: str
    as_of: datetime
    server: str
    read_bytes_s: float | None = None
    written_bytes_s: float | None = None
    received_bytes_s: float | None = None
    sent_bytes_s: float | None = None
    calls_s: float | None = None
    seen: datetime

    @property
    def bytes_s(self) -> float:
        """All that it moves: its link's bytes, or what clients read and wrote where the link is not known."""
        link = (self.received_bytes_s or 0) + (self.sent_bytes_s or 0)
        known = self.received_bytes_s is not None or self.sent_bytes_s is not None
        return link if known else (self.read_bytes_s or 0) + (self.written_bytes_s or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientNow:
    """One client of a server: its address, or its `id` where none is known, and its rates of TCP's payload."""

    node: str
    as_of: datetime
    server: str
    client: str
    id: str
    received_bytes_s: float | None = None
    sent_bytes_s: float | None = None
    seen: datetime

    @property
    def bytes_s(self) -> float:
        """All that it moves."""
        return (self.received_bytes_s or 0) + (self.sent_bytes_s or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationNow:
    """One NFSv4 operation of a server, and how often it is done."""

    node: str
    as_of: datetime
    server: str
    operation: str
    operations_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskNow:
    """One disk: `busy` 0..1, rates per second, mean `wait_ms` of a request, `queue` mean requests in flight."""

    node: str
    as_of: datetime
    disk: str
    device: str
    busy: float | None = None
    reads_s: float | None = None
    writes_s: float | None = None
    read_bytes_s: float | None = None
    written_bytes_s: float | None = None
    wait_ms: float | None = None
    queue: float | None = None
    in_flight: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeNow:
    """One machine as of its newest data: shares 0..1 (`io_*` of the time, `cpu_*` of all CPUs), loads, bytes."""

    node: str
    as_of: datetime
    window_s: float
    io_some: float | None = None
    io_full: float | None = None
    cpu_busy: float | None = None
    cpu_iowait: float | None = None
    load1: float | None = None
    load5: float | None = None
    load15: float | None = None
    memory_total_bytes: int | None = None
    memory_available_bytes: int | None = None
    memory_dirty_bytes: int | None = None
    uptime_s: int | None = None


@dataclass(slots=True)
class Top:
    """Nodes by name, disks by node and name, servers as asked; `trouble` is what could not be read, in sentences.

    `clients` are those of the server that was asked for, `operations` its own, the most frequent first.
    """

    nodes: list[NodeNow] = field(default_factory=list)
    disks: list[DiskNow] = field(default_factory=list)
    servers: list[ServerNow] = field(default_factory=list)
    clients: list[ClientNow] = field(default_factory=list)
    operations: list[OperationNow] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)

    @property
    def as_of(self) -> datetime | None:
        """The newest data of all nodes, None when there is none."""
        return max((n.as_of for n in self.nodes), default=None)

    def sort(self, by: Sort) -> None:
        """Put servers and clients in order; of clients only bytes are known."""
        key: dict[str, Callable[[ServerNow], Any]] = {
            "bytes": lambda s: -s.bytes_s,
            "read": lambda s: -(s.read_bytes_s or 0),
            "written": lambda s: -(s.written_bytes_s or 0),
            "calls": lambda s: -(s.calls_s or 0),
            "server": lambda _: 0,
        }
        self.servers.sort(key=lambda s: (key[by](s), s.server, s.node))
        self.clients.sort(key=lambda c: (0 if by == "server" else -c.bytes_s, c.client, c.node))


def top(
    root: Path, *, node: str | None = None, window_s: float = 60, sort: Sort = "bytes", ring: Path | None = RING
) -> Top:
    """The state of every node, or of one, over the `window_s` seconds before its newest data.

    What a collector on this machine mirrors below `ring` is of it.
    NasacctError when there is no store, or none of that node.
    """
    return ask(Warehouse(root, node, ring=ring), window_s=window_s, sort=sort)


def ask(warehouse: Warehouse, *, window_s: float = 60, sort: Sort = "bytes", server: str | None = None) -> Top:
    """The same, for whoever keeps a warehouse open and asks again and again; with the clients of one `server`."""
    found = Top()
    for one in warehouse.by_node():
        as_of = one.newest(("nfsd", "links", "disks", "node"))
        if as_of is not None and one.node is not None:
            _ask_node(one, one.node, as_of, window_s, server, found)
    found.sort(sort)
    return found


def _ask_node(
    warehouse: Warehouse, node: str, as_of: datetime, window_s: float, server: str | None, found: Top
) -> None:
    since = as_of - timedelta(seconds=window_s)
    lo, hi = us(since), us(as_of)
    span = {"since": since, "until": as_of, "lo": lo, "hi": hi}

    def rows(name: str, *views: str, **more: str) -> list[dict[str, Any]]:
        answer = warehouse.query(question(name), span | more, views=views, since=since, until=as_of).to_pylist()
        found.trouble += [t for t in warehouse.trouble if t not in found.trouble]
        return answer

    state = rows("top_node", "node")
    found.nodes.append(NodeNow(node=node, as_of=as_of, window_s=window_s, **(state[0] if state else {})))
    found.disks += [DiskNow(node=node, as_of=as_of, **row) for row in rows("top_disks", "disks")]
    found.servers += [ServerNow(node=node, as_of=as_of, **row) for row in rows("top_servers", "nfsd", "links")]
    if server is not None:
        clients = rows("top_clients", "clients", server=server)
        known = warehouse.addresses().get(node, {})
        for row in clients:
            row |= {"id": row["client"], "client": known.get(row["client"], row["client"])}
            found.clients.append(ClientNow(node=node, as_of=as_of, server=server, **row))
        rates = _rates(rows("top_operations", "ops", server=server), lo, hi)
        found.operations += [
            OperationNow(node=node, as_of=as_of, server=server, operation=name, operations_s=rate)
            for name, rate in sorted(rates.items(), key=lambda item: (-item[1], item[0]))
        ]


def _rates(rows: list[dict[str, Any]], lo: int, hi: int) -> dict[str, float]:
    """Per second, of every operation that was done, as sql/top_servers.sql counts servers' rates."""
    sums: dict[str, float] = {}
    for row in rows:
        begin, end = row["t0_us"], row["t1_us"]
        share = (min(end, hi) - max(begin, lo)) / (end - begin) if end > begin else 1.0
        for operation in OPS.usage:
            sums[operation.name] = sums.get(operation.name, 0.0) + (row[operation.name] or 0) * share
    length_s = max(hi - max(min((row["t0_us"] for row in rows), default=lo), lo), 1) / 1e6
    return {name: total / length_s for name, total in sums.items() if total}
