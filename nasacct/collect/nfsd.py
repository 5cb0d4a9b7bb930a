"""The source `nfsd`: what clients moved and asked of each server, by the server's own /proc/net/rpc/nfsd.

The format is in `nfsd_text`, the fast way to its numbers in `nfsd_rows`, what the numbers count in `semantics`.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nasacct.collect import nfsd_module
from nasacct.collect.changes import Changes
from nasacct.collect.lines import ParseError
from nasacct.collect.nfsd_files import NfsdCycle, NfsdFiles, reason
from nasacct.collect.nfsd_rows import THREADS, WIDTH, NfsdRows, own_lines, row
from nasacct.collect.nfsd_text import NfsdCounters, as_json, parse
from nasacct.collect.semantics import Semantics, narrow_nfsd
from nasacct.store.frame import ABSENT, Batch, Rows, Subject
from nasacct.store.schema import NFSD, OPS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from numpy.typing import NDArray

    from nasacct.collect.machine import Export, Listing, Machine, Server

__all__ = ["Nfsd", "NfsdCounters", "as_json", "parse"]

#: The parser looks at so many texts a cycle while the semantics are not settled.
_SAMPLES = 16
#: A server missing in so many complete listings is forgotten in the next.
_FORGIVEN = 3
#: Why a server was not read in a cycle in which all files showed the same.
KEPT_BACK = "all servers' files show the same: kept back until one differs"
#: Said in the health of a cycle in which numbers were stored for the node.
HOST_NOTE = "nfsd counts the whole host here: stored for the node, not for servers"


@dataclass(slots=True, eq=False)
class _Slot:
    """One subject, the bytes last read of it, and what they gave: `place` is its row in the source's table.

    `exports` are the server's as its subject tells.
    """

    subject: Subject
    place: int
    exports: tuple[Export, ...] = ()
    own: bytes = b""
    unknown: int = 0
    broken: str = ""
    absent: int = 0


class Nfsd:
    """Reads the nfsd file of every server, and hands out the rows that changed.

    `admit` gives a new subject its sid; `life` tells this loading of the nfsd module (`nfsd_module.life`). `files` has
    the texts for other sources. `semantics.verdicts` is what was found out of this kernel. `idle`: servers over whose
    links nothing has gone need not be read, as soon as it is known that files count servers by themselves.
    """

    name = "nfsd"
    streams = (NFSD.name, OPS.name)

    def __init__(
        self,
        admit: Callable[[Subject], int],
        life: Callable[[], str | None] = nfsd_module.unknown,
        *,
        idle: bool = False,
    ) -> None:
        self.files, self.idle = NfsdFiles(), idle
        self.semantics = Semantics()
        self._admit, self._life = admit, life
        self._lock = threading.Lock()
        self._reader = NfsdRows()
        self._changes = Changes(NFSD, OPS)
        self._slots: dict[str, _Slot] = {}
        self._table: NDArray[np.int64] = np.zeros((0, WIDTH), np.int64)
        self._free: list[int] = []
        self._host: _Slot | None = None
        self._ended: set[str] = set()
        self._mask: NDArray[np.bool_] = np.zeros(WIDTH - 1, np.bool_)
        self._ever_read = False

    @property
    def reading(self) -> Server | None:
        """The server whose file is being read right now.

        When that takes too long, call `read` again on another thread with its epoch in `skip`; the call that hung
        will end in SupersededError.
        """
        return self.files.reading

    def read(self, machine: Machine, listing: Listing, skip: Collection[str] = frozenset()) -> Batch:
        """Read every listed server but those of the epochs in `skip`. What fails for one is in `Batch.failed`."""
        settled = self.semantics.settled
        keep = self.idle and settled and bool(self.semantics.server_columns.all())
        cycle = self.files.read(machine, listing, skip, host=not settled, keep=keep)
        with self._lock:
            batch = self._take(machine, listing, cycle)
        self.files.publish(cycle)
        return batch

    def final(self, machine: Machine, server: Server) -> Batch | None:
        """Read an ending server a last time: its rows, even if unchanged, flagged final.

        One that can be read no more ends with what was read of it before. None for one of which nothing is known.
        """
        at = machine.now()
        text, trouble = None, ""
        try:
            text = machine.nfsd(server)
        except OSError as error:
            trouble = reason(error)
        with self._lock:
            slot = self._slots.get(server.epoch)
            if slot is None and text is not None and server.epoch not in self._ended:
                slot = self._open(machine, server)
            self._ended.add(server.epoch)
            if slot is None:
                return None
            del self._slots[server.epoch]
            if not slot.subject.sid:
                if self.semantics.of("rc") == "host":
                    self._forget(slot)
                    return None
                slot.subject.sid = self._admit(slot.subject)
            batch = Batch(self.name, at, None, ended=[slot.subject])
            if text is not None:
                self._understand([(slot, own_lines(text), text)])
                trouble, batch.unknown_fields = slot.broken, slot.unknown
            if trouble:
                batch.failed[slot.subject] = trouble
            else:
                batch.rows = self._hand_out([slot], self.semantics.server_columns, final=True)
            self._forget(slot)
            return batch

    def _take(self, machine: Machine, listing: Listing, cycle: NfsdCycle) -> Batch:
        listed: list[Subject] = []
        batch = Batch(self.name, cycle.at, listed, complete=listing.complete_at(cycle.at))
        read: list[_Slot] = []
        fresh: list[tuple[_Slot, bytes, bytes]] = []
        own_namespace: dict[str, _Slot] = {}
        for server in listing.servers:
            if server.epoch in self._ended:
                continue
            slot = self._slots.get(server.epoch) or self._open(machine, server)
            if slot.exports is not server.exports:
                # the next journal file's head tells it
                slot.subject.about.update(server.shown)
                slot.exports = server.exports
            listed.append(slot.subject)
            text = cycle.texts.get(server.epoch)
            if text is None:
                batch.failed[slot.subject] = cycle.failed[server.epoch]
                continue
            own = own_lines(text)
            if own != slot.own:
                fresh.append((slot, own, text))
            read.append(slot)
            if server.epoch not in cycle.kept:
                own_namespace[server.namespace or server.epoch] = slot
        self._understand(fresh)
        batch.failed.update({slot.subject: slot.broken for slot in read if slot.broken})
        batch.unknown_fields = sum(slot.unknown for slot in read if not slot.broken)
        self._look(machine.kernel, [slot for slot in own_namespace.values() if not slot.broken], cycle)

        mask = self.semantics.server_columns
        chosen = [slot for slot, _, _ in fresh] if (mask == self._mask).all() else read
        self._mask = mask
        if self.semantics.of("rc") == "host":
            # no server has counters of its own here: who is not admitted yet never is
            listed.clear()
            batch.failed.clear()
            chosen = [slot for slot in chosen if slot.subject.sid]
        for subject in listed:
            if not subject.sid:
                subject.sid = self._admit(subject)
        if listed and not mask.any():
            # they live, but whose numbers these are is not known: they are neither read nor gone
            batch.failed = dict.fromkeys(listed, KEPT_BACK)
        host = self._read_host(machine, batch, cycle) if self.semantics.host_columns.any() else None
        batch.rows = self._hand_out([slot for slot in chosen if not slot.broken], mask, host)
        if listing.complete:
            self._forget_unlisted(cycle)
        return batch

    def _open(self, machine: Machine, server: Server) -> _Slot:
        about = {"pid": server.pid, "link": server.link, "namespace": server.namespace, "address": server.address}
        subject = Subject(
            self.name,
            {"server": server.name},
            server.epoch,
            bits32=frozenset() if self.semantics.of("rc") == "server" else narrow_nfsd(machine.kernel),
            about={**{key: value for key, value in about.items() if value is not None}, **server.shown, **server.about},
        )
        slot = self._slots[server.epoch] = _Slot(subject, self._place(), server.exports)
        return slot

    def _place(self) -> int:
        """A row of the table for a new slot."""
        if not self._free:
            rows = len(self._table)
            self._free = list(range(rows, 2 * rows + 16))
            self._table = np.concatenate([self._table, np.zeros((len(self._free), WIDTH), np.int64)])
        place = self._free.pop()
        self._table[place] = ABSENT
        return place

    def _forget(self, slot: _Slot) -> None:
        self._changes.forget(slot.subject)
        self._free.append(slot.place)

    def _understand(self, fresh: Sequence[tuple[_Slot, bytes, bytes]]) -> None:
        rows, unknown, broken = self._reader.read([own for _, own, _ in fresh])
        for (slot, own, _), fields in zip(fresh, unknown.tolist(), strict=True):
            slot.own, slot.unknown, slot.broken = own, fields, ""
        for i, error in broken.items():
            slot, _, text = fresh[i]
            slot.broken = f"its nfsd file is broken: {_where(text, error)}"
        self._table[[slot.place for slot, _, _ in fresh]] = rows

    def _look(self, kernel: str, good: list[_Slot], cycle: NfsdCycle) -> None:
        """Let the semantics see what may tell them something."""
        rows = self._table[[slot.place for slot in good]]
        self.semantics.see_threads(rows[:, THREADS].tolist())
        if self.semantics.settled:
            return
        host = _parsed(cycle.host_text)
        self._ever_read |= bool(good)
        if not self._ever_read and host is not None:
            self.semantics.only_the_host_has_a_file()
        samples = [host, *(_parsed(text) for text in list(cycle.texts.values())[:_SAMPLES])]
        self.semantics.see(
            rows,
            [sample for sample in samples if sample is not None],
            None if host is None else np.array(row(host), np.int64),
            span_ns=cycle.span_ns,
            kernel=kernel,
        )

    def _read_host(self, machine: Machine, batch: Batch, cycle: NfsdCycle) -> _Slot | None:
        """What counts the whole host: listed, and its numbers understood; None when they cannot be."""
        epoch = nfsd_module.epoch(machine.boot_id, self._life())
        if self._host is None or self._host.subject.epoch != epoch:
            # no listing of servers is one of the host's counters: the first ones are as old as the boot may be
            about: dict[str, str | int | None] = {"born_boot_ns": 0} if self._host is None else {}
            subject = Subject(self.name, {"server": None}, epoch, bits32=narrow_nfsd(machine.kernel), about=about)
            subject.sid = self._admit(subject)
            self._host = _Slot(subject, self._place() if self._host is None else self._host.place)
        assert batch.listed is not None
        batch.listed.append(self._host.subject)
        batch.note = HOST_NOTE
        text = cycle.host_text or next(iter(cycle.read), None)
        if text is None:
            batch.failed[self._host.subject] = "no nfsd file could be read"
            return None
        self._understand([(self._host, own_lines(text), text)])
        if self._host.broken:
            batch.failed[self._host.subject] = self._host.broken
            return None
        return self._host

    def _hand_out(
        self, slots: list[_Slot], mask: NDArray[np.bool_], host: _Slot | None = None, *, final: bool = False
    ) -> dict[str, Rows]:
        """The rows of the slots, as far as they are the servers' own, and of the host's, as far as they are its."""
        values = self._rows(slots, mask)
        if host is not None:
            slots, values = [*slots, host], np.concatenate([values, self._rows([host], self.semantics.host_columns)])
        return self._changes.rows([slot.subject for slot in slots], values, final=final)

    def _rows(self, slots: list[_Slot], mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        values = self._table[:, : len(mask)][[slot.place for slot in slots]]
        if not mask.all():
            values[:, ~mask] = ABSENT
        return values

    def _forget_unlisted(self, cycle: NfsdCycle) -> None:
        """Forget who is gone; not at once, for a last reading may still be asked for."""
        self._ended &= cycle.servers.keys()
        for epoch, slot in list(self._slots.items()):
            slot.absent = 0 if epoch in cycle.servers else slot.absent + 1
            if slot.absent > _FORGIVEN:
                self._forget(self._slots.pop(epoch))


def _parsed(text: bytes | None) -> NfsdCounters | None:
    try:
        return None if text is None else parse(text)
    except ParseError:
        return None


def _where(text: bytes, error: ParseError) -> ParseError:
    """The error with its line's number in the whole text."""
    try:
        parse(text)
    except ParseError as whole:
        return whole
    return error
