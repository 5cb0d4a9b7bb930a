"""What a collector and a recorder have in common: a machine, a watch beside it, and the order in which both are heard.

An end is handled before the listing that lacks who ended, and at a server's end everything is read once more: its link
lives a moment longer than its namespace and still shows what the server sent last.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

from nasacct.collect.watch import LinkEnded, ServerEnded, ServersChanged, Watch

if TYPE_CHECKING:
    from nasacct.collect.live import Live
    from nasacct.collect.machine import Listing, Server
    from nasacct.config import Config

log = logging.getLogger(__name__)

#: Servers are listed anew this often even when nothing was heard of a change.
RELIST_NS = 60 * 10**9


class Observer(ABC):
    """Calls `cycle` at every `tick`, and `server_ended` and `link_ended` when that happens.

    `changed` is to be called when `watch` has something to tell. Leaving the context gives up all descriptors.
    """

    def __init__(self, config: Config, machine: Live) -> None:
        self.machine = machine
        self.watch = Watch(config.servers.exportfs)
        self._listing: Listing | None = None

    @abstractmethod
    def cycle(self, listing: Listing) -> None:
        """Read everything once."""

    @abstractmethod
    def server_ended(self, server: Server) -> None:
        """Read the server a last time."""

    @abstractmethod
    def link_ended(self, event: LinkEnded) -> None:
        """Take the last counters of a link."""

    @property
    def count(self) -> int:
        """How many servers live."""
        return len(self._listing.servers) if self._listing else 0

    @property
    def notes(self) -> list[str]:
        """What the last listing could not read, in sentences."""
        return list(self._listing.notes) if self._listing else []

    def tick(self) -> None:
        """One cycle."""
        self.changed()
        if self._listing is None or not self._listing.complete or self._old(self._listing):
            self._list()
            # who died before this listing is told of now, and must have its last reading before it counts as gone
            self.changed()
        assert self._listing is not None
        self.cycle(self._listing)

    def changed(self) -> None:
        """Take what the watch has: last readings of what ended, a new listing when servers came or went."""
        while self._hear():
            self._list()

    def _hear(self) -> bool:
        """Handle the events that wait; whether servers must be listed anew."""
        relist, ended = False, False
        for event in self.watch.poll(0):
            if isinstance(event, ServerEnded):
                self.server_ended(event.server)
                relist = ended = True
            elif isinstance(event, LinkEnded):
                self.link_ended(event)
            elif isinstance(event, ServersChanged):
                relist = True
        if ended and self._listing is not None:
            self.cycle(self._listing)
        return relist

    def _old(self, listing: Listing) -> bool:
        """Whether servers may have come, unheard of, since it was begun; by the clock that goes on in suspend."""
        return listing.begun_ns is None or self.machine.now().boot_ns - listing.begun_ns > RELIST_NS

    def _list(self) -> None:
        before = set(self.notes)
        listing = self.machine.servers()
        for note in listing.notes:
            if note not in before:
                log.warning("%s", note)
        self.watch.servers(listing.servers)
        self._listing = listing

    def close(self) -> None:
        """Give up the descriptors."""
        self.watch.close()
        self.machine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
