"""The source `procs`: calls by NFSv2 and NFSv3 procedure, and the nfsd threads.

Both stand in every server's nfsd file, and on every kernel so far they count the whole host in each of them. So they
are taken from one file of the cycle and stored once, for the node. Should the semantics find that a kernel counts
them by namespace, each server gets rows of its own.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from nasacct.collect import nfsd_module
from nasacct.collect.changes import Changes
from nasacct.collect.lines import ParseError
from nasacct.collect.nfsd_rows import THREADS, procs_row, row
from nasacct.collect.nfsd_text import parse
from nasacct.collect.semantics import narrow_procs
from nasacct.store.frame import ABSENT, Batch, Subject
from nasacct.store.schema import PROCS

if TYPE_CHECKING:
    from collections.abc import Callable

    from nasacct.collect.machine import Listing, Machine, Server
    from nasacct.collect.nfsd import Nfsd
    from nasacct.collect.nfsd_files import NfsdCycle
    from nasacct.collect.semantics import Verdict

#: Broken files are passed over for another server's, so often.
_TRIES = 3


class Procs:
    """Hands out what `nfsd` read in the same cycle but does not use; reads no file itself.

    Sources are read side by side: `patience_s` is how long the reading of `nfsd` is waited for.
    """

    name = "procs"
    streams = (PROCS.name,)

    def __init__(
        self,
        nfsd: Nfsd,
        admit: Callable[[Subject], int],
        life: Callable[[], str | None] = nfsd_module.unknown,
        *,
        patience_s: float = 1.0,
    ) -> None:
        self._nfsd, self._admit, self._life, self._patience_s = nfsd, admit, life, patience_s
        self._lock = threading.Lock()
        self._cycle: NfsdCycle | None = None
        self._changes = Changes(PROCS)
        self._host: Subject | None = None
        self._servers: dict[str, Subject] = {}
        self._texts: dict[str, bytes] = {}

    def read(self, machine: Machine, listing: Listing) -> Batch:
        """The procedures and threads as the newest reading of `nfsd` has them, at the instant of that reading."""
        cycle = self._nfsd.files.next(self._cycle, self._patience_s)
        if cycle is None:
            known = [subject for subject in [self._host, *self._servers.values()] if subject is not None]
            batch = Batch(self.name, machine.now(), known, complete=False, note="nfsd was not read in this cycle")
            batch.failed = dict.fromkeys(known, batch.note)
        else:
            self._cycle = cycle
            batch = Batch(self.name, cycle.at, [], complete=listing.complete_at(cycle.at))
            with self._lock:
                rows = {**self._take_servers(machine, cycle, batch), **self._take_host(machine, cycle, batch)}
                values = np.array(list(rows.values()), np.int64).reshape(-1, PROCS.width)
                batch.rows = self._changes.rows(list(rows), values)
        return batch

    def final(self, machine: Machine, server: Server) -> Batch | None:
        """The last reading of an ending server, where the kernel counts by server; None elsewhere."""
        with self._lock:
            subject = self._servers.pop(server.epoch, None)
            if subject is None:
                return None
            batch = Batch(self.name, machine.now(), None, ended=[subject])
            try:
                values = self._values(machine.nfsd(server), {"server"})
            except (OSError, ParseError) as error:
                batch.failed[subject] = str(error)
            else:
                batch.rows = self._changes.rows([subject], np.array([values], np.int64), final=True)
            self._changes.forget(subject)
            return batch

    def _take_servers(self, machine: Machine, cycle: NfsdCycle, batch: Batch) -> dict[Subject, list[int]]:
        """What the kernel counts by server, of each server whose file differs from the last cycle's."""
        if "server" not in (self._nfsd.semantics.of("procs"), self._nfsd.semantics.of("th")):
            return {}
        rows = {}
        for epoch, server in cycle.servers.items():
            subject = self._servers.get(epoch) or self._open(machine, server.name, epoch)
            self._servers[epoch] = subject
            _list(batch, subject)
            text = cycle.texts.get(epoch)
            if text is None:
                batch.failed[subject] = cycle.failed[epoch]
            elif text != self._texts.get(epoch):
                try:
                    rows[subject] = self._values(text, {"server"})
                    self._texts[epoch] = text
                except ParseError as error:
                    batch.failed[subject] = _broken(error)
        if batch.complete:
            for epoch in self._servers.keys() - cycle.servers.keys():
                self._changes.forget(self._servers.pop(epoch))
            self._texts = {epoch: text for epoch, text in self._texts.items() if epoch in cycle.servers}
        return rows

    def _take_host(self, machine: Machine, cycle: NfsdCycle, batch: Batch) -> dict[Subject, list[int]]:
        """What the kernel counts for the whole host, or may: it stands in any of the files."""
        if {self._nfsd.semantics.of("procs"), self._nfsd.semantics.of("th")} == {"server"}:
            return {}
        life = self._life()
        texts = [text for text in (*reversed(cycle.read), cycle.host_text) if text is not None]
        if not texts and life is None:
            # no module, no counters: when it is loaded they begin
            self._host = None
            return {}
        epoch = nfsd_module.epoch(machine.boot_id, life)
        if not texts:
            # they may be counting already where nobody looks
            batch.complete = False
            if self._host is not None and self._host.epoch == epoch:
                _list(batch, self._host)
                batch.failed[self._host] = "no nfsd file could be read"
            return {}
        if self._host is None or self._host.epoch != epoch:
            self._host = self._open(machine, None, epoch)
        _list(batch, self._host)
        for text in texts[:_TRIES]:
            try:
                values = self._values(text, {"host", "undecided"})
            except ParseError as error:
                batch.failed[self._host] = _broken(error)
            else:
                batch.failed.pop(self._host, None)
                return {self._host: values}
        return {}

    def _open(self, machine: Machine, server: str | None, epoch: str) -> Subject:
        subject = Subject(self.name, {"server": server}, epoch, bits32=narrow_procs(machine.kernel))
        subject.sid = self._admit(subject)
        return subject

    def _values(self, text: bytes, verdicts: set[Verdict]) -> list[int]:
        """The text's numbers as far as the verdict on them is one of these."""
        counters = parse(text)
        semantics = self._nfsd.semantics
        procs, threads = procs_row(counters), row(counters)[THREADS]
        return [
            *(procs if semantics.of("procs") in verdicts else [ABSENT] * len(procs)),
            threads if semantics.of("th") in verdicts else ABSENT,
        ]


def _list(batch: Batch, subject: Subject) -> None:
    assert batch.listed is not None
    batch.listed.append(subject)


def _broken(error: ParseError) -> str:
    return f"its nfsd file is broken: {error}"
