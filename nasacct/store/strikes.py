"""Strikes: which clients are to be struck out of a node's tree because somebody is forgotten.

    ROOT/node=N/strike-<8 digits>.json
    {"nasacct_strike": 1, "at": "2026-11-27T15:00:00Z", "clients": ["9f86..."], "epochs": ["boot/1/77"]}

An order, not a record: whoever holds the keeper's lock carries it out (`striking.py`), however often it is interrupted,
and then deletes it. Until then nothing is taken of these clients from journal files that were begun at `at` or before,
and from no file anything of these epochs: connections that were there when the order was given.
"""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from nasacct.errors import DATA, NasacctError
from nasacct.store import journal
from nasacct.store.root import write_atomically
from nasacct.store.segments import JOURNAL
from nasacct.times import iso

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from nasacct.store.readings import Readings

#: The version of the file.
FORMAT = 1
_KEY = "nasacct_strike"
_NAME = re.compile(r"strike-[0-9a-f]{8}\.json")


@dataclass(frozen=True, slots=True)
class Strike:
    """The ids of `clients` that are to go, as far as journal files begun until `at` (seconds of UTC) tell of them.

    `epochs` are those of their connections that were alive then, wherever they are told of.
    """

    at: int
    clients: frozenset[str]
    epochs: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Struck:
    """What is to go of one file: everything of these clients, and these epochs."""

    clients: frozenset[str] = frozenset()
    epochs: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.clients or self.epochs)

    def takes(self, client: str | None, epoch: str) -> bool:
        """Whether what is read of a client in an epoch is to go."""
        return client in self.clients or epoch in self.epochs

    def is_in(self, content: bytes) -> bool:
        """Whether any of it is written in a journal file."""
        return any(word.encode() in content for words in (self.clients, self.epochs) for word in words)


#: Nothing is to go.
NOTHING = Struck()


def is_one(path: Path) -> bool:
    """Whether it is called as an order is."""
    return _NAME.fullmatch(path.name) is not None


def order(folder: Path, strike: Strike) -> None:
    """Leave an order in a node's tree. OSError when the disk does not take it."""
    said = {_KEY: FORMAT, "at": iso(datetime.fromtimestamp(strike.at, UTC)), "clients": sorted(strike.clients)}
    said |= {"epochs": sorted(strike.epochs)}
    write_atomically(folder / f"strike-{secrets.token_hex(4)}.json", json.dumps(said).encode() + b"\n")


def ordered(folder: Path) -> dict[Path, Strike]:
    """The orders in a node's tree.

    NasacctError when one is damaged or of a newer version: then nobody knows who is to go. OSError.
    """
    found: dict[Path, Strike] = {}
    for path in sorted(filter(is_one, folder.iterdir())) if folder.is_dir() else ():
        try:
            said = json.loads(path.read_bytes())
            version = said[_KEY]
            clients, epochs = (frozenset(map(str, said[name])) for name in ("clients", "epochs"))
            at = int(datetime.fromisoformat(said["at"]).timestamp())
        except FileNotFoundError:
            continue
        except (ValueError, KeyError, TypeError):
            raise NasacctError(
                f"{path} is no order to forget clients; remove it and run `nasacct member forget` again", DATA
            ) from None
        if version != FORMAT:
            raise NasacctError(f"{path} is of version {version}, this nasacct knows {FORMAT}; update it", DATA)
        found[path] = Strike(at, clients, epochs)
    return found


def struck(strikes: Iterable[Strike], path: Path) -> Struck:
    """What is to go of a journal file, or of what is kept of its head."""
    began = journal.begun(path.with_suffix(JOURNAL))
    several = list(strikes)
    none = frozenset[str]()
    clients = none.union(*(strike.clients for strike in several if began <= strike.at))
    return Struck(clients, none.union(*(strike.epochs for strike in several)))


def without(readings: Readings, what: Struck) -> Readings:
    """The readings without what is to go."""
    gone = np.array([what.takes(s.keys.get("client"), s.epoch) for s in readings.subjects], bool)
    if not gone.any():
        return readings
    stays = ~gone[readings.who]
    place = np.cumsum(~gone) - 1
    return type(readings)(
        readings.stream,
        [subject for subject, out in zip(readings.subjects, gone, strict=True) if not out],
        place[readings.who[stays]].astype(np.int32),
        readings.wall[stays],
        readings.boot[stays],
        readings.kind[stays],
        readings.cycle[stays],
        readings.values[stays],
    )
