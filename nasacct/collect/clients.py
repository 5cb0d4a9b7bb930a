"""The source `clients`: what each client moved over TCP to and from each server, connection by connection.

All connections of a server are listed when it has accepted one since the last list; else only the known ones are
asked, and of no server whose link stands still. A list walks the kernel's whole table, so a cycle makes no more of them
than it has time for, first those that have waited longest. A connection that is found late counts from its beginning
all the same. Which servers have something to tell of ends, one call of epoll says.

One that has come and gone without being listed is known by its end alone: its bytes are added to what such connections
of this client have moved since the run first saw the server. So thousands of them are one subject, not thousands.
"""

from __future__ import annotations

import secrets
import select
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from nasacct.collect.changes import Changes
from nasacct.store.frame import Batch, Subject
from nasacct.store.schema import CLIENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nasacct.collect.connections import Connection, Connections
    from nasacct.collect.machine import Listing, Machine, Server
    from nasacct.store.frame import Instant, Rows

#: How long ago all of a server's connections may have been known at most where all are.
OLD_NS = 300 * 10**9
#: CPU time after which a cycle begins no second list.
LISTS_NS = 30_000_000
#: How long last readings wait for a cycle that reads.
PATIENCE_S = 0.5
_AWAITED = "it is gone; its last bytes are awaited"
#: What a connection, or all that were never listed, has received and sent.
_Moved = tuple[int, int]


@dataclass(slots=True, eq=False)
class _Live:
    """A connection that was listed; `waited`: its end was awaited a cycle long."""

    connection: Connection
    subject: Subject
    waited: bool = False

    @property
    def moved(self) -> _Moved:
        return self.connection.received, self.connection.sent


@dataclass(slots=True, eq=False)
class _Unlisted:
    """What connections of one client have moved that were never listed."""

    subject: Subject
    moved: _Moved = (0, 0)


@dataclass(slots=True, eq=False)
class _Server:
    """One server: who is connected by cookie, who came and went by address.

    All connections were known at `listed_at`, when it had accepted so many (`opens`) and its link had moved so much
    (`listed`; `looked`: when it was last looked at). Those in `gone` have ended without a word. Until it is `settled`,
    ends that are told may be of before; those of a server that was not there when all were listed are not.
    """

    server: Server
    connections: Connections
    listed_at: Instant | None = None
    opens: int | None = None
    listed: _Moved | None = None
    looked: _Moved | None = None
    live: dict[int, _Live] = field(default_factory=dict)
    unlisted: dict[str, _Unlisted] = field(default_factory=dict)
    gone: set[int] = field(default_factory=set)
    settled: bool = False
    lost: bool = False
    trouble: str = ""


