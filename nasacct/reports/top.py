"""Top: who uses the NAS now, and how busy its disks are.

"Now" is a node's newest data, so that a recording that was replayed, or a copy of yesterday's store, shows its last
minute.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from nasacct.errors import NasacctError
from nasacct.reports.inflight import FULL
from nasacct.reports.latency import quantile_us
from nasacct.reports.questions import question
from nasacct.reports.whose import Clients, OfClient
from nasacct.store import inventory
from nasacct.store.journal_ring import RING
from nasacct.store.schema import BUCKETS, OPS, PROCEDURES
from nasacct.store.warehouse import Warehouse
from nasacct.times import us

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

_PROCEDURES = [f"{name}_{what}" for name in PROCEDURES for what in ("calls", "us")]
#: By what servers are sorted, the largest first; `server` by name.
Sort = Literal["bytes", "read", "written", "calls", "time", "server"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerNow:
    """One server's rates; None is unknown. `seen` is its newest reading: long before `as_of`, and it has ended.

    `mean_us` a call took inside nfsd, `p95_us` at most 95 of 100; `busy_threads` is how many threads worked at once. In
    `full` of the time (0..1) all of them did: nobody knows how long calls waited for one then, so both times are None.
    """

    node: str
    as_of: datetime
    server: str
    read_bytes_s: float | None = None
    written_bytes_s: float | None = None
    received_bytes_s: float | None = None
    sent_bytes_s: float | None = None
    calls_s: float | None = None
    mean_us: float | None = None
    p95_us: int | None = None
    busy_threads: float | None = None
    full: float | None = None
    seen: datetime

    @property
    def exhausted(self) -> bool:
        """Whether there were too few threads."""
        return self.full is not None and self.full > FULL

    @property
    def bytes_s(self) -> float:
        """All that it moves: its link's bytes, or what clients read and wrote where the link is not known."""
        link = (self.received_bytes_s or 0) + (self.sent_bytes_s or 0)
        known = self.received_bytes_s is not None or self.sent_bytes_s is not None
        return link if known else (self.read_bytes_s or 0) + (self.written_bytes_s or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientNow(OfClient):
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
    """One NFSv4 operation or NFSv3 procedure of a server, how often it is done, and how long it takes if known."""

    node: str
    as_of: datetime
    server: str
    operation: str
    operations_s: float
    mean_us: float | None = None


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
            "time": lambda s: -(s.busy_threads or 0),
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
    inside: dict[str, dict[str, Any]] = {row["server"]: _inside(row, window_s) for row in rows("top_inside", "inside")}
    for row in rows("top_latency", "latency"):
        inside.setdefault(row["server"], {})["p95_us"] = _p95(row)
    for row in rows("top_full", "inflight"):
        known = inside.setdefault(row["server"], {})
        known["full"] = row["busy"]
        if (row["busy"] or 0) > FULL:
            known |= {"mean_us": None, "p95_us": None}
    for row in rows("top_servers", "nfsd", "links"):
        found.servers.append(ServerNow(node=node, as_of=as_of, **row, **inside.get(row["server"], {})))
    if server is not None:
        clients = rows("top_clients", "clients", server=server)
        addresses = warehouse.addresses().get(node, {})
        whose = _whose(warehouse, found) if clients else None
        for row in clients:
            row |= {"id": row["client"], "client": addresses.get(row["client"], row["client"])}
            of = asdict(whose.of(node, server, row["client"], hi)) if whose else {}
            found.clients.append(ClientNow(node=node, as_of=as_of, server=server, **row, **of))
        done = _rates(rows("top_operations", "ops", server=server), [one.name for one in OPS.usage], lo, hi)
        rates = {name: (rate, None) for name, rate in done.items()} | _procedures(
            _rates(rows("top_procedures", "inside", server=server), _PROCEDURES, lo, hi)
        )
        found.operations += [
            OperationNow(node=node, as_of=as_of, server=server, operation=name, operations_s=rate, mean_us=mean_us)
            for name, (rate, mean_us) in sorted(rates.items(), key=lambda item: (-item[1][0], item[0]))
        ]


def _whose(warehouse: Warehouse, found: Top) -> Clients | None:
    """Who tells whose clients are; None where the inventory cannot be read, as the answer's `trouble` tells."""
    try:
        return Clients(inventory.read(warehouse.root))
    except (NasacctError, OSError) as error:
        found.trouble.append(str(error))
    return None


def _inside(row: dict[str, Any], window_s: float) -> dict[str, float | None]:
    """What is known of a server's calls: how long one takes, how many threads they keep busy."""
    calls, us = row["answered"], row["thread_us"]
    if us is None:
        return {}
    return {"mean_us": us / calls if calls else None, "busy_threads": us / 1e6 / window_s}


def _p95(row: dict[str, Any]) -> int | None:
    """At most how long 95 of 100 calls took; None when there were none, or when it is longer than can be said."""
    between = quantile_us([row[f"calls_{i:02}"] or 0 for i in range(BUCKETS)], 0.95)
    return None if between is None else between[1]


def _procedures(rates: dict[str, float]) -> dict[str, tuple[float, float | None]]:
    """By NFSv3 procedure, how often and how long; an NFSv4 server's compounds are told operation by operation."""
    found: dict[str, tuple[float, float | None]] = {}
    for name in PROCEDURES:
        rate = rates.get(f"{name}_calls", 0.0)
        if rate and name != "compound":
            found[f"v3 {name}" if name != "other" else name] = rate, rates.get(f"{name}_us", 0.0) / rate
    return found


def _rates(rows: list[dict[str, Any]], names: Sequence[str], lo: int, hi: int) -> dict[str, float]:
    """Per second, of every measure that grew, as sql/top_servers.sql counts servers' rates."""
    sums: dict[str, float] = {}
    for row in rows:
        begin, end = row["t0_us"], row["t1_us"]
        share = (min(end, hi) - max(begin, lo)) / (end - begin) if end > begin else 1.0
        for name in names:
            sums[name] = sums.get(name, 0.0) + (row[name] or 0) * share
    length_s = max(hi - max(min((row["t0_us"] for row in rows), default=lo), lo), 1) / 1e6
    return {name: total / length_s for name, total in sums.items() if total}
