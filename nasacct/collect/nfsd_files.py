"""The servers' nfsd files, each read once a cycle for all who need something of what stands in them.

Nobody asks a server anything but over its link. Where nothing has gone over that since its file was read, the file says
the same, and need not be read: a thousand that are idle cost nothing. Each is read all the same after a minute or two,
should one be asked in a way that passes no link.
"""

from __future__ import annotations

import threading
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from nasacct.collect.machine import Listing, Machine, Moved, Server
    from nasacct.store.frame import Instant

    #: A link's epoch, and what has gone over it.
    _Link = tuple[str, Moved]

#: The file of the first network namespace. Kernels that do not count by namespace have only this one.
HOST_FILE = "proc/net/rpc/nfsd"
#: A file is read after so long and at most twice as long, whatever its server's link says.
LEAST_OFTEN_S = 60


class SupersededError(RuntimeError):
    """A reading that hung came back after another had begun; what it brought is dropped."""


@dataclass(frozen=True, slots=True, eq=False)
class NfsdCycle:
    """One reading of all servers: by their epochs, the texts, and why others have none.

    `span_ns` is the time between the first reading and the last (0 in a recording, whose clock stands still).
    `kept` are those whose texts are of an earlier reading, for nothing has gone over their links since.
    """

    at: Instant
    servers: Mapping[str, Server]
    texts: Mapping[str, bytes]
    failed: Mapping[str, str] = field(default_factory=dict)
    span_ns: int = 0
    host_text: bytes | None = None
    kept: frozenset[str] = frozenset()

    @property
    def read(self) -> list[bytes]:
        """The texts of this reading, in the order in which they were read."""
        return [text for epoch, text in self.texts.items() if epoch not in self.kept]


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    """A text, when it was read (CLOCK_BOOTTIME), and what had gone over the server's link before that."""

    text: bytes
    read_ns: int
    link: _Link

    def holds(self, epoch: str, link: _Link | None, now_ns: int) -> bool:
        """Whether it would be read alike now."""
        # not all after the same time, or all would be read in one cycle
        most_ns = (LEAST_OFTEN_S + zlib.crc32(epoch.encode()) % LEAST_OFTEN_S) * 1_000_000_000
        return link == self.link and now_ns - self.read_ns < most_ns


def reason(error: OSError) -> str:
    """Why a server's file gave nothing, as a sentence."""
    return f"its nfsd file cannot be read: {error.strerror or error}"


class NfsdFiles:
    """Reads the files. `reading` is the server whose file is being read right now."""

    def __init__(self) -> None:
        self.reading: Server | None = None
        self._run: object = None
        self._published = threading.Condition()
        self._cycle: NfsdCycle | None = None
        self._kept: dict[str, _Kept] = {}
        self._done_ns = 0

    def read(
        self, machine: Machine, listing: Listing, skip: Collection[str], *, host: bool, keep: bool = False
    ) -> NfsdCycle:
        """Read every listed server but those of the epochs in `skip`, and then the host's own file if asked to.

        With `keep`, those are not read over whose links nothing has gone, but for one.
        Raises SupersededError when another reading was begun meanwhile.
        """
        run = self._run = object()
        at, links = _links(machine, self._done_ns) if keep else (machine.now(), {})
        texts: dict[str, bytes] = {}
        failed: dict[str, str] = {}
        kept: dict[str, _Kept] = {}
        same: set[str] = set()
        for server in listing.servers:
            link, before = links.get(server.link or ""), self._kept.get(server.epoch)
            # the last one is always read: what counts the whole host stands in any
            if (
                before is not None
                and server is not listing.servers[-1]
                and before.holds(server.epoch, link, at.boot_ns)
            ):
                texts[server.epoch], kept[server.epoch] = before.text, before
                same.add(server.epoch)
                continue
            if server.epoch in skip:
                failed[server.epoch] = "its nfsd file is still being read since an earlier cycle"
                continue
            self.reading = server
            try:
                text = machine.nfsd(server)
            except OSError as error:
                failed[server.epoch] = reason(error)
            else:
                texts[server.epoch] = text
                if link is not None:
                    kept[server.epoch] = _Kept(text, at.boot_ns, link)
            if self._run is not run:
                raise SupersededError(server.name)
        self.reading, self._kept, self._done_ns = None, kept, machine.now().boot_ns
        span_ns = self._done_ns - at.boot_ns
        host_text = _host_text(machine) if host and listing.servers else None
        return NfsdCycle(at, {s.epoch: s for s in listing.servers}, texts, failed, span_ns, host_text, frozenset(same))

    def publish(self, cycle: NfsdCycle) -> None:
        """Let those have it who wait in `next`."""
        with self._published:
            self._cycle = cycle
            self._published.notify_all()

    def next(self, last: NfsdCycle | None, patience_s: float) -> NfsdCycle | None:
        """The newest reading once it is another than `last`; None when none comes in so many seconds."""
        with self._published:
            self._published.wait_for(lambda: self._cycle is not last, patience_s)
            return self._cycle if self._cycle is not last else None


def _links(machine: Machine, since_ns: int) -> tuple[Instant, dict[str, _Link]]:
    """What has gone over each link by name, and by when; nothing where that cannot be had.

    All is as of the dump, which may be another source's: who has been asked since is read in the next cycle.
    """
    try:
        dump = machine.links(since_ns)
    except OSError:
        return machine.now(), {}
    moved = dump.moved()
    return dump.at, {name: (epoch, moved[name]) for name, epoch in zip(dump.names, dump.epochs, strict=True)}


def _host_text(machine: Machine) -> bytes | None:
    try:
        return machine.file(HOST_FILE)
    except OSError:
        return None
