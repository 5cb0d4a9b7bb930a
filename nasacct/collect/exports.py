"""The source `export_stats`: at least how much each client read and wrote below each exported path of each server.

nfsd counts it in the entries of a cache, which mountd renews every half hour: a new entry begins at 0, with the second
of its start, and for a moment the old one stands beside it. So each entry is an epoch of its own, and what it gained
after it was read last is lost: the sums are what is certain, and never all.

The file is opened, read and closed: while it is open the server's namespace lives on. No file is read of a server whose
link stands still. Where the kernel frees entries while they are shown (`RISK`), reading them is a risk at every change
of exports, so the source is off until it is named, and slow.
"""

from __future__ import annotations

import threading
import time
from ipaddress import ip_network
from typing import TYPE_CHECKING

import numpy as np

from nasacct.collect.changes import Changes
from nasacct.collect.export_stats import parse
from nasacct.collect.lines import ParseError
from nasacct.store.frame import Batch, Subject
from nasacct.store.schema import EXPORTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nasacct.collect.client_ids import ClientIds
    from nasacct.collect.export_stats import ExportStats
    from nasacct.collect.machine import Listing, Machine, Server

#: What `doctor` says of kernels that are not known to free entries only when nobody reads them.
RISK = "this kernel is not known to keep an entry while it is read: if exports change at that moment, it may crash"
#: The line of stable releases that is known to, and from which release on (svc_export_put, queue_rcu_work).
_MENDED = {(6, 1): 192}
#: What an entry is known by: server, path, client, start.
_Entry = tuple[str, str, str, int]


def risky(release: str) -> bool:
    """Whether a kernel, as `uname -r` names it, may free an entry while it is read; so do all that nobody knows of."""
    numbers = [int(n) if n.isdecimal() else 0 for n in release.partition("-")[0].split(".")[:3]]
    line, patch = tuple(numbers[:2]), numbers[2] if len(numbers) > 2 else 0
    return patch < _MENDED[line] if line in _MENDED else True


class Exports:
    """Reads the entries of every server that was used, and hands out the rows that changed.

    `admit` gives a new subject its sid, `ids` an address or a text its id; it is read each `pace_s`.
    """

    name = EXPORTS.source
    streams = (EXPORTS.name,)
    optional = True

    def __init__(self, admit: Callable[[Subject], int], ids: ClientIds, pace_s: float = 60) -> None:
        self._admit, self._ids, self.pace_s = admit, ids, pace_s
        self._lock = threading.Lock()
        self._entries: dict[_Entry, Subject] = {}
        self._values: dict[_Entry, tuple[int, int, int]] = {}
        # of each server, what its link had moved and when it was, when its entries were read
        self._links: dict[str, tuple[int, int] | None] = {}
        self._read_ns: dict[str, int] = {}
        self._changes = Changes(EXPORTS)

    def read(self, machine: Machine, listing: Listing) -> Batch:
        """Read every server whose link has moved since it was read. What fails for one is in the note."""
        with self._lock:
            return self._read(machine, listing)

    def close(self) -> None:
        """Nothing is kept open."""

    def _read(self, machine: Machine, listing: Listing) -> Batch:
        # before the listing, a link of that name may have been another one
        dump = machine.links(listing.begun_ns or 0)
        # all of it is as of the dump: who has not moved by then is not read
        at, links = dump.at, dump.moved()
        batch = Batch(self.name, at, [], complete=listing.complete_at(at))
        there: set[_Entry] = set()
        troubled: dict[str, str] = {}
        for server in listing.servers:
            link = links.get(server.link or "")
            known = {entry for entry in self._entries if entry[0] == server.epoch}
            if link is None or server.epoch not in self._links or link != self._links[server.epoch]:
                try:
                    found = parse(machine.export_stats(server))
                except (OSError, ParseError) as err:
                    troubled[server.name] = str(getattr(err, "strerror", None) or err)
                    batch.complete = False
                    batch.failed |= {self._entries[entry]: troubled[server.name] for entry in known}
                else:
                    batch.unknown_fields += len(found.unknown) + sum(len(one.unknown) for one in found.entries)
                    known = self._take(server, found.entries, machine)
                    self._links[server.epoch], self._read_ns[server.epoch] = link, at.boot_ns
            there |= known
        batch.note = "; ".join(f"{name}: {why}" for name, why in list(troubled.items())[:5])
        self._forget(there, {server.epoch for server in listing.servers}, complete=listing.complete)
        batch.listed = [self._entries[entry] for entry in there]
        read = [entry for entry in there if self._entries[entry] not in batch.failed]
        values = np.array([self._values[entry] for entry in read], np.int64).reshape(-1, EXPORTS.width)
        batch.rows = self._changes.rows([self._entries[entry] for entry in read], values)
        return batch

    def _take(self, server: Server, entries: Sequence[ExportStats], machine: Machine) -> set[_Entry]:
        """The entries of one server that count something, or did."""
        found: set[_Entry] = set()
        for one in entries:
            entry = server.epoch, one.path, one.client, one.start_s
            moved = one.read_bytes, one.written_bytes, one.stale
            if entry not in self._entries and not any(moved):
                continue
            if entry not in self._entries:
                self._entries[entry] = self._subject(server, one, machine)
            # two that began in one second are told apart by nothing: no less than the larger one is certain
            before = self._values.get(entry, (0, 0, 0))
            self._values[entry] = max(before[0], moved[0]), max(before[1], moved[1]), max(before[2], moved[2])
            found.add(entry)
        return found

    def _subject(self, server: Server, one: ExportStats, machine: Machine) -> Subject:
        client, address = self._client(one.client)
        export = self._ids.of_text(one.path)
        now = machine.now()
        about: dict[str, str | int | None] = {"path": one.path, "address": address}
        # the start is in seconds of CLOCK_MONOTONIC, rounded down, which stands still in suspend
        asleep_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.monotonic_ns()
        born_ns = min(one.start_s * 1_000_000_000 + asleep_ns, now.boot_ns)
        if server.epoch in self._read_ns:
            about["absent_boot_ns"] = max(self._read_ns[server.epoch], born_ns)
        else:
            about["born_boot_ns"] = born_ns
        keys = {"server": server.name, "export": export, "client": client}
        subject = Subject(self.name, keys, f"{server.epoch}/{one.start_s}-{export}-{client}", about=about)
        subject.sid = self._admit(subject)
        return subject

    def _client(self, word: str) -> tuple[str, str]:
        """The id of what exports(5) calls a client, and the word: of a single address that of the address."""
        try:
            network = ip_network(word)
        except ValueError:
            return self._ids.of_text(word), word
        if network.num_addresses > 1:
            return self._ids.of_text(word), word
        address = str(network.network_address)
        return self._ids(address), address

    def _forget(self, there: set[_Entry], servers: set[str], *, complete: bool) -> None:
        gone = [entry for entry in self._entries if entry not in there and (complete or entry[0] in servers)]
        for entry in gone:
            self._changes.forget(self._entries.pop(entry))
            del self._values[entry]
        if complete:
            for epoch in self._links.keys() - servers:
                del self._links[epoch]
                self._read_ns.pop(epoch, None)
