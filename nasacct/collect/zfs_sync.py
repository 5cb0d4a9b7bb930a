r"""What `zfs list -Hp -o name,guid,sync` prints: a line for each dataset, its properties separated by one tab.

    tank/m2\t3095630837491319131\tdisabled

`sync` is standard, always or disabled (zfsprops(7)): where it is disabled, no write waits for the disks, whatever was
asked.
"""

from __future__ import annotations

from nasacct.collect.lines import ParseError, lines
from nasacct.store.frame import ABSENT
from nasacct.store.schema import SYNCS

#: What prints them, of the datasets whose names follow.
ARGUMENTS = ("list", "-Hp", "-t", "filesystem", "-o", "name,guid,sync")


def parse(text: bytes | str) -> dict[str, tuple[str, int]]:
    """By name, each dataset's guid and how it syncs, as a number of SYNCS (ABSENT: a word that is none of them).

    Raises ParseError where that would be a guess.
    """
    found = {}
    for line_no, line in enumerate(lines(text) if text else (), 1):
        words = line.split("\t")
        if len(words) != 3:
            raise ParseError(line_no, f"it has {len(words)} fields, not 3")
        name, guid, sync = words
        if not (guid.isascii() and guid.isdigit()) or len(guid) > 20:
            raise ParseError(line_no, f"{guid[:40]!r} is no guid")
        found[name] = guid, SYNCS.index(sync) if sync in SYNCS else ABSENT
    return found