class Clients:
    """Reads the connections of every server, and hands out the rows that changed.

    `admit` gives a new subject its sid, `ids` an address its id.
    """

    name = "clients"
    streams = (CLIENTS.name,)
    #: A listing of all of them is made of lists that may be so old.
    listed_within_ns = OLD_NS

    def __init__(self, admit: Callable[[Subject], int], ids: Callable[[str], str]) -> None:
        self._admit, self._ids = admit, ids
        self._run = secrets.token_hex(4)
        self._lock = threading.Lock()
        self._servers: dict[str, _Server] = {}
        self._ended: set[str] = set()
        # whether all servers were listed before: who is new then is new
        self._listed = False
        self._changes = Changes(CLIENTS)
        # a descriptor that is closed leaves it by itself
        self._told = select.epoll()
        self._patience_s = PATIENCE_S

    def read(self, machine: Machine, listing: Listing) -> Batch:
        """Read every server whose link has moved. What fails for one is in `Batch.failed`, and in the note."""
        began, cpu = time.perf_counter_ns(), time.thread_time_ns()
        with self._lock:
            batch = self._read(machine, listing)
            self._patience_s = PATIENCE_S
        batch.took_us = (time.perf_counter_ns() - began) // 1000
        batch.cpu_us = (time.thread_time_ns() - cpu) // 1000
        return batch

    def ends(self, machine: Machine) -> Batch | None:
        """The last readings of listed connections that have ended; None when there are none.

        To be asked before each cycle, to which it tells what was never listed.
        """
        if not self._held():
            return None
        try:
            at = machine.now()
            ready = {number for number, _ in self._told.poll(0)}
            return self._last(at, [live for server in self._telling(ready) for live in self._drain(server)])
        finally:
            self._lock.release()

    def final(self, machine: Machine, server: Server) -> Batch | None:
        """The last readings of an ending server's clients; None for one of which nothing is known."""
        if not self._held():
            return None
        try:
            self._ended.add(server.epoch)
            known = self._servers.pop(server.epoch, None)
            if known is None:
                return None
            at = machine.now()
            ended: list[_Live | _Unlisted] = [*self._drain(known)]
            try:
                self._list(known, at)
            except OSError:
                # what was read of them before stands
                lost = list(known.live.values())
            else:
                lost = [live for live in known.live.values() if live.waited]
            known.connections.close()
            ended += [live for live in known.live.values() if live not in lost]
            return self._last(at, [*ended, *known.unlisted.values()], lost)
        finally:
            self._lock.release()

    def _telling(self, ready: set[int]) -> list[_Server]:
        """The servers that have something to tell of ends, and those of which nothing is counted yet."""
        return [
            known
            for known in self._servers.values()
            if not known.settled or known.connections.told or known.connections.fileno() in ready
        ]

    def _held(self) -> bool:
        """Take the lock; False when a cycle hangs, for which nobody waits twice."""
        held = self._lock.acquire(timeout=self._patience_s)
        if not held:
            self._patience_s = 0
        return held

    def close(self) -> None:
        """Let all namespaces go."""
        with self._lock:
            for server in self._servers.values():
                server.connections.close()
            self._servers.clear()
            self._told.close()

    def _read(self, machine: Machine, listing: Listing) -> Batch:
        at = machine.now()
        links = self._moved(machine)
        listed: list[Subject] = []
        batch = Batch(self.name, at, listed, complete=listing.complete_at(at))
        read: list[_Live | _Unlisted] = []
        troubled: list[str] = []
        lists, until = 0, time.thread_time_ns() + LISTS_NS
        for server in sorted(listing.servers, key=self._waited):
            if server.epoch in self._ended:
                continue
            known = self._servers.get(server.epoch)
            moved = links.get(server.link or "")
            try:
                if known is None:
                    connections = machine.connections(server)
                    known = self._servers[server.epoch] = _Server(server, connections, settled=self._listed)
                    self._told.register(known.connections, select.EPOLLIN)
                lists += self._look(known, at, moved, may_list=not lists or time.thread_time_ns() < until)
                known.trouble = ""
            except OSError as err:
                batch.complete = False
                troubled.append(f"{server.name}: {err.strerror or err}")
                if known is None:
                    continue
                known.trouble = str(err)
            batch.complete &= known.listed_at is not None and at.boot_ns - known.listed_at.boot_ns <= OLD_NS
            read += self._tell(known, batch)
            if known.lost:
                known.lost = False
                troubled.append(f"{server.name}: ends of connections were lost")
        batch.rows = self._rows(read)
        batch.note = "; ".join([*troubled[:5], *(["..."] if len(troubled) > 5 else [])])
        if listing.complete:
            self._listed = True
            there = {server.epoch for server in listing.servers}
            self._ended &= there
            for epoch in self._servers.keys() - there:
                # its end was not told: it must not be kept alive by who looks at it
                known = self._servers.pop(epoch)
                known.connections.close()
                self._forget([*known.live.values(), *known.unlisted.values()])
        return batch

    def _moved(self, machine: Machine) -> dict[str, _Moved]:
        """What has gone over each interface, by name."""
        counters = machine.links()
        return dict(zip(counters.names, map(tuple, counters.values[:, :2].tolist()), strict=True))

    def _waited(self, server: Server) -> int:
        """When a server was listed last; those that never were come first."""
        known = self._servers.get(server.epoch)
        return known.listed_at.boot_ns if known is not None and known.listed_at is not None else 0

    def _look(self, known: _Server, at: Instant, link: _Moved | None, *, may_list: bool) -> bool:
        """Look at one server as far as it is needed; whether all was listed. Raises OSError."""
        sure = known.listed_at is not None and not known.trouble
        if not sure or link is None or link != known.listed:
            # before the list: who comes meanwhile is looked for again
            opens = known.connections.opens()
            sure &= opens == known.opens
            if not sure and may_list:
                self._list(known, at)
                known.opens, known.listed, known.looked = opens, link, link
                return True
        if sure:
            # nobody can have come
            known.listed_at, known.listed = at, link
        if link is None or link != known.looked:
            self._again(known)
            known.looked = link
        return False

    def _list(self, known: _Server, at: Instant) -> None:
        """List all connections of a server. Raises OSError."""
        found = {connection.cookie: connection for connection in known.connections.all()}
        for cookie, connection in found.items():
            live = known.live.get(cookie)
            if live is not None:
                live.connection, live.waited = connection, False
            elif cookie not in known.gone:
                which = str(connection.cookie)
                known.live[cookie] = _Live(connection, self._subject(known, connection.client, which))
        for cookie in known.live.keys() - found.keys():
            self._missed(known, cookie)
        known.listed_at = at

    def _again(self, known: _Server) -> None:
        """Ask for those that are known. Raises OSError."""
        for cookie, live in list(known.live.items()):
            now = known.connections.again(live.connection)
            if now is None:
                self._missed(known, cookie)
            else:
                live.connection, live.waited = now, False

    def _missed(self, known: _Server, cookie: int) -> None:
        """Await the end of a connection that is gone, the second time no more."""
        if known.live[cookie].waited:
            self._forget([known.live.pop(cookie)])
            known.gone.add(cookie)
        else:
            known.live[cookie].waited = True

    def _subject(self, known: _Server, address: str, which: str) -> Subject:
        """Admit a client's connection, or its unlisted ones, which were not there when all were listed last."""
        about: dict[str, str | int | None] = {"address": address}
        if known.listed_at is not None:
            about["absent_boot_ns"] = known.listed_at.boot_ns
        keys = {"server": known.server.name, "client": self._ids(address)}
        subject = Subject(self.name, keys, f"{known.server.epoch}/{which}", about=about)
        subject.sid = self._admit(subject)
        return subject

    def _drain(self, known: _Server) -> list[_Live]:
        """The listed connections of a server that have ended; the others are added to what was never listed."""
        ended: list[_Live] = []
        try:
            found, lost = known.connections.ended()
        except OSError as err:
            known.trouble = str(err)
            return ended
        known.lost |= lost
        for connection in found:
            live = known.live.pop(connection.cookie, None)
            if live is not None:
                live.connection = connection
                ended.append(live)
            elif connection.cookie in known.gone:
                known.gone.remove(connection.cookie)
            elif known.settled:
                self._add(known, connection)
        known.settled |= known.listed_at is not None
        return ended

    def _add(self, known: _Server, connection: Connection) -> None:
        address = connection.client
        unlisted = known.unlisted.get(address)
        if unlisted is None:
            subject = self._subject(known, address, f"unlisted-{self._run}-{self._ids(address)}")
            unlisted = known.unlisted[address] = _Unlisted(subject)
        received, sent = unlisted.moved
        unlisted.moved = received + connection.received, sent + connection.sent

    def _tell(self, known: _Server, batch: Batch) -> list[_Live | _Unlisted]:
        """List everything of a server, and give back what could be read of it."""
        assert batch.listed is not None
        read = []
        each: list[_Live | _Unlisted] = [*known.live.values(), *known.unlisted.values()]
        for one in each:
            batch.listed.append(one.subject)
            if isinstance(one, _Live) and (one.waited or known.trouble):
                batch.failed[one.subject] = known.trouble or _AWAITED
            else:
                read.append(one)
        return read

    def _last(self, at: Instant, ended: Sequence[_Live | _Unlisted], lost: Sequence[_Live] = ()) -> Batch | None:
        """These as last readings; the last bytes of the `lost` ones nobody knows."""
        if not ended and not lost:
            return None
        batch = Batch(self.name, at, None, ended=[one.subject for one in (*ended, *lost)])
        batch.rows = self._rows(ended, final=True)
        self._forget([*ended, *lost])
        return batch

    def _rows(self, each: Sequence[_Live | _Unlisted], *, final: bool = False) -> dict[str, Rows]:
        values = np.array([one.moved for one in each], np.int64).reshape(-1, CLIENTS.width)
        return self._changes.rows([one.subject for one in each], values, final=final)

    def _forget(self, each: Sequence[_Live | _Unlisted]) -> None:
        for one in each:
            self._changes.forget(one.subject)
