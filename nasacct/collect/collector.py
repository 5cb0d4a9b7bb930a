"""The collector between two ticks of the clock: what the observer sees becomes frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nasacct.collect.observer import Observer
from nasacct.collect.sampler import Sampler
from nasacct.collect.sources import Finals, build
from nasacct.store.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Callable

    from nasacct.collect.events import LinkEnded
    from nasacct.collect.live import Live
    from nasacct.collect.machine import Listing, Server
    from nasacct.config import Config
    from nasacct.store.frame import Frame


class Collector(Observer):
    """Gives a frame to `take` at every tick and whenever something ended.

    `standing` is what stood when the last run ended.
    """

    def __init__(
        self, config: Config, machine: Live, take: Callable[[Frame], None], standing: Standing | None = None
    ) -> None:
        super().__init__(config, machine)
        self.take = take
        self.sampler = Sampler(
            machine,
            standing or Standing(),
            lambda admit: build(admit, config),
            deadline_s=config.sources.deadline_ms / 1000,
            share=config.sources.budget_percent / 100,
        )
        self._finals = Finals(self.sampler)

    def cycle(self, listing: Listing) -> None:
        """All sources, one frame; before it, what ended by itself."""
        self._hand_over(self._finals.between())
        self.take(self.sampler.cycle(listing))

    def server_ended(self, server: Server) -> None:
        """A frame of the server's last readings."""
        self._hand_over(self._finals.server(server))

    def link_ended(self, event: LinkEnded) -> None:
        """A frame of the link's last counters."""
        self._hand_over(self._finals.link(event))

    def _list(self) -> None:
        """Who comes to a new server before the next cycle is heard."""
        super()._list()
        assert self._listing is not None
        self._finals.meet(self._listing)

    def close(self) -> None:
        """Give up threads and descriptors."""
        self.sampler.end()
        self._finals.close()
        super().close()

    def _hand_over(self, frame: Frame | None) -> None:
        if frame is not None:
            self.take(frame)
