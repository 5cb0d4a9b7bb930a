"""The machine as the sources see it: live (`live.py`) or played from a recording (`replay.py`), by one protocol."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nasacct.collect.connections import Connections
    from nasacct.collect.rpc_status import RpcStatus
    from nasacct.store.frame import Instant

#: Columns of `LinkCounters.values`, the host's view of the interface.
LINK_COLUMNS = (
    "rx_bytes", "tx_bytes", "rx_packets", "tx_packets", "rx_dropped", "tx_dropped", "rx_errors", "tx_errors",
)  # fmt: skip
#: Bytes received and sent over an interface, or a connection.
Moved = tuple[int, int]
#: A listing is read again and again for a minute (`observer.RELIST_NS`); later it says nothing of who is not in it.
OLD_NS = 75_000_000_000
#: How old a dump of links may be that was made for another source.
RECENT_NS = 50_000_000


@dataclass(frozen=True, slots=True)
class Export:
    """One line of a server's exports: a directory shown to one host under a path."""

    directory: str
    path: str
    host: str
    options: str = ""


@dataclass(frozen=True, slots=True)
class Server:
    """One life of one NFS server in its own network namespace.

    `epoch` names that life for ever: boot id and either the container init's pid with its start time or the
    namespace's cookie. `link` is the host's end of the server's veth. `about` says how it was found.
    """

    name: str
    epoch: str
    pid: int | None = None
    link: str | None = None
    namespace: str | None = None
    address: str | None = None
    exports: tuple[Export, ...] = ()
    about: dict[str, str | int | None] = field(default_factory=dict, compare=False, hash=False)

    @property
    def shown(self) -> dict[str, str]:
        """The directory that it shows (`dir`) and under which path (`as`), whoever may see it; nothing of several."""
        shown = {(export.directory, export.path) for export in self.exports}
        return dict(zip(("dir", "as"), shown.pop(), strict=True)) if len(shown) == 1 else {}


@dataclass(frozen=True, slots=True)
class Listing:
    """All servers that exist now; incomplete when something could not be read, with the sentences that say what.

    `begun_ns` is the CLOCK_BOOTTIME at which they began to be looked for; None where nobody knows.
    """

    servers: tuple[Server, ...]
    complete: bool = True
    notes: tuple[str, ...] = ()
    begun_ns: int | None = None

    def complete_at(self, at: Instant) -> bool:
        """Whether it says who was not there at that moment: not after the collector stood still in between."""
        return self.complete and (self.begun_ns is None or at.boot_ns - self.begun_ns <= OLD_NS)


@dataclass(frozen=True, slots=True)
class LinkCounters:
    """All interfaces of the host at one instant: `values` int64[n, 8] in the order of LINK_COLUMNS.

    `at` is just before it: whatever has moved by then is in it. `complete` is False when interfaces came or went
    meanwhile, so that one may be missing. The lists are the same objects as last time when nothing in them has changed.
    """

    at: Instant
    names: list[str]
    epochs: list[str]
    values: NDArray[np.int64]
    complete: bool = True

    def recent(self, since_ns: int, now: Instant) -> bool:
        """Whether it was begun after `since_ns` (CLOCK_BOOTTIME), and not long before `now`."""
        return since_ns < self.at.boot_ns >= now.boot_ns - RECENT_NS

    def moved(self) -> dict[str, Moved]:
        """What has gone over each interface, by name."""
        return dict(zip(self.names, map(tuple, self.values[:, :2].tolist()), strict=True))


@dataclass(frozen=True, slots=True)
class Disk:
    """One whole disk: `identity` stays with the hardware (wwid, serial, else path), `epoch` is one counting life."""

    device: str
    identity: str
    epoch: str
    rotational: bool | None = None
    about: dict[str, str | int | None] = field(default_factory=dict, compare=False, hash=False)


class Machine(Protocol):
    """Everything the sources read of a machine. Each call may raise OSError; none may block for long."""

    node: str
    boot_id: str
    kernel: str

    def now(self) -> Instant:
        """Both clocks at this moment (of the recording, when there is one)."""
        ...

    def servers(self) -> Listing:
        """The NFS servers that live now."""
        ...

    def nfsd(self, server: Server) -> bytes:
        """The text of the server's /proc/net/rpc/nfsd; OSError when the server is gone or has no such file."""
        ...

    def links(self, since_ns: int | None = None) -> LinkCounters:
        """The counters of every interface of the host, in one dump.

        With `since_ns`, one that was made for somebody else may do, if it is `recent`. Who takes what it finds there as
        of `LinkCounters.at`, and reads what it compares with it afterwards, loses nothing by that.
        """
        ...

    def connections(self, server: Server) -> Connections:
        """The connections of the server, to be closed when it ends."""
        ...

    def calls_in_flight(self, server: Server) -> RpcStatus:
        """What tells the server's calls in flight, to be closed when it ends."""
        ...

    def export_stats(self, server: Server) -> bytes:
        """The text of the server's /proc/fs/nfsd/export_stats; nothing of it stays open."""
        ...

    def file(self, path: str) -> bytes:
        """A file of the whole machine, by its path without the leading slash: `proc/diskstats`."""
        ...

    def disks(self) -> list[Disk]:
        """The whole disks that exist now; loop, ram, zram and dm devices are not among them."""
        ...
