r"""What `zfs list -Hp` prints: a line for each dataset, its properties separated by one tab (zfs-list(8)).

    storage/nas/1001\t9683213437518129203\t3221225472\t98304\t265214230528\t268435456000\t0\t1048576

Sizes are in bytes. `-` is no value: of a volume, which has no quota; 0 is no quota, for none can be 0. A dataset's
guid stays with it when it is renamed, and another one gets its own when it is made or received.
"""

from __future__ import annotations

from dataclasses import dataclass

from nasacct.collect.lines import ParseError, lines, number
from nasacct.store.frame import ABSENT
from nasacct.store.schema import SPACE

#: The properties that are asked for, in their order: name and guid, then a size for each measure of the stream.
PROPERTIES = ("name", "guid", "used", "referenced", "available", "quota", "refquota", "usedbysnapshots")
#: What prints them, of datasets that have files or blocks; snapshots are none.
ARGUMENTS = ("list", "-Hp", "-t", "filesystem,volume", "-o", ",".join(PROPERTIES))
_QUOTAS = frozenset(i for i, measure in enumerate(SPACE.measures) if "quota" in measure.name)


@dataclass(frozen=True, slots=True)
class Dataset:
    """One dataset: its name, its guid, and its sizes in bytes in the order of the stream's measures (ABSENT: none)."""

    name: str
    guid: str
    sizes: tuple[int, ...]


def parse(text: bytes | str) -> list[Dataset]:
    """Understand the whole text; of none at all there are no datasets. Raises ParseError where it would be a guess."""
    return [_dataset(line, line_no) for line_no, line in enumerate(lines(text), 1)] if text else []


def _dataset(line: str, line_no: int) -> Dataset:
    words = line.split("\t")
    if len(words) != len(PROPERTIES):
        raise ParseError(line_no, f"it has {len(words)} fields, not {len(PROPERTIES)}")
    name, guid, *sizes = words
    if not name:
        raise ParseError(line_no, "it has no name")
    if not (guid.isascii() and guid.isdigit()) or len(guid) > 20:
        raise ParseError(line_no, f"{guid!r} is no guid")
    return Dataset(name, guid, tuple(_size(word, i, line_no) for i, word in enumerate(sizes)))


def _size(word: str, place: int, line_no: int) -> int:
    if word == "-":
        return ABSENT
    size = number(word, line_no)
    return ABSENT if place in _QUOTAS and not size else size
