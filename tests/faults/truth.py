"""A simulated machine whose truth is known: what every server really moved, to the byte, at any moment.

Time is the simulation's own, in ns. Counters are flows: lines between points, read as whole bytes, never faster than a
link carries. The machine speaks the protocol of `nasacct.collect.machine`, so the collector's own code reads it.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from nasacct.collect.events import LinkEnded, ServerEnded, ServersChanged, link_epoch
from nasacct.collect.machine import LinkCounters, Listing, Server
from nasacct.store.frame import ABSENT, Instant

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nasacct.collect.events import Event
    from nasacct.collect.machine import Disk

SECOND = 1_000_000_000
#: What a link carries, in bytes a second.
LINK = 125_000_000
#: 23:20 UTC: hours, days and 5-minute edges are near.
BEGIN = 1_795_476_000 * SECOND
NFSD = ("read_bytes", "written_bytes")
LINKS = ("received_bytes", "sent_bytes")
MEASURES = NFSD + LINKS


class Flow:
    """One counter since it began: `at` tells its value at any moment."""

    def __init__(self, begin: int, value: int) -> None:
        self._times, self._values = [begin], [value]

    def flow(self, until: int, amount: int) -> None:
        """Move so many bytes, evenly, from the last moment until this one."""
        self._times.append(until)
        self._values.append(self._values[-1] + amount)

    def at(self, moment: int) -> int:
        """The counter's value; before it began, what it began with."""
        i = bisect_right(self._times, moment)
        if i == 0:
            return self._values[0]
        if i == len(self._times):
            return self._values[-1]
        (t0, t1), (v0, v1) = self._times[i - 1 : i + 1], self._values[i - 1 : i + 1]
        return v0 + (v1 - v0) * (moment - t0) // (t1 - t0)


@dataclass(eq=False)
class Life:
    """One life of a server and of its link. `counted_from` is the moment before which nobody asked."""

    server: Server
    ifindex: int
    boot_id: str
    flows: dict[str, Flow]
    begin: int
    counted_from: int
    end: int | None = None
    shown: bool = True

    @property
    def link_epoch(self) -> str:
        return link_epoch(self.boot_id, self.ifindex)

    def epoch_of(self, measure: str) -> str:
        return self.server.epoch if measure in NFSD else self.link_epoch

    def moved(self, measure: str, until: int, since: int = 0) -> int:
        """The bytes that moved between two moments, as far as they count."""
        flow = self.flows[measure]
        return max(flow.at(until) - flow.at(max(since, self.counted_from)), 0)


@dataclass
class Watch:
    """What the kernel would tell: queued by the machine, taken by the collector."""

    queue: list[Event] = field(default_factory=list)
    followed: set[str] = field(default_factory=set)

    def poll(self, timeout_s: float | None) -> list[Event]:
        events, self.queue = self.queue, []
        return events

    def servers(self, servers: Iterable[Server]) -> None:
        self.followed.update(s.epoch for s in servers)

    def close(self) -> None:
        pass


