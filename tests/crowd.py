"""A machine whose servers' connections a test opens, uses and closes, and the source `clients` at work on it."""

import contextlib
import os
import socket
import struct
from collections import Counter
from itertools import count

import numpy as np
from journals import usage_of

from nasacct.collect.clients import Clients
from nasacct.collect.connections import Connection
from nasacct.collect.machine import LinkCounters, Listing, Server
from nasacct.collect.sampler import Sampler
from nasacct.store.frame import Instant
from nasacct.store.ledger import Terms
from nasacct.store.schema import CLIENTS
from nasacct.store.standing import Standing

SECOND = 1_000_000_000
TERMS = Terms(10 * SECOND, link_bytes_s=1_000_000)


class Linked:
    """A machine's links, of which `received` tells; a recent dump of them may do again, as on the live machine."""

    dump = None

    def links(self, since_ns=None):
        if since_ns is None or self.dump is None or not self.dump.recent(since_ns, self.now()):
            received = self.received()
            values = np.zeros((len(received), 8), np.int64)
            values[:, 0] = list(received.values())
            self.dump = LinkCounters(self.now(), list(received), ["e"] * len(received), values)
        return self.dump


class Nas(Linked):
    """A machine with a clock and servers, whose connections the test opens, uses and closes."""

    node, boot_id, kernel = "n", "boot", ""

    def __init__(self):
        self.ns = 1_796_040_000 * SECOND
        self.servers, self.open, self.truth, self.asked = {}, {}, Counter(), Counter()
        self.links_moved, self.opens, self.dumb, self.cookies = Counter(), Counter(), set(), count(1)

    def now(self):
        return Instant(self.ns, self.ns - 1_796_000_000 * SECOND)

    def received(self):
        return {server.link: self.links_moved[name] for name, server in self.servers.items()}

    def connections(self, server):
        if server.name in self.dumb:
            raise PermissionError(1, "not allowed")
        self.open[server.name] = Watching(self, server.name)
        return self.open[server.name]

    def start(self, name):
        self.servers[name] = Server(name, f"boot/{name}.{next(self.cookies)}", link=f"nfs-{name}")
        self.open.pop(name, None)
        self.opens[name] = 0
        self.live = {key: value for key, value in getattr(self, "live", {}).items() if key[0] != name}

    def connect(self, name, client):
        cookie = next(self.cookies)
        self.live[name, cookie] = (client, 0, 0)
        self.links_moved[name] += 100
        self.opens[name] += 1
        return cookie

    def move(self, name, cookie, received, sent):
        client, before, also = self.live[name, cookie]
        self.live[name, cookie] = (client, before + received, also + sent)
        self.links_moved[name] += received + sent + 100
        self.truth[name, client, "received_bytes"] += received
        self.truth[name, client, "sent_bytes"] += sent

    def disconnect(self, name, cookie, *, unheard=False):
        gone = connection(cookie, *self.live.pop((name, cookie)))
        self.links_moved[name] += 100
        if name in self.open and not unheard:
            self.open[name].tell(gone)


class Watching:
    """What the kernel would tell of one server."""

    def __init__(self, nas, name):
        self.nas, self.name, self.queue, self.lost, self.told = nas, name, [], False, False
        self.broken = None
        self.event = os.eventfd(0, os.EFD_NONBLOCK)

    def fileno(self):
        return self.event

    def opens(self):
        self.nas.asked["opens"] += 1
        return self.nas.opens[self.name]

    def tell(self, gone):
        self.queue.append(gone)
        os.eventfd_write(self.event, 1)

    def lose(self):
        self.lost = True
        os.eventfd_write(self.event, 1)

    def _live(self):
        return [connection(k[1], *v) for k, v in self.nas.live.items() if k[0] == self.name]

    def all(self):
        self.nas.asked["all"] += 1
        if self.broken:
            raise self.broken
        return self._live()

    def again(self, known):
        self.nas.asked["again"] += 1
        return next((c for c in self._live() if c.cookie == known.cookie), None)

    def ended(self):
        self.nas.asked["ended"] += 1
        if self.broken:
            raise self.broken
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self.event)
        queue, self.queue, lost, self.lost = self.queue, [], self.lost, False
        return queue, lost

    @property
    def closed(self):
        return self.event < 0

    def close(self):
        os.close(self.event)
        self.event = -1


def connection(cookie, client, received, sent):
    ident = struct.pack(">HH", 2049, 700) + bytes(16) + socket.inet_aton(client) + bytes(12)
    return Connection(socket.AF_INET, ident + struct.pack("=IQ", 0, cookie), received, sent, 1)


class Run:
    """The source under a real sampler, from the first cycle on; its frames become usage as the keeper makes it."""

    def __init__(self, nas, standing=None):
        self.nas, self.frames = nas, []
        self.sampler = Sampler(nas, standing or Standing(), self._build)
        self.begun = nas.now()

    def _build(self, admit):
        self.source = Clients(admit, lambda address: f"id of {address}")
        return [self.source]

    def cycle(self, seconds=10, **listing):
        self.nas.ns += seconds * SECOND
        self._take(self.sampler.finals([self.source.ends(self.nas)]))
        self._take(self.sampler.cycle(self.listing(**listing)))

    def listing(self, **said):
        """The servers as they are found now."""
        return Listing(tuple(self.nas.servers.values()), **{"begun_ns": self.nas.now().boot_ns, **said})

    def stop(self, name):
        """The server ends, and is told to have."""
        server = self.nas.servers.pop(name)
        self._take(self.sampler.finals([self.source.final(self.nas, server)]))

    def _take(self, frame):
        if frame is not None:
            self.frames.append(frame)

    def _rows(self):
        return usage_of(CLIENTS, self.frames, self.begun, TERMS)

    def usage(self):
        """(server, client, measure) -> (certain, possible), but for what is no client's."""
        found = {}
        for row in self._rows():
            assert row["epoch"].count("/") == 1
            for name in ("received_bytes", "sent_bytes") if row["client"] else ():
                key = row["server"], row["client"].removeprefix("id of "), name
                certain, possible = found.get(key, (0, 0))
                # of a row that is there with all its parts the total is exact
                more = 0 if row["whole"] else row[f"{name}_more"]
                found[key] = certain + row[name], possible + row[name] + more
        return found

    def doubts(self):
        """(server, from, to): when somebody may have come and gone unheard of, in seconds after the first cycle."""
        found = set()
        for row in self._rows():
            if row["client"] is None:
                assert row["received_bytes"] == 0 < row["received_bytes_more"]
                began, ended = (row[t].timestamp() - self.begun.wall_ns / SECOND - 10 for t in ("t0", "t1"))
                ends = began - row["before_us"] / 1e6, ended + row["after_us"] / 1e6
                found.add((row["server"], *map(round, ends)))
        return found

    def exact(self):
        """Whether all that was moved since the first cycle is told, to the byte."""
        told = {key: value for key, value in self.usage().items() if value != (0, 0)}
        return told == {key: (value, value) for key, value in self.nas.truth.items() if value}

    @property
    def last(self):
        return self.frames[-1].batches[0]
