"""A machine played from a recording: the same protocol as the live one, so that the same sources read it.

Recordings of `nasacct record` carry static lines that name every epoch. Older ones do not: then a server, a link and
a disk each have one epoch that ends where one of its counters falls. That guess is made here and nowhere else.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

import numpy as np

from nasacct.collect import diskstats, net_dev
from nasacct.collect.lines import ParseError
from nasacct.collect.machine import LINK_COLUMNS, Disk, Export, LinkCounters, Listing, Server
from nasacct.store.frame import ABSENT, Instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nasacct.collect.connections import Connections
    from nasacct.collect.rpc_status import RpcStatus

#: Host files of a recording, by the path under which sources ask for them.
HOST_FILES = {
    "proc/diskstats": "diskstats",
    "proc/pressure/io": "psi_io",
    "proc/stat": "stat",
    "proc/meminfo": "meminfo",
    "proc/loadavg": "loadavg",
    "proc/uptime": "uptime",
    # the host's own namespace: what it shows tells what is counted by namespace
    "proc/net/rpc/nfsd": "rpc_nfsd",
}
#: What a recording holds where reading failed: this and the reason.
FAILED = "!"


class Recorded:
    """The machine at the line that `play` was given last; `name` stands in epochs that the recording has not."""

    def __init__(self, name: str, node: str) -> None:
        self.node, self.boot_id, self.kernel = node, f"recording {name}", ""
        self._row: dict[str, Any] = {}
        self._static: dict[str, Any] = {}
        self._fallen = _Falls()

    def play(self, row: dict[str, Any]) -> None:
        """Go on to this line; a static one stays in force until the next, an event's reading until the next line."""
        if "static" in row:
            self._static = row["static"]
            self.boot_id = self._static.get("boot_id", self.boot_id)
            self.kernel = self._static.get("kernel", self.kernel)
        elif "event" in row:
            self._row = {**row, "host": {}, "servers": {row.get("server"): row}}
        else:
            self._row = row

    @property
    def interval_s(self) -> float | None:
        """The recording's own sampling interval, None when it does not say."""
        return self._static.get("interval_s")

    def now(self) -> Instant:
        """The line's own times; without CLOCK_BOOTTIME the seconds since the recording began stand for it."""
        wall = round(self._row["wall"] * 1e6) * 1000
        boot = self._row.get("boot_ns")
        return Instant(wall, round(self._row["t"] * 1e6) * 1000 if boot is None else boot)

    def servers(self) -> Listing:
        """Who is in the line; with static lines, under the epochs those give."""
        found = []
        static = self._static.get("servers")
        for name, entry in self._row.get("servers", {}).items():
            if static is not None:
                if name in static:
                    found.append(server_in(name, static[name]))
                continue
            life = self._fallen.life(f"server {name}", _cumulative_nfsd(entry.get("rpc_nfsd")))
            inner = _inner_link(entry)
            link = f"{name}/{inner}" if inner else None
            found.append(Server(name, f"{self.boot_id}/server {name} {life}", link=link))
        return Listing(tuple(found), complete=self._static.get("complete", True))

    def nfsd(self, server: Server) -> bytes:
        """The server's recorded text."""
        return _text(self._row["servers"].get(server.name, {}).get("rpc_nfsd"), server.name)

    def links(self, since_ns: int | None = None) -> LinkCounters:  # noqa: ARG002  all of a line is of one moment
        """The host's interfaces; without static lines the servers' own ones, seen from the other end."""
        static = self._static.get("links")
        if static is not None:
            rows = net_dev.parse(_text(self._row["host"].get("net_dev"), "net_dev")).links
            known = [(n, v) for n, v in rows.items() if n in static]
            return _counters(self.now(), [(n, static[n], _host_view(v)) for n, v in known])
        found = []
        for name, entry in self._row.get("servers", {}).items():
            inner = _inner_link(entry)
            if inner is None:
                continue
            values = net_dev.parse(_text(entry["net_dev"], "net_dev")).links[inner]
            view = _other_end(_host_view(values))
            life = self._fallen.life(f"link {name}", view[:4])
            found.append((f"{name}/{inner}", f"{self.boot_id}/link {name} {life}", view))
        return _counters(self.now(), found)

    def connections(self, server: Server) -> Connections:
        """No recording has any."""
        raise FileNotFoundError(errno.ENOENT, "a recording has no connections", server.name)

    def export_stats(self, server: Server) -> bytes:
        """No recording has any."""
        raise FileNotFoundError(errno.ENOENT, "a recording has no export_stats", server.name)

    def calls_in_flight(self, server: Server) -> RpcStatus:
        """No recording tells of any."""
        raise FileNotFoundError(errno.ENOENT, "a recording has no calls in flight", server.name)

    def file(self, path: str) -> bytes:
        """A recorded file of the host; FileNotFoundError when the recording has none."""
        if path in self._static.get("physical", ()):
            return b""
        key = HOST_FILES.get(path)
        return _text(self._row.get("host", {}).get(key) if key else None, path)

    def disks(self) -> list[Disk]:
        """The disks of the static lines, else every device in the recorded diskstats under its name."""
        static = self._static.get("disks")
        if static is not None:
            return [_disk_in(d) for d in static]
        found = []
        for device, values in diskstats.parse(self.file("proc/diskstats")).devices.items():
            life = self._fallen.life(f"disk {device}", [values[n] for n in ("reads", "writes") if n in values])
            found.append(Disk(device, device, f"{self.boot_id}/disk {device} {life}"))
        return found


