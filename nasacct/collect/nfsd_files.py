"""The servers' nfsd files, each read once a cycle for all who need something of what stands in them."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from nasacct.collect.machine import Listing, Machine, Server
    from nasacct.store.frame import Instant

#: The file of the first network namespace. Kernels that do not count by namespace have only this one.
HOST_FILE = "proc/net/rpc/nfsd"


class SupersededError(RuntimeError):
    """A reading that hung came back after another had begun; what it brought is dropped."""


@dataclass(frozen=True, slots=True, eq=False)
class NfsdCycle:
    """One reading of all servers: by their epochs, the texts, and why others have none.

    `span_ns` is the time between the first reading and the last (0 in a recording, whose clock stands still).
    """

    at: Instant
    servers: Mapping[str, Server]
    texts: Mapping[str, bytes]
    failed: Mapping[str, str] = field(default_factory=dict)
    span_ns: int = 0
    host_text: bytes | None = None


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

    def read(self, machine: Machine, listing: Listing, skip: Collection[str], *, host: bool) -> NfsdCycle:
        """Read every listed server but those of the epochs in `skip`, and then the host's own file if asked to.

        Raises SupersededError when another reading was begun meanwhile.
        """
        run = self._run = object()
        at = machine.now()
        texts: dict[str, bytes] = {}
        failed: dict[str, str] = {}
        for server in listing.servers:
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
            if self._run is not run:
                raise SupersededError(server.name)
        self.reading = None
        span_ns = machine.now().boot_ns - at.boot_ns
        host_text = _host_text(machine) if host and listing.servers else None
        return NfsdCycle(at, {s.epoch: s for s in listing.servers}, texts, failed, span_ns, host_text)

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


def _host_text(machine: Machine) -> bytes | None:
    try:
        return machine.file(HOST_FILE)
    except OSError:
        return None
