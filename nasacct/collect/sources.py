"""The sources as the configuration wants them, and the last readings of what ends between two cycles."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from nasacct.collect import namespaces, nfsd_module
from nasacct.collect.client_ids import ClientIds
from nasacct.collect.clients import Clients
from nasacct.collect.datasets import Datasets
from nasacct.collect.diskstats import Disks
from nasacct.collect.exports import Exports
from nasacct.collect.inflight import InFlight
from nasacct.collect.inside import BY_PROCEDURE, BY_TIME, Inside
from nasacct.collect.layout import Layout
from nasacct.collect.links import Links
from nasacct.collect.local import Local
from nasacct.collect.nfsd import Nfsd
from nasacct.collect.node import Node
from nasacct.collect.places import Places
from nasacct.collect.pool_counters import Pools
from nasacct.collect.procs import Procs
from nasacct.collect.scans import Scans
from nasacct.collect.source import Closable
from nasacct.collect.space import Space
from nasacct.collect.speeds import Speeds
from nasacct.collect.threads import Threads

if TYPE_CHECKING:
    from collections.abc import Callable

    from nasacct.collect.events import LinkEnded
    from nasacct.collect.machine import Listing, Server
    from nasacct.collect.sampler import Sampler
    from nasacct.collect.source import Source
    from nasacct.config import Config
    from nasacct.store.frame import Frame, Subject


def build(admit: Callable[[Subject], int], config: Config, *, live: bool = True) -> list[Source]:
    """The enabled sources. Off a live machine nothing is asked of this one's /sys."""
    life = partial(nfsd_module.life, Path("/sys")) if live else nfsd_module.unknown
    # a stand-in for nfsd's file counts what does not pass the link
    nfsd = Nfsd(admit, life, idle=live and config.servers.counter == namespaces.COUNTER)
    links = Links(admit, config.links.uplinks)
    # links first: others wait for its dump rather than make their own
    all_sources: list[Source] = [links, nfsd, Procs(nfsd, admit, life), Disks(admit), Node(admit)]
    enabled, share = set(config.sources.enabled), config.sources.budget_percent / 100
    if live and enabled & {Clients.name, InFlight.name, Exports.name}:
        # one for all: an address has one id
        ids = ClientIds(config.root / f"node={config.node}")
        all_sources += [Clients(admit, ids), Exports(admit, ids, config.export_stats.interval_s)]
        all_sources += [InFlight(admit, ids, config.inflight, share)]
    if live:
        all_sources.append(Speeds(admit, links.uplinks))
        all_sources += [*(Inside(admit, kind) for kind in (BY_PROCEDURE, BY_TIME)), Threads(admit)]
        all_sources.append(Space(admit, config.space.interval_s, config.space.datasets))
        all_sources += [Datasets(admit, config.datasets.interval_s, share), Pools(admit, config.pools.interval_s)]
        all_sources.append(Local(admit, config.local.interval_s, share))
        all_sources += [Layout(admit, config.layout.interval_s, share), Places(admit, config.places.interval_s, share)]
        all_sources.append(Scans(admit, config.scans.interval_s, share))
    return [s for s in all_sources if s.name in enabled]


class Finals:
    """Asks the sources of a sampler for last readings, as frames."""

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler

    def server(self, server: Server) -> Frame | None:
        """The last reading of a server that is ending; None when no source knows it."""
        machine = self._sampler.machine
        for links in self._links():
            links.owner(server)
        of = Nfsd | Procs | Clients | Inside | Threads | InFlight
        asked = [s for s in self._sampler.sources if isinstance(s, of)]
        finals = [source.final(machine, server) for source in asked]
        return self._sampler.finals(finals)

    def between(self) -> Frame | None:
        """What ended by itself since the last cycle, connections and generations of histograms; None when nothing."""
        asked = [s for s in self._sampler.sources if isinstance(s, Clients | Inside | InFlight)]
        return self._sampler.finals([source.ends(self._sampler.machine) for source in asked], for_good=True)

    def meet(self, listing: Listing) -> None:
        """Listen to servers that are new at once."""
        for source in self._sampler.sources:
            if isinstance(source, Clients):
                source.meet(self._sampler.machine, listing)

    def close(self) -> None:
        """Let go what sources keep open."""
        for source in self._sampler.sources:
            if isinstance(source, Closable):
                source.close()

    def link(self, event: LinkEnded) -> Frame | None:
        """The last counters of an interface that is gone; None when it was nobody's."""
        return self._sampler.finals([links.final(self._sampler.machine, event) for links in self._links()])

    def recorded_link(self, epoch: str, received: int | None, sent: int | None) -> Frame | None:
        """The same from a recording, which has the bytes only (the server's view)."""
        at = self._sampler.machine.now()
        return self._sampler.finals([links.final_bytes(at, epoch, received, sent) for links in self._links()])

    def _links(self) -> list[Links]:
        return [s for s in self._sampler.sources if isinstance(s, Links)]
