"""One life of the collector on the simulated machine: its own sampler, sources and writer, until it is killed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from faults.truth import LINK

from nasacct.collect import observer
from nasacct.collect.collector import Collector
from nasacct.collect.daemon import recover
from nasacct.collect.links import Links
from nasacct.collect.nfsd import Nfsd
from nasacct.collect.sampler import Sampler
from nasacct.collect.sources import Finals
from nasacct.store import journal
from nasacct.store.journal_writer import JournalWriter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from faults.disk import Disk
    from faults.truth import Host

    from nasacct.collect.machine import Listing
    from nasacct.store.frame import Frame
    from nasacct.store.standing import Standing

INTERVAL_S = 10
#: So few bytes wait for the disk that a dozen frames become fewer.
RING = 12_000


class Simulated(Collector):
    """The collector as it is, but for the machine and the watch, which are simulated."""

    def __init__(self, host: Host, take, standing: Standing, saw: Callable[[Listing], None]) -> None:
        self.machine, self.watch, self.take, self.saw = host, host.watch, take, saw
        self._listing = None
        self.meanwhile: Callable[[], None] | None = None
        self.sampler = Sampler(host, standing, lambda admit: [Nfsd(admit), Links(admit)], deadline_s=60)
        self._finals = Finals(self.sampler)

    def cycle(self, listing: Listing) -> None:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        super().cycle(listing)
        self.saw(listing)

    def close(self) -> None:
        self.sampler.end()


class Run:
    """From a start of the collector to its end; `saw` is told of the listing of each cycle."""

    def __init__(
        self, host: Host, disk: Disk, folder: Path, run: str, *, minutes: int, saw: Callable[[Listing], None]
    ) -> None:
        self.host, self.disk, self.folder = host, disk, folder
        standing, number = recover(folder)
        origin = journal.Origin(host.node, host.boot_id, run, host.kernel, "0", INTERVAL_S * 10**9, LINK)
        self.writer = JournalWriter(folder, origin, standing, number=number, file_s=minutes * 60, ring_bytes=RING)
        self.collector = Simulated(host, self._put, standing, saw)

    def tick(self) -> None:
        """One cycle, and what the watch told before it."""
        self.collector.tick()

    def heard(self) -> None:
        """What the watch has is taken at once, as it happens."""
        self.collector.changed()

    def _put(self, frame: Frame) -> None:
        self.writer.put(frame)
        self.disk.settle(self.writer)

    def list_anew(self) -> None:
        """As after a minute in which nothing was heard."""
        listing = self.collector._listing
        if listing is not None:
            long_ago = self.host.now().boot_ns - 2 * observer.RELIST_NS
            self.collector._listing = replace(listing, begun_ns=long_ago)

    def stop(self) -> None:
        """An orderly end: a last cycle, and everything on the disk."""
        self.collector.tick()
        assert self.writer.close(10)
        self.collector.close()

    def kill(self) -> None:
        """The process is gone, wherever it was; what waited in memory is lost."""
        self.disk.becomes("dead")
        with self.writer._changed:
            self.writer._closing = True
            self.writer._changed.notify_all()
        self.writer._thread.join()
        if self.writer._fd is not None:
            journal_fd, self.writer._fd = self.writer._fd, None
            self.disk.close(journal_fd)
        self.collector.close()
        self.disk.becomes("sound")
        self.disk.fuse = None