class Host:
    """The machine. `host_wide` is a kernel that counts nfsd for the whole host, in 32 bits."""

    node = "nas1"

    def __init__(self, *, host_wide: bool) -> None:
        self.host_wide = host_wide
        self.kernel = "5.10.0" if host_wide else "6.12.117"
        self.real, self.offset, self.boots = BEGIN, 0, 0
        self.lives: list[Life] = []
        self.watch = Watch()
        self.hidden: set[str] = set()
        self.broken: set[str] = set()
        self._numbers = 0
        self._dump: tuple[list[str], list[str]] = [], []
        self.counted = 0
        self.boot(0)

    def boot(self, off_ns: int, up_ns: int = 20 * SECOND) -> None:
        """Everything that lives ends; after `off_ns` a new boot has been going on for `up_ns`."""
        for life in self.alive():
            life.end = self.real
        self.booted = self.real + off_ns
        self.real = self.booted + up_ns
        self.boots += 1
        self.boot_id = f"boot{self.boots}"
        self.watch = Watch()
        self._ifindex = 1

    # what the harness does with it

    def alive(self) -> list[Life]:
        return [life for life in self.lives if life.end is None]

    def start(self, name: str, *, value: int = 0, linked: bool = True, told: bool = True) -> Life:
        """A server begins; `linked` False: its link is there, but not yet the server."""
        self._numbers += 1
        self._ifindex += 1
        server = Server(name, f"{self.boot_id}/{self._numbers}", link=f"v{name}")
        flows = {m: Flow(self.real, value) for m in MEASURES}
        life = Life(server, self._ifindex, self.boot_id, flows, self.real, 0, shown=linked)
        self.lives.append(life)
        if told:
            self.watch.queue.append(ServersChanged())
        return life

    def show(self, life: Life) -> None:
        """The server of a link that was there before it."""
        life.shown = True
        self.watch.queue.append(ServersChanged())

    def stop(self, life: Life, how: str) -> None:
        """A server ends: `told` with its last counters, `half` of them, `mute` with none, `unseen` by anybody."""
        life.end = self.real
        followed = life.server.epoch in self.watch.followed
        if how in ("mute", "unseen") or not followed:
            self.broken.add(life.server.epoch)
        if how == "unseen":
            return
        if followed:
            self.watch.queue.append(ServerEnded(life.server))
        values = self._link_values(life)
        if how == "half":
            values = (ABSENT, values[1], ABSENT, *values[3:])
        counters = None if how == "mute" else values
        self.watch.queue.append(LinkEnded(life.ifindex, f"v{life.server.name}", None, counters, self.now()))

    def pass_time(self, span_ns: int, load: int) -> None:
        """Time goes on, and every server moves what `load` makes of it."""
        steps = 1 + load % 3
        edges = [self.real + span_ns * step // steps for step in range(steps + 1)]
        for life in self.alive():
            for i, measure in enumerate(MEASURES):
                for step, (since, until) in enumerate(pairwise(edges)):
                    most = LINK * (until - since) // SECOND
                    life.flows[measure].flow(until, most * _share(load, life.ifindex, i, step) // 1000)
        self.real += span_ns

    # what the collector sees of it

    def now(self) -> Instant:
        return Instant(self.real + self.offset, self.real - self.booted)

    def servers(self) -> Listing:
        shown = [self._seen(life) for life in self.alive() if life.shown and life.server.name not in self.hidden]
        return Listing(tuple(shown), complete=not self.hidden, begun_ns=self.now().boot_ns)

    def nfsd(self, server: Server) -> bytes:
        life = next(life for life in self.lives if life.server.epoch == server.epoch)
        if self.host_wide:
            raise FileNotFoundError(2, "no such file")
        if server.epoch in self.broken or (life.end is not None and life.boot_id != self.boot_id):
            raise OSError(5, "the server is gone")
        return _text(*(life.flows[m].at(self.real) for m in NFSD))

    def links(self, since_ns: int | None = None) -> LinkCounters:
        alive = self.alive()
        values = np.array([self._link_values(life) for life in alive], np.int64).reshape(-1, 8)
        dump = [f"v{life.server.name}" for life in alive], [life.link_epoch for life in alive]
        if dump != self._dump:
            self._dump = dump
        return LinkCounters(self.now(), *self._dump, values)

    def file(self, path: str) -> bytes:
        if path == "proc/net/rpc/nfsd" and self.host_wide:
            return _text(*(self.host_moved(m, self.real) % (1 << 32) for m in NFSD))
        raise FileNotFoundError(2, "no such file", path)

    def disks(self) -> list[Disk]:
        return []

    def host_moved(self, measure: str, moment: int, boot_id: str | None = None) -> int:
        """What the host has counted at that moment in this boot (or another one)."""
        boot_id = boot_id or self.boot_id
        mine = [life for life in self.lives if life.boot_id == boot_id]
        base = self.counted if boot_id == "boot1" else 0
        return base + sum(life.flows[measure].at(moment) for life in mine if life.begin <= moment)

    def _seen(self, life: Life) -> Server:
        """The server as a listing of this moment has it: its birth is told by today's clock."""
        born = {"born_ns": life.begin + self.offset, "born_boot_ns": life.begin - self.booted}
        return replace(life.server, about=born)

    def _link_values(self, life: Life) -> tuple[int, ...]:
        """The host's view: what it received, the server sent."""
        received, sent = (life.flows[m].at(self.real) for m in LINKS)
        return sent, received, sent // 1500, received // 1500, 0, 0, 0, 0


def _share(load: int, *where: int) -> int:
    """How busy something is, in thousandths: idle, a little, or as much as there is."""
    mixed = load
    for number in where:
        mixed = (mixed * 2_654_435_761 + number * 40_503 + 12_345) % (1 << 32)
    return (0, 0, 1, 37, 500, 999, 1000)[(mixed >> 13) % 7]


def _text(read: int, written: int) -> bytes:
    return b"rc 0 0 %d\nio %d %d\n" % ((read + written) >> 16 & 0xFFFFFFFF, read, written)
