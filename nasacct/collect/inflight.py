"""The source `inflight`: who waits inside nfsd, and for what, by samples of the calls in flight.

A thread of its own takes them (`sampling.py`), for a dump of one server may stand still while another one starts. It
adds up what it sees; a cycle only hands out the sums. Servers whose links move or who had calls in flight are looked
at each second or so, the others rarely, all of them less often when that takes more than its part of a CPU (`pace.py`).

A server's socket keeps its namespace alive: it is closed when the server ends, and whenever no nfsd is up in it.
"""

from __future__ import annotations

import itertools
import logging
import random
import secrets
import threading
import time
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

import numpy as np

from nasacct.collect import kernels
from nasacct.collect.changes import Changes
from nasacct.collect.pace import SECOND_NS, Pace
from nasacct.collect.sampling import Sampling
from nasacct.store.frame import ABSENT, Batch, Subject
from nasacct.store.schema import INFLIGHT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nasacct.collect.machine import Listing, Machine, Moved, Server
    from nasacct.collect.sampling import Sampled
    from nasacct.collect.waiting import Flow, Who
    from nasacct.config.tables import Inflight as Settings
    from nasacct.store.frame import Instant, Rows

log = logging.getLogger(__name__)

#: How long nothing of an operation of a client must have been seen to forget it.
SILENT_NS = 3600 * SECOND_NS
GIVEN_UP = "sampling took more than its part of a CPU for a minute; it is given up until the next start"


@dataclass(slots=True, eq=False)
class _Told:
    """What was handed out of one server: it was `last` read then, and by then had moved so much over its link."""

    one: Sampled
    subject: Subject
    last: Instant
    link: Moved | None = None
    flows: dict[Who, Subject] = field(default_factory=dict)

    def moved(self, links: dict[str, Moved] | None) -> None:
        """Say whether its link has moved since the last cycle; of one that is not known it is taken to have."""
        if links is not None:
            link = links.get(self.one.server.link or "")
            self.one.moves = link is None or link != self.link
            self.link = link


#: A subject and its measures.
_Row = tuple[Subject, list[int]]


