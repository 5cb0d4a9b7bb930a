"""The collector between two ticks of the clock: the machine, the sampler over it, and the watch beside it."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Self

from nasacct.collect.sampler import Sampler
from nasacct.collect.sources import Finals, build
from nasacct.collect.watch import LinkEnded, ServerEnded, ServersChanged, Watch
from nasacct.store.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Callable

    from nasacct.collect.live import Live
    from nasacct.collect.machine import Listing
    from nasacct.config import Config
    from nasacct.store.frame import Frame

log = logging.getLogger(__name__)

#: Servers are listed anew this often even when nothing was heard of a change.
RELIST_S = 60.0


class Collector:
    """Makes frames of a machine, at every `tick` and whenever something ended, and gives them to `take`.

    `standing` is what stood when the last run ended. `close` (or leaving the context) gives up all descriptors.
    """

    def __init__(
        self, config: Config, machine: Live, take: Callable[[Frame], None], standing: Standing | None = None
    ) -> None:
        self.machine, self.take = machine, take
        self.watch = Watch(config.servers.exportfs)
        self.sampler = Sampler(
            self.machine,
            standing or Standing(),
            lambda admit: build(admit, config),
            deadline_s=config.sources.deadline_ms / 1000,
        )
        self.finals = Finals(self.sampler)
        self._listing: Listing | None = None
        self._listed_at = 0.0

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
        if self._listing is None or not self._listing.complete or time.monotonic() - self._listed_at > RELIST_S:
            self._list()
            # who died before this listing is told of now, and must have its last reading before it counts as gone
            self.changed()
        assert self._listing is not None
        self.take(self.sampler.cycle(self._listing))

    def changed(self) -> None:
        """Take what the watch has: last readings of what ended, a new listing when servers came or went."""
        while self._hear():
            self._list()

    def _hear(self) -> bool:
        """Handle the events that wait; whether servers must be listed anew."""
        relist, ended = False, False
        for event in self.watch.poll(0):
            frame: Frame | None = None
            if isinstance(event, ServerEnded):
                frame = self.finals.server(event.server)
                relist = ended = True
            elif isinstance(event, LinkEnded):
                frame = self.finals.link(event)
            elif isinstance(event, ServersChanged):
                relist = True
            if frame is not None:
                self.take(frame)
        if ended and self._listing is not None:
            # its link lives a moment longer than its namespace, whose end of it would have the last sent bytes
            self.take(self.sampler.cycle(self._listing))
        return relist

    def _list(self) -> None:
        before = set(self.notes)
        listing = self.machine.servers()
        for note in listing.notes:
            if note not in before:
                log.warning("%s", note)
        self.watch.servers(listing.servers)
        self._listing, self._listed_at = listing, time.monotonic()

    def close(self) -> None:
        """Give up threads and descriptors."""
        self.sampler.end()
        self.watch.close()
        self.machine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
