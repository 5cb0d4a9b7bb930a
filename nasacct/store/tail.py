"""The tail: what the journal holds that is no segment yet, as the same usage that will be in one.

The newest file grows, so it is read anew each time; of the others, whatever was made of them is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nasacct.errors import DATA, NasacctError, not_now
from nasacct.store import addresses, journal, strikes
from nasacct.store.chain import chain, lacks
from nasacct.store.cutting import cut
from nasacct.store.heads import alone
from nasacct.store.journal_readings import of_journal
from nasacct.store.ledger import Terms, uncut
from nasacct.store.schema import STREAMS
from nasacct.store.shown import NAMED, datasets

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    import pyarrow as pa

    from nasacct.store.journal import Journal
    from nasacct.store.readings import Readings
    from nasacct.store.segments import Kind
    from nasacct.store.strikes import Strike, Struck

#: Parts of usage of one file that are kept in memory, and the longest cells that are made of them.
MANY, DAY_US = 500_000, 86_400_000_000


def terms(origin: journal.Origin) -> Terms:
    """What the ledger must be told of a file's readings."""
    return Terms(origin.interval_ns, origin.link_bytes_s)


@dataclass(slots=True)
class _Made:
    """What was made of a journal file when it had this size and time, and this one was next.

    `clients` are the addresses that it tells of ids, `datasets` the names of guids, if it was asked for either.
    """

    state: tuple[int, int]
    following: Path | None
    terms: Terms
    readings: dict[str, Readings]
    trouble: str | None
    last_ns: int
    clients: dict[str, str]
    datasets: dict[str, str]
    tables: dict[tuple[Kind, str], pa.Table] = field(default_factory=dict)


def _make(
    state: tuple[int, int],
    later: Path | None,
    found: Journal,
    following: Journal | None,
    streams: Collection[str],
    gone: Struck,
) -> _Made:
    """What is made of a file, without the clients that are `gone`."""
    last = found.frames[-1].at if found.frames else found.at
    readings = of_journal(found, following, streams)
    clients: dict[str, str] = {}
    of_clients = addresses.OF_CLIENTS & set(streams)
    for name in of_clients:
        readings[name] = strikes.without(readings[name], gone)
    if of_clients:
        clients = {entry.id: entry.address for entry in addresses.told(found, gone)}
    named = datasets(found) if NAMED.keys() & streams else {}
    return _Made(state, later, terms(found.origin), readings, found.trouble, last.wall_ns, clients, named)


class Tail:
    """One node's journal folder, for a reader that asks again and again. Not for several threads at once."""

    def __init__(self, folder: Path, node: str) -> None:
        self.folder, self.node = folder, node
        self.trouble: list[str] = []
        self._made: dict[Path, _Made] = {}
        self._strikes: tuple[Strike, ...] = ()

    def look(self, paths: list[Path], first: int = 0, streams: Collection[str] = ()) -> None:
        """Read what is new of these streams, or of all, since the last look in the folder's files `paths`.

        Those before `first` are kept. NasacctError when one of them is of a newer version.
        """
        self.trouble = []
        streams = streams or STREAMS.keys()
        self._obey()
        read = self._bridged if alone(paths[first:]) else self._read
        self._made = read(paths, first, streams)
        self.trouble += [f"{p} has a {m.trouble}; what is whole counts" for p, m in self._made.items() if m.trouble]

    def _obey(self) -> None:
        """Look who is to be forgotten; when that has changed, all is made anew."""
        try:
            ordered = tuple(strikes.ordered(self.folder.parent).values())
        except OSError as error:
            self.trouble.append(not_now(error))
            return
        if ordered != self._strikes:
            self._strikes, self._made = ordered, {}

    def _read(self, paths: list[Path], first: int, streams: Collection[str]) -> dict[Path, _Made]:
        """What is new, and of the other files what was made of them."""
        made: dict[Path, _Made] = {}
        later: Path | None = None
        inside: Journal | None = None
        for path in reversed(paths[first:]):
            try:
                status = path.stat()
                state = status.st_size, status.st_mtime_ns
                old = self._made.get(path)
                wanted = {*streams, *(old.readings if old else ())}
                if old is not None and old.state == state and old.following == later and wanted == old.readings.keys():
                    made[path], later, inside = old, path, None
                    continue
                found = journal.read(path)
                if lacks(found, paths, path):
                    return self._bridged(paths, first, streams)
                if later is not None and inside is None:
                    inside = journal.read(later)
                made[path] = _make(state, later, found, inside if later else None, wanted, self._gone(path))
                later, inside = path, found
            except journal.NewerJournalError as error:
                raise NasacctError(str(error), DATA) from None
            except journal.JournalError as error:
                if later is not None:
                    return self._bridged(paths, first, streams)
                self.trouble.append(f"{error}; what it holds is missing")
            except OSError as error:
                # it may be readable again, or kept by now: nothing before it may reach over what it holds
                later, inside = None, None
                self.trouble.append(not_now(error))
        return made

    def _bridged(self, paths: list[Path], first: int, streams: Collection[str]) -> dict[Path, _Made]:
        """All files anew, those that cannot be read as the keeper will soon bridge them."""
        made = {}
        try:
            for path, found, following in chain(paths, first):
                if found.broken:
                    self.trouble.append(str(found.trouble))
                    found.trouble = None
                made[path] = _make((-1, -1), None, found, following, streams, self._gone(path))
        except OSError as error:
            self.trouble.append(not_now(error))
        return made

    def _gone(self, path: Path) -> Struck:
        return strikes.struck(self._strikes, path)

    @property
    def last_ns(self) -> int | None:
        """When the newest cycle was (ns of UTC) that the last look found; None without one."""
        return max((made.last_ns for made in self._made.values()), default=None)

    @property
    def clients(self) -> dict[str, str]:
        """The addresses of clients by their ids, of the files in which the last look looked for clients."""
        return {each: address for made in self._made.values() for each, address in made.clients.items()}

    @property
    def datasets(self) -> dict[str, str]:
        """What datasets were called last, by their guids, in the files in which the last look looked for them."""
        made = (self._made[path] for path in sorted(self._made))
        return {guid: name for each in made for guid, name in each.datasets.items()}

    def tables(
        self, kind: Kind, stream: str, replaced: Collection[str], since_us: int, until_us: int
    ) -> list[pa.Table]:
        """The usage or the readings of a stream that was looked for, a table for each file that no segment replaces.

        Rows of other times than the span's may be missing.
        """
        there = [made for path, made in self._made.items() if path.name not in replaced]
        return [self._table(made, kind, stream, since_us, until_us) for made in there]

    def _table(self, made: _Made, kind: Kind, stream: str, since_us: int, until_us: int) -> pa.Table:
        table = made.tables.get((kind, stream))
        if table is None:
            readings = made.readings[stream]
            if kind == "readings":
                table = readings.table(self.node)
            else:
                rows = uncut(readings, made.terms)
                if rows.pieces.sum() > MANY:
                    # nobody could read for days: too many parts to keep, seldom for long; the newest are always there
                    since_us = min(since_us, made.last_ns // 1000)
                    return cut(rows, self.node, (since_us // DAY_US * DAY_US, until_us))
                table = cut(rows, self.node)
            made.tables[kind, stream] = table
        return table