class InFlight:
    """Samples the servers of the last listing. `admit` gives a new subject its sid, `ids` an address its id.

    Sampling may take a `share` of one CPU. A `sampling` that is given is somebody else's to step; else a thread begins
    with the first cycle.
    """

    name = "inflight"
    streams = (INFLIGHT.name,)

    def __init__(
        self,
        admit: Callable[[Subject], int],
        ids: Callable[[str], str],
        settings: Settings,
        share: float,
        sampling: Sampling | None = None,
    ) -> None:
        self._admit, self._ids, self._settings, self._share = admit, ids, settings, share
        self._run, self._numbers = secrets.token_hex(4), itertools.count(1)
        self._sampling = sampling
        self._wake, self._stopped = threading.Event(), False
        self._told: dict[str, _Told] = {}
        self._ended: set[str] = set()
        self._changes = Changes(INFLIGHT)
        self._off, self._failed, self._cpu_ns = "", "", 0
        # a dump of before the last reading would say that no link has moved since
        self._read_ns = 0

    def read(self, machine: Machine, listing: Listing) -> Batch:
        """The sums by now. Where nothing may be sampled the note says why."""
        at, links = machine.now(), _links(machine, self._read_ns)
        self._read_ns = machine.now().boot_ns
        listed: list[Subject] = []
        batch = Batch(self.name, at, listed, complete=listing.complete_at(at))
        sampling = self._begun(machine)
        if sampling is not None:
            with sampling.lock:
                self._follow(machine, listing, sampling, at)
                sampling.settle()
                rows: list[_Row] = []
                for told in self._told.values():
                    told.moved(links)
                    rows += self._rows(told, at, sampling.clock())
                    listed += [told.subject, *told.flows.values()]
                batch.rows = self._changed(rows)
            batch.cpu_us = (sampling.cpu_ns - self._cpu_ns) // 1000
            self._cpu_ns = sampling.cpu_ns
        batch.note = self._off or self._trouble()
        return batch

    def ends(self, machine: Machine) -> Batch | None:
        """The last readings of what nothing was seen of for an hour, and of all when sampling has ended by itself.

        To be asked before each cycle.
        """
        if self._sampling is None:
            return None
        with self._sampling.lock:
            rows: list[_Row] = []
            if not self._off and (self._failed or self._sampling.given_up):
                self._off = self._failed or GIVEN_UP
                log.error("source %s: %s", self.name, self._off)
                rows = [row for epoch in list(self._told) for row in self._last(self._sampling, epoch)]
            before_ns = self._sampling.clock() - SILENT_NS
            rows += [row for told in self._told.values() for row in self._silent(told, before_ns)]
            return self._final(machine.now(), rows)

    def final(self, machine: Machine, server: Server) -> Batch | None:
        """The last readings of an ending server, whose namespace is let go; None for one that was not sampled."""
        if self._sampling is None:
            return None
        with self._sampling.lock:
            self._ended.add(server.epoch)
            return self._final(machine.now(), self._last(self._sampling, server.epoch))

    def close(self) -> None:
        """Let all namespaces go; one that is asked just now, as soon as it has answered."""
        self._stopped = True
        self._wake.set()
        if self._sampling is not None:
            with self._sampling.lock:
                for epoch in list(self._sampling.known):
                    self._sampling.leave(epoch)

    def _begun(self, machine: Machine) -> Sampling | None:
        """What samples, begun when it is first asked for; None where it must not be."""
        if self._off:
            return None
        if self._sampling is None:
            verdict = kernels.judge(machine.kernel)
            if verdict.state != "safe" and not self._settings.force:
                self._off = f"off: {verdict.why}"
                log.warning("source %s is %s", self.name, self._off)
                return None
            interval_ns = self._settings.interval_ms * 1_000_000
            self._sampling = Sampling(Pace(interval_ns, self._share, random.random, time.monotonic_ns(), 0))
            threading.Thread(target=self._work, args=(self._sampling,), name=self.name, daemon=True).start()
        return self._sampling

    def _work(self, sampling: Sampling) -> None:
        """The sampling thread."""
        try:
            while not self._stopped and not sampling.given_up:
                self._wake.wait(sampling.step())
                self._wake.clear()
        except Exception:
            log.exception("source %s failed", self.name)
            self._failed = "sampling failed, see the log; it is given up until the next start"

    def _follow(self, machine: Machine, listing: Listing, sampling: Sampling, at: Instant) -> None:
        """Sample whom the listing has, and no more who is in it no longer."""
        there = {server.epoch: server for server in listing.servers if server.epoch not in self._ended}
        if listing.complete:
            self._ended &= {server.epoch for server in listing.servers}
            for epoch in self._told.keys() - there.keys():
                # its end was not told: it must not be kept alive by who samples it
                sampling.leave(epoch)
                told = self._told.pop(epoch)
                for subject in (told.subject, *told.flows.values()):
                    self._changes.forget(subject)
        for epoch, server in there.items():
            if epoch not in self._told:
                subject = self._subject(server, None, None, {"absent_boot_ns": at.boot_ns})
                self._told[epoch] = _Told(sampling.meet(machine, server), subject, at)
                self._wake.set()

    def _rows(self, told: _Told, at: Instant, now_ns: int, *, final: bool = False) -> list[_Row]:
        """What may have changed of one server since it was last read; if final, all."""
        waiting = told.one.waiting
        passed_us = (now_ns - told.one.met_ns) // 1000
        rows: list[_Row] = [(told.subject, [ABSENT, ABSENT, waiting.sampled_us, waiting.full_us, passed_us])]
        for who, flow in waiting.flows.items():
            if who not in told.flows:
                client, operation = who
                about: dict[str, str | int | None] = {"absent_boot_ns": told.last.boot_ns}
                address = _address(client)
                if address is not None:
                    about["address"] = address
                told.flows[who] = self._subject(told.one.server, address, operation, about)
            if flow.grown or final:
                rows.append((told.flows[who], _of_flow(flow)))
                flow.grown = False
        told.last = at
        return rows

    def _subject(
        self, server: Server, address: str | None, operation: str | None, about: dict[str, str | int | None]
    ) -> Subject:
        client = None if address is None else self._ids(address)
        keys = {"server": server.name, "client": client, "operation": operation}
        subject = Subject(self.name, keys, f"{server.epoch}/{self._run}-{next(self._numbers)}", about=about)
        subject.sid = self._admit(subject)
        return subject

    def _last(self, sampling: Sampling, epoch: str) -> list[_Row]:
        """All of a server that is sampled no more."""
        sampling.leave(epoch)
        told = self._told.pop(epoch, None)
        return [] if told is None else self._rows(told, told.last, sampling.clock(), final=True)

    def _silent(self, told: _Told, before_ns: int) -> list[_Row]:
        """Forget what was seen last before that."""
        flows = told.one.waiting.flows
        silent = {who: flow for who, flow in flows.items() if who in told.flows and flow.last_ns < before_ns}
        for who in silent:
            del flows[who]
        return [(told.flows.pop(who), _of_flow(flow)) for who, flow in silent.items()]

    def _changed(self, rows: Sequence[_Row], *, final: bool = False) -> dict[str, Rows]:
        values = np.array([row[1] for row in rows], np.int64).reshape(-1, INFLIGHT.width)
        return self._changes.rows([row[0] for row in rows], values, final=final)

    def _final(self, at: Instant, rows: Sequence[_Row]) -> Batch | None:
        if not rows:
            return None
        batch = Batch(self.name, at, None, ended=[row[0] for row in rows], rows=self._changed(rows, final=True))
        for subject in batch.ended:
            self._changes.forget(subject)
        return batch

    def _trouble(self) -> str:
        """Who cannot be sampled now, and why."""
        troubled = [f"{t.one.server.name}: {t.one.trouble}" for t in self._told.values() if t.one.trouble]
        return "; ".join([*troubled[:5], *(["..."] if len(troubled) > 5 else [])])


def _of_flow(flow: Flow) -> list[int]:
    return [flow.in_flight_us, flow.sampled_calls, ABSENT, ABSENT, ABSENT]


def _links(machine: Machine, since_ns: int) -> dict[str, Moved] | None:
    """What has gone over each interface by a moment since then, by name; None where that cannot be known now."""
    try:
        return machine.links(since_ns).moved()
    except OSError:
        return None


def _address(client: bytes) -> str | None:
    """The address as people write it, IPv4 also where the server has it as a mapped one."""
    if not client:
        return None
    found = ip_address(client)
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return str(mapped or found)
