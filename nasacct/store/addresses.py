"""The address book of a node: whose address an id of a client stands for. Nothing else that is kept says so.

    ROOT/node=N/addresses.jsonl

First `{"nasacct_addresses": 1}`, then a line for each id, in the order in which they were first seen:
`{"id": "9f86d081884c7d65", "address": "192.0.2.7", "since": "2026-11-23T10:15:00Z", "sum": "1f0c2a77"}`. The sum is the
first 8 hexadecimal digits of the sha256 of the three others with spaces between, so that no bit which flips makes one
client another. The keeper adds those that the births in a journal file tell, before it makes parts of it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING

from nasacct.errors import DATA, NasacctError
from nasacct.store.root import write_atomically
from nasacct.store.schema import CLIENTS, EXPORTS, INFLIGHT
from nasacct.store.segments import SegmentError
from nasacct.store.strikes import NOTHING
from nasacct.times import iso

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from nasacct.store.frame import Subject
    from nasacct.store.journal import Journal
    from nasacct.store.strikes import Struck
    from nasacct.store.tree import Tree

#: The version of the file, and its name.
FORMAT = 1
FILE = "addresses.jsonl"
_KEY = "nasacct_addresses"
#: The streams that have ids of clients, and the sources that tell their addresses.
OF_CLIENTS = frozenset({CLIENTS.name, EXPORTS.name, INFLIGHT.name})
TELLING = frozenset({CLIENTS.source, EXPORTS.source, INFLIGHT.source})
#: What has an id, and what it stands for.
_NAMED = (("client", "address"), ("export", "path"))


@dataclass(frozen=True, slots=True)
class Entry:
    """An id, the address it stands for, and when it was first seen (whole seconds of UTC)."""

    id: str
    address: str
    since: int

    def encode(self) -> str:
        """Its line."""
        said = {"id": self.id, "address": self.address, "since": iso(datetime.fromtimestamp(self.since, UTC))}
        return json.dumps(said | {"sum": _sum(said)}, separators=(",", ":"))

    @classmethod
    def decode(cls, line: str) -> Entry:
        """The entry of a line; ValueError, KeyError, TypeError when it is none."""
        said = json.loads(line)
        if said["sum"] != _sum(said):
            raise ValueError("its sum is wrong")
        return cls(said["id"], said["address"], int(datetime.fromisoformat(said["since"]).timestamp()))


def _sum(said: dict[str, str]) -> str:
    text = " ".join(said[name] for name in ("id", "address", "since"))
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def book(folder: Path) -> dict[str, Entry]:
    """The address book in a node's tree by id, empty when there is none.

    SegmentError when a line is none of ours, NasacctError when it is of a newer version, OSError.
    """
    found, damaged = _read(folder / FILE)
    if damaged:
        raise _damaged(folder / FILE, damaged)
    return found


def read(folder: Path) -> tuple[dict[str, str], str | None]:
    """The addresses that can be read, by id, and what is wrong with the others. NasacctError, OSError as `book`."""
    found, damaged = _read(folder / FILE)
    return {each: entry.address for each, entry in found.items()}, (
        str(_damaged(folder / FILE, damaged)) if damaged else None
    )


def _damaged(path: Path, lines: int) -> SegmentError:
    return SegmentError(f"{path} is damaged ({lines} of its lines are no entries); what is whole in it is kept")


def learn(tree: Tree, found: Journal, besides: Struck = NOTHING) -> None:
    """Add the clients that a journal file knows of, but for those in `besides`.

    A damaged book is put aside, and its whole lines go on.
    NasacctError when it is of a newer version; OSError when the disk does not take it.
    """
    seen = {entry.id: entry for entry in reversed(list(told(found, besides)))}
    if not seen:
        return
    known = mend(tree)
    new = sorted((seen[each] for each in seen.keys() - known.keys()), key=lambda entry: (entry.since, entry.id))
    if new:
        _write(tree.folder / FILE, [*known.values(), *new])


def mend(tree: Tree) -> dict[str, Entry]:
    """The book; a damaged one is put aside, and a new one begun with its whole lines. Errors as those of `learn`."""
    path = tree.folder / FILE
    known, damaged = _read(path)
    if damaged:
        tree.put_aside(path, _damaged(path, damaged))
        _write(path, known.values())
    return known


def strike(tree: Tree, clients: Collection[str]) -> int:
    """Take the lines of these clients out; gives back how many. Errors as those of `learn`."""
    known = mend(tree)
    stay = [entry for entry in known.values() if entry.id not in clients]
    if len(stay) < len(known):
        _write(tree.folder / FILE, stay)
    return len(known) - len(stay)


def _write(path: Path, entries: Iterable[Entry]) -> None:
    lines = [json.dumps({_KEY: FORMAT}, separators=(",", ":")), *(entry.encode() for entry in entries)]
    write_atomically(path, "".join(f"{line}\n" for line in lines).encode())


def told(found: Journal, besides: Struck = NOTHING) -> Iterator[Entry]:
    """The clients that the head and the births of a journal file tell, but for `besides`, in the order of time."""
    met: list[tuple[int, Subject]] = [(found.at.wall_ns, subject) for subject in found.carry.live.values()]
    met += chain.from_iterable(((frame.at.wall_ns, s) for s in frame.births) for frame in found.frames)
    for wall_ns, subject in met:
        if subject.source not in TELLING or besides.takes(subject.keys.get("client"), subject.epoch):
            continue
        for key, said in _NAMED:
            who, name = subject.keys.get(key), subject.about.get(said)
            if who is not None and isinstance(name, str):
                yield Entry(who, name, wall_ns // 1_000_000_000)


def _read(path: Path) -> tuple[dict[str, Entry], int]:
    """The entries that can be read, and how many lines are none."""
    try:
        head, *lines = path.read_text(encoding="utf-8", errors="replace").splitlines() or [""]
    except FileNotFoundError:
        return {}, 0
    found: dict[str, Entry] = {}
    damaged = 0
    try:
        version = json.loads(head)[_KEY]
    except (ValueError, KeyError, TypeError):
        version, damaged = FORMAT, 1
    if version != FORMAT:
        raise NasacctError(f"{path} is of version {version}, this nasacct knows {FORMAT}; update it", DATA)
    for line in lines:
        try:
            entry = Entry.decode(line)
        except (ValueError, KeyError, TypeError):
            damaged += 1
        else:
            found.setdefault(entry.id, entry)
    return found, damaged