class _Falls:
    """Counts, for recordings without epochs, how often something's counters fell."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[int, list[int]]] = {}

    def life(self, what: str, counters: Iterable[int]) -> int:
        now = list(counters)
        life, before = self._last.get(what, (1, now))
        if any(a < b for a, b in zip(now, before, strict=False)):
            life += 1
        self._last[what] = life, now or before
        return life


def _disk_in(data: dict[str, Any]) -> Disk:
    return Disk(data["device"], data["identity"], data["epoch"], data.get("rotational"))


def server_in(name: str, data: dict[str, Any]) -> Server:
    """A server as a static line has it."""
    known = {"epoch", "pid", "link", "namespace", "address", "exports"}
    about: dict[str, str | int | None] = {k: v for k, v in data.items() if k not in known}
    exports = tuple(Export(*e) for e in data.get("exports", ()))
    return Server(
        name,
        data["epoch"],
        pid=data.get("pid"),
        link=data.get("link"),
        namespace=data.get("namespace"),
        address=data.get("address"),
        exports=exports,
        about=about,
    )


def server_out(server: Server) -> dict[str, Any]:
    """A server as a static line has it."""
    return {
        "epoch": server.epoch,
        "pid": server.pid,
        "link": server.link,
        "namespace": server.namespace,
        "address": server.address,
        "exports": [[e.directory, e.path, e.host, e.options] for e in server.exports],
        **server.about,
    }


def _text(value: Any, what: str) -> bytes:
    if not isinstance(value, str):
        raise FileNotFoundError(errno.ENOENT, "not in the recording", what)
    if value.startswith(FAILED):
        raise OSError(errno.EIO, value[len(FAILED) :], what)
    return value.encode()


def _cumulative_nfsd(text: Any) -> list[int]:
    """The 64-bit counters whose fall tells a new life: rc and io."""
    found: list[int] = []
    for line in text.splitlines() if isinstance(text, str) else ():
        word, *numbers = line.split() or [""]
        if word in ("rc", "io"):
            found += [int(n) for n in numbers if n.isdecimal()]
    return found


def _inner_link(entry: dict[str, Any]) -> str | None:
    """The server's own interface: the first that is not the loopback; None when the line does not tell."""
    try:
        links = net_dev.parse(_text(entry.get("net_dev"), "net_dev")).links
    except (OSError, ParseError):
        return None
    return next((n for n in links if n != "lo"), None)


def _host_view(values: Mapping[str, int]) -> list[int]:
    """Values of a /proc/net/dev line in the order of LINK_COLUMNS."""
    return [values.get(c, ABSENT) for c in LINK_COLUMNS]


def _other_end(view: list[int]) -> list[int]:
    """What the other end of the veth counts: its received is this one's sent."""
    return [view[i ^ 1] for i in range(len(view))]


def _counters(at: Instant, found: list[tuple[str, str, list[int]]]) -> LinkCounters:
    values = np.array([v for _, _, v in found], np.int64).reshape(len(found), len(LINK_COLUMNS))
    return LinkCounters(at, [n for n, _, _ in found], [e for _, e, _ in found], values)
