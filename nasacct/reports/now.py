"""What there is to tell of the present moment: nodes, disks, servers, the clients and operations of one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from nasacct.reports.inflight import FULL
from nasacct.reports.whose import OfClient

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

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
