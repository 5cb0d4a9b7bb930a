"""Notes: what people say happened beside the load, such as that a disk was replaced, and from when to when.

    ROOT/notes.jsonl

A chronicle (`chronicle.py`). What `is` says of a note:

    {"from": "2026-11-27T14:00:00Z", "to": "2026-11-27T14:20:00Z", "nodes": ["nas1"], "pool": null}

`to` is `from` where it was a moment; a pool that is null: all of these nodes. Who takes a note back says
`{"removes": "2a4f09c1"}`, with the id of that note. What is noted is drawn and quoted, and no normal time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nasacct.errors import USAGE, NasacctError
from nasacct.store.chronicle import Chronicle
from nasacct.times import iso, of_us, us

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from nasacct.store.chronicle import Entry

_ID = re.compile(r"[0-9a-f]{8}")
_POOL = re.compile(r"\S(?:.{0,253}\S)?")
_REMOVES = "removes"


@dataclass(frozen=True, slots=True)
class Note:
    """From `since` to before `until` (µs of UTC; the same: a moment) this happened on nodes, to a pool or to all.

    `text` is None when it was erased; `told` and `removed`, by whom, in UTC (None: it was not).
    """

    id: str
    text: str | None
    since: int
    until: int
    nodes: tuple[str, ...]
    pool: str | None
    told: datetime
    by: str | None
    removed: datetime | None = None
    removed_by: str | None = None

    @property
    def end(self) -> int:
        """The first µs that it does not touch: of a moment the one after it."""
        return max(self.until, self.since + 1)

    def touches(self, node: str, lo: int, hi: int, pool: str | None = None) -> bool:
        """Whether it holds and says anything of a node from `lo` to before `hi`; of a pool, None: of any."""
        where = node in self.nodes and (self.pool is None or pool is None or self.pool == pool)
        return where and self.removed is None and self.since < hi and self.end > lo


def notes(root: Path, node: str, lo: int, hi: int, pool: str | None = None) -> list[Note]:
    """The notes that hold and say anything of a node from `lo` to before `hi` (µs of UTC), in the order of time.

    NasacctError when the file is damaged or of a newer version: who asks may say that, and go on without. OSError.
    """
    return [note for note in read(root) if note.touches(node, lo, hi, pool)]


def read(root: Path) -> list[Note]:
    """All notes of a store in the order of time, also those that were removed. Errors as those of `notes`."""
    return _made(CHRONICLE.read(root))


def tell(
    root: Path,
    text: str,
    span: tuple[datetime, datetime],
    nodes: Iterable[str],
    now: datetime,
    *,
    pool: str | None = None,
    by: str | None = None,
) -> Note:
    """Add a note. NasacctError when it says nothing, ends before it begins, or as for `Chronicle.add`."""
    since, until = span
    if until < since:
        raise NasacctError("it ends before it begins; exchange --from and --to", USAGE)
    if pool is not None and not _POOL.fullmatch(pool):
        raise NasacctError(f"{pool!r} is no name of a pool; write it as `zpool list` does", USAGE)
    said = {"from": iso(since), "to": iso(until), "nodes": sorted(set(nodes)), "pool": pool}
    return _made([CHRONICLE.add(root, lambda _: said, now, text=text, by=by)])[0]


def remove(root: Path, named: str, now: datetime, by: str | None = None) -> Note:
    """Take a note back: it is drawn, quoted and left out no more; that it was there, and what it said, stays.

    NasacctError when there is none of that id that holds, or as for `Chronicle.add`.
    """

    def said(before: list[Entry]) -> dict[str, str]:
        if _known(before, named).removed is not None:
            raise NasacctError(f"note {named} was removed already; `nasacct note --list --all` shows it", USAGE)
        return {_REMOVES: named}

    CHRONICLE.add(root, said, now, by=by)
    return _known(CHRONICLE.read(root), named)


def erase(root: Path, named: str, now: datetime) -> Note:
    """Take away a note's text, for ever: for whoever is named in it. Errors as those of `remove`."""
    _known(CHRONICLE.read(root), named)
    CHRONICLE.erase(root, lambda entry: entry.id == named, now)
    return _known(CHRONICLE.read(root), named)


def _made(entries: list[Entry]) -> list[Note]:
    """The notes of a chronicle's entries."""
    removed: dict[str, Entry] = {}
    for entry in sorted(entries, key=lambda entry: entry.order):
        if _REMOVES in entry.said:
            removed.setdefault(entry.said[_REMOVES], entry)
    found = []
    for entry in entries:
        if _REMOVES not in entry.said:
            end = removed.get(entry.id)
            since, until = (us(_moment(entry.said[name])) for name in ("from", "to"))
            where = tuple(entry.said["nodes"]), entry.said["pool"]
            gone = (None, None) if end is None else (end.told, end.by)
            found.append(Note(entry.id, entry.text, since, until, *where, entry.told, entry.by, *gone))
    return sorted(found, key=lambda note: (note.since, note.until, note.id))


def _known(entries: list[Entry], named: str) -> Note:
    found = next((note for note in _made(entries) if note.id == named), None)
    if found is None:
        raise NasacctError(f"there is no note {named!r}; `nasacct note --list` shows which there are", USAGE)
    return found


def _check(said: Mapping[str, Any]) -> None:
    """ValueError, KeyError, TypeError, AttributeError when it says nothing of a note."""
    if _REMOVES in said:
        if not _ID.fullmatch(said[_REMOVES]):
            raise ValueError("it removes nothing")
        return
    if not _moment(said["from"]) <= _moment(said["to"]):
        raise ValueError("it ends before it begins")
    nodes = said["nodes"]
    if not (isinstance(nodes, list) and nodes and all(isinstance(node, str) for node in nodes)):
        raise ValueError("it is of no node")
    if said["pool"] is not None and not _POOL.fullmatch(said["pool"]):
        raise ValueError("it is of no pool")


def _moment(text: str) -> datetime:
    """A moment of a line; ValueError when no calendar has it in UTC."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("it has a time without a zone")
    return of_us(us(found))


CHRONICLE = Chronicle("notes", _check)
