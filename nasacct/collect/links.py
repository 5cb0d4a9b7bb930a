"""The source `links`: what went over each server's interface, and over the host's uplinks.

A server's link is read at the host's end of its veth, which counts the other way round: what the host sent, the
server received. Uplinks (server NULL) are the host's own view: received is what came into the NAS.

Every interface of the host is admitted in the first dump that shows it, even when nobody knows yet whose it is: one
that turns out to be a server's later began when it began. It then becomes a second subject of the same epoch, with
the server among its keys. Whom a link was given to it stays with, for as long as it lives.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from nasacct.store.frame import ABSENT, Batch, Rows, Subject
from nasacct.store.schema import LINKS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from numpy.typing import NDArray

    from nasacct.collect.events import LinkEnded
    from nasacct.collect.machine import LinkCounters, Listing, Machine, Server
    from nasacct.store.frame import Instant

#: The measures of schema.LINKS among machine.LINK_COLUMNS, where received is what the other end sent.
_OTHER_END = np.array([1, 0, 3, 2, 5, 4, 7, 6])
_AWAITED = "it is gone; its last counters are awaited"


class _Link:
    """One interface in one life. `read`: its rows are wanted. `turned`: the server is at the other end."""

    __slots__ = ("epoch", "name", "physical", "read", "subject", "turned", "waited")
    subject: Subject

    def __init__(self, name: str, epoch: str, *, physical: bool) -> None:
        self.name, self.epoch, self.physical = name, epoch, physical
        self.read = self.turned = self.waited = False


class Links:
    """Reads all links in one dump and hands out the rows that changed.

    `admit` gives a new subject its sid. `uplinks` are the interfaces to record without a server; without any, those
    with hardware behind them (/sys/class/net/<name>/device) and bonds, which count what their members do once more.
    """

    name = "links"
    streams = (LINKS.name,)

    def __init__(self, admit: Callable[[Subject], int], uplinks: Collection[str] = ()) -> None:
        self._admit, self._uplinks = admit, frozenset(uplinks)
        self._lock = threading.Lock()
        self._links: dict[str, _Link] = {}
        self._ended: set[str] = set()
        self._owners: dict[str, Server] = {}
        self._listing: Listing | None = None
        self._note = ""
        self._stale = True
        # of the last dump, by its rows: whose they are, what they said (server's view), which are wanted
        self._names: list[str] = []
        self._epochs: list[str] = []
        self._last: NDArray[np.int64] = np.zeros((0, LINKS.width), np.int64)
        self._wanted: NDArray[np.bool_] = np.zeros(0, bool)
        self._turned: NDArray[np.bool_] = np.zeros(0, bool)
        self._sids: NDArray[np.int32] = np.zeros(0, np.int32)

    def read(self, machine: Machine, listing: Listing) -> Batch:
        """Read every link. Raises OSError when the dump fails as a whole."""
        at = machine.now()
        # its own dump: in an older one a name may be another link's than the listing's, and whose it is stays so
        counters = machine.links()
        with self._lock:
            if listing is not self._listing:
                self._listing, self._owners = listing, {s.link: s for s in listing.servers if s.link}
                self._stale = True
            if self._stale or counters.names != self._names or counters.epochs != self._epochs:
                self._line_up(machine, counters)
            view = np.where(self._turned[:, None], counters.values[:, _OTHER_END], counters.values)
            changed = self._wanted & (view != self._last).any(axis=1)
            self._last = view
            batch = Batch(self.name, at, [], complete=counters.complete, note=self._note)
            if changed.any():
                batch.rows[LINKS.name] = Rows(self._sids[changed], view[changed])
            self._list(counters, batch)
        return batch

    def owner(self, server: Server) -> None:
        """Tell of a server that no cycle may have seen, before the end of its link is told."""
        with self._lock:
            if server.link:
                self._owners.setdefault(server.link, server)

    def uplinks(self) -> dict[str, str]:
        """The interfaces of which the host's own view is recorded, and their epochs."""
        with self._lock:
            return {link.name: epoch for epoch, link in self._links.items() if link.read and not link.turned}

    def final(self, machine: Machine, event: LinkEnded) -> Batch | None:
        """The last reading of a link that ended, flagged final; None for one that nobody asked about."""
        epoch = event.epoch(machine.boot_id)
        with self._lock:
            link = self._links.get(epoch)
            if link is None and event.name in self._owners and epoch not in self._ended:
                # born and gone between two dumps: all that it counted is in its last message
                link = self._meet(machine, event.name, epoch)
            if link is None:
                return None
            self._give(link)
            counters = np.array(event.counters or (ABSENT,) * LINKS.width, np.int64)
            return self._end(epoch, link, event.at, counters[_OTHER_END] if link.turned else counters)

    def final_bytes(self, at: Instant, epoch: str, received: int | None, sent: int | None) -> Batch | None:
        """The same of a recorded end, where only bytes are known, as a server at the other end would count them."""
        with self._lock:
            link = self._links.get(epoch)
            if link is None:
                return None
            if not link.turned:
                received, sent = sent, received
            values = np.full(LINKS.width, ABSENT, np.int64)
            values[LINKS.index["received_bytes"]] = ABSENT if received is None else received
            values[LINKS.index["sent_bytes"]] = ABSENT if sent is None else sent
            return self._end(epoch, link, at, values)

    def _line_up(self, machine: Machine, counters: LinkCounters) -> None:
        """Bring what is known of links into the order of a dump that shows other ones than the last."""
        before = {epoch: row for row, epoch in enumerate(self._epochs)}
        self._ended &= set(counters.epochs)
        count = len(counters.names)
        last = np.full((count, LINKS.width), ABSENT, np.int64)
        for row, (name, epoch) in enumerate(zip(counters.names, counters.epochs, strict=True)):
            if epoch in self._ended:
                continue
            link = self._links.get(epoch)
            if link is None:
                self._meet(machine, name, epoch)
                continue
            link.name, link.waited = name, False
            known = before.get(epoch)
            # a link that is wanted from now on has given no row yet, so its first one is a change
            if not self._give(link) and known is not None:
                last[row] = self._last[known]
        links = [self._links.get(epoch) for epoch in counters.epochs]
        self._wanted = np.array([link is not None and link.read for link in links], bool)
        self._turned = np.array([link is not None and link.turned for link in links], bool)
        self._sids = np.array([link.subject.sid if link is not None else 0 for link in links], np.int32)
        self._last, self._names, self._epochs, self._stale = last, counters.names, counters.epochs, False
        missing = sorted(self._owners.keys() - set(counters.names))
        shown = ", ".join(f"{name} of {self._owners[name].name}" for name in missing[:5])
        self._note = f"no such interface: {shown}{', ...' if len(missing) > 5 else ''}" if missing else ""

    def _meet(self, machine: Machine, name: str, epoch: str) -> _Link:
        """Admit an interface that was not there before, under its server's name or nobody's."""
        link = self._links[epoch] = _Link(name, epoch, physical=_has(machine, hardware(name)))
        if not self._give(link):
            if self._uplinks:
                link.read = name in self._uplinks
            else:
                link.read = link.physical or _has(machine, bond(name))
            self._admit_as(link, None)
        return link

    def _give(self, link: _Link) -> bool:
        """Give a link to the server that names it, if nobody has it; whether it went to one now."""
        owner = self._owners.get(link.name)
        if owner is None or link.read:
            return False
        link.read = True
        link.turned = not link.physical and not owner.about.get("in_host")
        self._admit_as(link, owner.name)
        return True

    def _admit_as(self, link: _Link, server: str | None) -> None:
        link.subject = Subject(self.name, {"server": server, "link": link.name}, link.epoch)
        link.subject.sid = self._admit(link.subject)

    def _list(self, counters: LinkCounters, batch: Batch) -> None:
        """List who is there, and for one cycle more who was: the message of a link's end may still be on its way."""
        assert batch.listed is not None
        if len(self._links) == len(self._epochs) and not self._ended:
            batch.listed += [link.subject for link in self._links.values()]
            return
        there = set(self._epochs)
        for epoch, link in list(self._links.items()):
            if epoch not in there:
                if counters.complete and (link.waited or not link.read):
                    del self._links[epoch]
                    continue
                link.waited |= counters.complete
                batch.failed[link.subject] = _AWAITED
            batch.listed.append(link.subject)

    def _end(self, epoch: str, link: _Link, at: Instant, values: NDArray[np.int64]) -> Batch:
        del self._links[epoch]
        self._ended.add(epoch)
        # the next dump is lined up anew: its rows must not be given to who has ended
        self._stale = True
        batch = Batch(self.name, at, None, ended=[link.subject])
        if link.read and (values != ABSENT).any():
            batch.rows[LINKS.name] = Rows(np.array([link.subject.sid], np.int32), values[None, :], final=True)
        return batch


def hardware(name: str) -> str:
    """The file that an interface with hardware behind it has, without the leading slash."""
    return f"sys/class/net/{name}/device/uevent"


def bond(name: str) -> str:
    """The file that a bond has."""
    return f"sys/class/net/{name}/bonding/mode"


def _has(machine: Machine, path: str) -> bool:
    """Whether there is such a file, by the machine's own word: a recording's uplinks are its own."""
    try:
        machine.file(path)
    except OSError:
        return False
    return True
