"""The source `clients`: what each client moved over TCP to and from each server, connection by connection.

A cycle makes no more lists of a server's connections than it has time for (`connected.py`), first those that have
waited longest. A connection that is found late counts from its beginning all the same. Which servers have something to
tell of ends, one call of epoll says.
"""

from __future__ import annotations

import contextlib
import secrets
import select
import threading
import time
from typing import TYPE_CHECKING

import numpy as np

from nasacct.collect.changes import Changes
from nasacct.collect.connected import Connected, Live, Unlisted
from nasacct.store.frame import Batch, Subject
from nasacct.store.schema import CLIENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nasacct.collect.machine import Listing, Machine, Server
    from nasacct.store.frame import Instant, Rows

#: How long ago all of a server's connections may have been known at most where all are.
OLD_NS = 300 * 10**9
#: CPU time after which a cycle begins no second list.
LISTS_NS = 30_000_000
#: How long before a listing of all the ends of all connections were heard at the latest: just before that cycle.
HEARD_NS = 2 * 10**9
#: How long last readings wait for a cycle that reads.
PATIENCE_S = 0.5
_AWAITED = "it is gone; its last bytes are awaited"


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
        self._servers: dict[str, Connected] = {}
        self._ended: set[str] = set()
        # whether all servers were listed before, and when last; which were there before they were: the others are new
        self._listed = False
        self._old: set[str] = set()
        self._listed_ns: int | None = None
        # when it was last done with something: no older dump of links says who has moved since
        self._done_ns = 0
        # up to when the ends of all were heard, and how many doubts there were
        self._heard_ns = self._doubts = 0
        self._changes = Changes(CLIENTS)
        # a descriptor that is closed leaves it by itself
        self._told = select.epoll()
        self._patience_s = PATIENCE_S

    def read(self, machine: Machine, listing: Listing) -> Batch:
        """Read every server whose link has moved. What fails for one is in `Batch.failed`, and in the note."""
        with self._lock:
            batch = self._read(machine, listing)
            self._patience_s = PATIENCE_S
            self._done_ns = machine.now().boot_ns
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
            ended: list[Live | Unlisted] = []
            doubts: list[Subject] = []
            for server in self._telling(ready):
                ended += server.drain(at, self._heard_ns)
                doubts += server.doubts()
            self._heard_ns = at.boot_ns
            return self._last(at, ended, doubts)
        finally:
            self._let_go(machine)

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
            return self._last(at, *known.end(at, self._heard_ns))
        finally:
            self._let_go(machine)

    def meet(self, machine: Machine, listing: Listing) -> None:
        """Listen to what is new in a listing at once: who comes and goes before the next cycle is heard then.

        What fails is tried again, and told, by the next `read`.
        """
        if not self._held():
            return
        try:
            at = machine.now()
            for server in listing.servers:
                if self._listed and not (self._servers.keys() | self._ended) & {server.epoch}:
                    with contextlib.suppress(OSError):
                        self._meet(machine, server, at)
        finally:
            self._let_go(machine)

    def _meet(self, machine: Machine, server: Server, at: Instant) -> Connected:
        """Begin to listen to a server. Raises OSError."""
        new = self._listed and server.epoch not in self._old
        born = server.about.get("born_boot_ns")
        absent_ns = max(born if isinstance(born, int) else 0, self._listed_ns or 0) if new else None
        known = Connected(
            server, machine.connections(server), self._subject, at, new=new, absent_boot_ns=absent_ns or None
        )
        self._servers[server.epoch] = known
        self._told.register(known.connections, select.EPOLLIN)
        return known

    def _telling(self, ready: set[int]) -> list[Connected]:
        """The servers that have something to tell of ends, and those of which nothing is counted yet."""
        return [known for known in self._servers.values() if known.tells(ready)]

    def _held(self) -> bool:
        """Take the lock; False when a cycle hangs, for which nobody waits twice."""
        held = self._lock.acquire(timeout=self._patience_s)
        if not held:
            self._patience_s = 0
        return held

    def _let_go(self, machine: Machine) -> None:
        self._done_ns = machine.now().boot_ns
        self._lock.release()

    def close(self) -> None:
        """Let all namespaces go."""
        with self._lock:
            for server in self._servers.values():
                server.close()
            self._servers.clear()
            self._told.close()

    def _read(self, machine: Machine, listing: Listing) -> Batch:
        dump = machine.links(self._done_ns)
        # all of it is as of the dump: who has not moved by then is not asked
        at, links = dump.at, dump.moved()
        listed: list[Subject] = []
        batch = Batch(self.name, at, listed, complete=listing.complete_at(at))
        read: list[Live | Unlisted] = []
        troubled: list[str] = []
        lists, until = 0, time.thread_time_ns() + LISTS_NS
        if not self._listed:
            self._old |= {server.epoch for server in listing.servers}
        for server in sorted(listing.servers, key=self._waited):
            if server.epoch in self._ended:
                continue
            known = self._servers.get(server.epoch)
            moved = links.get(server.link or "")
            try:
                if known is None:
                    known = self._meet(machine, server, at)
                lists += known.look(at, moved, may_list=not lists or time.thread_time_ns() < until)
                known.trouble = ""
            except OSError as err:
                batch.complete = False
                troubled.append(f"{server.name}: {err.strerror or err}")
                if known is None:
                    continue
                known.trouble = str(err)
            batch.complete &= known.listed_at is not None and at.boot_ns - known.listed_at.boot_ns <= OLD_NS
            self._forget(known.given_up())
            batch.ended += known.doubts()
            read += self._tell(known, batch)
            if known.lost:
                known.lost = False
                troubled.append(f"{server.name}: ends of connections were lost")
        batch.rows = self._rows(read)
        batch.note = "; ".join([*troubled[:5], *(["..."] if len(troubled) > 5 else [])])
        if listing.complete:
            self._listed, self._listed_ns = True, listing.begun_ns
            there = {server.epoch for server in listing.servers}
            self._ended &= there
            self._old &= there
            for epoch in self._servers.keys() - there:
                # its end was not told: it must not be kept alive by who looks at it
                known = self._servers.pop(epoch)
                batch.ended += known.vanish()
                self._forget(known.subjects())
        return batch

    def _waited(self, server: Server) -> int:
        """When a server was listed last; those that never were come first."""
        known = self._servers.get(server.epoch)
        return known.listed_at.boot_ns if known is not None and known.listed_at is not None else 0

    def _subject(self, server: Server, address: str | None, which: str | None, absent_boot_ns: int | None) -> Subject:
        """Admit a client's connection, its unlisted ones, or what may have been anybody's."""
        client = None if address is None else self._ids(address)
        if client is None:
            self._doubts += 1
            which = f"unseen-{self._run}-{self._doubts}"
        about: dict[str, str | int | None] = {} if address is None else {"address": address}
        if absent_boot_ns is not None:
            about["absent_boot_ns"] = absent_boot_ns
        elif address is None:
            about["listed_within_ns"] = HEARD_NS
        epoch = f"{server.epoch}/{which or f'unlisted-{self._run}-{client}'}"
        subject = Subject(self.name, {"server": server.name, "client": client}, epoch, about=about)
        subject.sid = self._admit(subject)
        return subject

    def _tell(self, known: Connected, batch: Batch) -> list[Live | Unlisted]:
        """List everything of a server, and give back what could be read of it."""
        assert batch.listed is not None
        read = []
        each: list[Live | Unlisted] = [*known.live.values(), *known.unlisted.values()]
        for one in each:
            batch.listed.append(one.subject)
            if isinstance(one, Live) and (one.gone_ns is not None or known.trouble):
                batch.failed[one.subject] = known.trouble or _AWAITED
            else:
                read.append(one)
        return read

    def _last(self, at: Instant, ended: Sequence[Live | Unlisted], lost: Sequence[Subject]) -> Batch | None:
        """These as last readings; the last bytes of the `lost` ones nobody knows."""
        if not ended and not lost:
            return None
        batch = Batch(self.name, at, None, ended=[*(one.subject for one in ended), *lost])
        batch.rows = self._rows(ended, final=True)
        self._forget(batch.ended)
        return batch

    def _rows(self, each: Sequence[Live | Unlisted], *, final: bool = False) -> dict[str, Rows]:
        values = np.array([one.moved for one in each], np.int64).reshape(-1, CLIENTS.width)
        return self._changes.rows([one.subject for one in each], values, final=final)

    def _forget(self, each: Sequence[Subject]) -> None:
        for subject in each:
            self._changes.forget(subject)
