r"""What `zfs list -Hp -o name,guid,objsetid,sync` prints: a line for each dataset, its properties separated by one tab.

    tank/m2\t3095630837491319131\t140\tdisabled

`objsetid` is the dataset's number in its pool, by which the kernel calls its counters (objset-0x8c). `sync` is
standard, always or disabled (zfsprops(7)): where it is disabled, no write waits for the disks, whatever was asked.
"""

from __future__ import annotations

from typing import NamedTuple

from nasacct.collect.lines import ParseError, lines, number
from nasacct.store.frame import ABSENT
from nasacct.store.schema import SYNCS

#: What prints them, of the datasets whose names follow.
ARGUMENTS = ("list", "-Hp", "-t", "filesystem", "-o", "name,guid,objsetid,sync")


class Dataset(NamedTuple):
    """A dataset's guid, its number in its pool, and how it syncs, as a number of SYNCS (ABSENT: another word)."""

    guid: str
    number: int
    sync: int


def parse(text: bytes | str) -> dict[str, Dataset]:
    """The datasets by their names.

    Raises ParseError where that would be a guess.
    """
    found = {}
    for line_no, line in enumerate(lines(text) if text else (), 1):
        words = line.split("\t")
        if len(words) != 4:
            raise ParseError(line_no, f"it has {len(words)} fields, not 4")
        name, guid, objset, sync = words
        if not (guid.isascii() and guid.isdigit()) or len(guid) > 20:
            raise ParseError(line_no, f"{guid[:40]!r} is no guid")
        found[name] = Dataset(guid, number(objset, line_no), SYNCS.index(sync) if sync in SYNCS else ABSENT)
    return found
