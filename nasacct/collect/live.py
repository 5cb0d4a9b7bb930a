"""This machine, live: the protocol of `machine.Machine` over /proc, /sys and netlink.

What is read in every cycle stays open: one descriptor for each server and host file, one netlink socket. Sources read
on threads of their own, so everything here may be called from several at once.
"""

from __future__ import annotations

import errno
import os
import resource
import socket
import threading
import time
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from nasacct.collect import blockdev, namespaces, process, servers
from nasacct.collect.connections import Connections
from nasacct.collect.descriptor import Descriptor
from nasacct.collect.link_stats import LinkStats
from nasacct.collect.machine import Disk, LinkCounters, Listing, Server
from nasacct.collect.rpc_status import RpcStatus
from nasacct.store.frame import Instant

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from nasacct.config import Config

#: What is kept open inside a server's network namespace.
Kept = TypeVar("Kept", Connections, RpcStatus)

#: Names of interfaces are asked for anew this often: a renamed one keeps its counters.
_NAMES_S = 60.0
#: In the mounts of a server, which may have anything there but what is waited for.
_EXPORT_STATS = "proc/fs/nfsd/export_stats"
_FOREIGN = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
#: A process and a kernel thread come and go, so what is below them is not kept open, nor what ZFS shows of pools.
_NOT_KEPT = ("proc/spl/", "sys/")


class Live:
    """The machine that this process runs on; `close` gives up what it keeps open."""

    def __init__(self, config: Config) -> None:
        self.node = config.node
        self.boot_id = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        self.kernel = os.uname().release
        self._counter = config.servers.counter
        self._servers = servers.configured(self.boot_id, config.servers)
        self._counters: dict[str, Descriptor] = {}
        self._ending: set[str] = set()
        self._files: dict[str, Descriptor] = {}
        self._links = _Links(self.boot_id, self.now)
        self._only = config.disks.include
        exclude = (*blockdev.EXCLUDED, *config.disks.exclude)
        self._disks = blockdev.BlockDevices(Path("/sys"), self.boot_id, include=self._only, exclude=exclude)
        _raise_limit()

    def now(self) -> Instant:
        """Both clocks at this moment."""
        return Instant(time.time_ns(), time.clock_gettime_ns(time.CLOCK_BOOTTIME))

    def servers(self) -> Listing:
        """The NFS servers that live now, looked for anew.

        The counters of one that has ended stay open until the listing after next, for its last reading; stand-ins for
        rpc/nfsd, which would keep the namespace alive, do not.
        """
        begun_ns = self.now().boot_ns
        listing = replace(self._servers.read(), begun_ns=begun_ns)
        if listing.complete:
            gone = self._counters.keys() - {s.epoch for s in listing.servers}
            for epoch in gone if self._counter != namespaces.COUNTER else gone & self._ending:
                self._counters.pop(epoch, None)
            self._ending = gone
        return listing

    def nfsd(self, server: Server) -> bytes:
        """The text of the server's counter file; OSError when the server is gone or has no such file."""
        kept = self._counters.get(server.epoch)
        if kept is None:
            kept = self._counters[server.epoch] = Descriptor(self._open(server))
        try:
            return kept.text()
        except OSError:
            self._counters.pop(server.epoch, None)
            raise

    def release(self, server: Server) -> None:
        """Close the server's counter file, after its last reading."""
        self._counters.pop(server.epoch, None)

    def links(self, since_ns: int | None = None) -> LinkCounters:
        """The counters of every interface of the host, in one dump, see `Machine.links`. Raises OSError."""
        return self._links.read(since_ns)

    def connections(self, server: Server) -> Connections:
        """The connections of the server, if it still lives. Raises OSError."""
        return self._inside(server, Connections)

    def calls_in_flight(self, server: Server) -> RpcStatus:
        """What tells the server's calls in flight, if it still lives. Raises OSError."""
        return self._inside(server, RpcStatus)

    def export_stats(self, server: Server) -> bytes:
        """The text of the server's export_stats, as its own mounts have it. Raises OSError."""
        if server.pid is None:
            raise FileNotFoundError(errno.ENOENT, "no process is known that has its nfsd mounted", server.name)
        # what is open keeps the namespace alive
        opened = Descriptor(os.open(f"/proc/{server.pid}/root/{_EXPORT_STATS}", _FOREIGN))
        if server.epoch != f"{self.boot_id}/{server.pid}.{process.started('/proc', server.pid)}":
            raise FileNotFoundError(errno.ENOENT, "the server has ended", f"/proc/{server.pid}")
        return opened.lines()

    def file(self, path: str) -> bytes:
        """A file of the whole machine, by its path without the leading slash: `proc/diskstats`. Raises OSError."""
        kept = self._files.get(path)
        if kept is not None:
            try:
                return kept.lines()
            except OSError:
                self._files.pop(path, None)
        opened = Descriptor(os.open(f"/{path}", os.O_RDONLY | os.O_CLOEXEC))
        data = opened.lines()
        if not path.startswith(_NOT_KEPT) and not path.split("/")[1].isdecimal():
            self._files[path] = opened
        return data

    def disks(self) -> list[Disk]:
        """The whole disks that exist now."""
        return [d for d in self._disks.read() if not self._only or any(fnmatch(d.device, p) for p in self._only)]

    def close(self) -> None:
        """Close everything that is kept open."""
        self._counters.clear()
        self._files.clear()
        self._links.close()

    def _inside(self, server: Server, make: Callable[[], Kept]) -> Kept:
        """What `make` makes inside the server's network namespace, if it still lives. Raises OSError."""
        if server.pid is None:
            assert server.namespace is not None
            return namespaces.inside_same(server.namespace, server.epoch.removeprefix(f"{self.boot_id}/"), make)
        found = namespaces.inside(f"/proc/{server.pid}/ns/net", make)
        if server.epoch != f"{self.boot_id}/{server.pid}.{process.started('/proc', server.pid)}":
            found.close()
            raise FileNotFoundError(errno.ENOENT, "the server has ended", f"/proc/{server.pid}")
        return found

    def _open(self, server: Server) -> int:
        """Open the server's counters, if the server of that epoch still lives. Raises OSError."""
        try:
            if server.pid is None:
                assert server.namespace is not None
                identity = server.epoch.removeprefix(f"{self.boot_id}/")
                return namespaces.open_counter(server.namespace, self._counter, identity)
            fd = os.open(f"/proc/{server.pid}/net/{self._counter}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError as err:
            if err.errno not in (errno.EMFILE, errno.ENFILE):
                raise
            limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            why = f"too many open files (limit {limit}); raise LimitNOFILE of the service or fs.file-max"
            raise OSError(err.errno, why) from None
        # looked at after the opening: a pid that was used again in between is noticed
        if server.epoch != f"{self.boot_id}/{server.pid}.{process.started('/proc', server.pid)}":
            os.close(fd)
            raise FileNotFoundError(errno.ENOENT, "the server has ended", f"/proc/{server.pid}")
        return fd


class _Links:
    """The dump of all links, with names and epochs beside it."""

    def __init__(self, boot_id: str, now: Callable[[], Instant]) -> None:
        self._boot_id, self._now = boot_id, now
        self._last: LinkCounters | None = None
        self._lock = threading.Lock()
        self._stats = LinkStats()
        self._ifindex: NDArray[np.int64] = np.zeros(0, np.int64)
        self._table: dict[int, str] = {}
        self._named_until = 0.0
        self._names: list[str] = []
        self._epochs: list[str] = []
        self._rows: NDArray[np.intp] | None = None

    def read(self, since_ns: int | None) -> LinkCounters:
        with self._lock:
            at = self._now()
            if since_ns is not None and self._last is not None and self._last.recent(since_ns, at):
                return self._last
            stats = self._stats.read()
            stale = time.monotonic() > self._named_until
            if stale or not np.array_equal(stats.ifindex, self._ifindex):
                self._name(stats.ifindex, anew=stale)
            values = stats.values if self._rows is None else stats.values[self._rows]
            self._last = LinkCounters(at, self._names, self._epochs, values, stats.whole)
            return self._last

    def close(self) -> None:
        with self._lock:
            self._stats.close()

    def _name(self, ifindex: NDArray[np.int64], *, anew: bool) -> None:
        numbers = ifindex.tolist()
        if anew:
            self._table = dict(socket.if_nameindex())
            self._named_until = time.monotonic() + _NAMES_S
        known, self._table = self._table, {}
        for number in numbers:
            name = known.get(number) or _name(number)
            if name is not None:
                self._table[number] = name
        names = list(self._table.values())
        epochs = [f"{self._boot_id}/if{number}" for number in self._table]
        if names != self._names or epochs != self._epochs:
            self._names, self._epochs = names, epochs
        # an interface that was gone before its name could be asked for has no row
        whole = len(self._table) == len(numbers)
        self._rows = None if whole else np.flatnonzero(np.isin(ifindex, list(self._table)))
        self._ifindex = ifindex


def _name(ifindex: int) -> str | None:
    try:
        return socket.if_indextoname(ifindex)
    except OSError:
        return None


def _raise_limit() -> None:
    """As many open files as this process may have: each server needs two."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
