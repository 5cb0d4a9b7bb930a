"""The text of /proc/spl/kstat/zfs/POOL/objset-0x9f: what was done with one dataset, whoever did it.

A table of named values (`kstat.py`), made when a file system is mounted or a volume appears, and gone when that ends:
dataset_kstats.c, and since 2.2 zil_kstat_values_t of zil.h, of OpenZFS. Snapshots have none. The number in the file's
name is the dataset's in its pool and stays when it is renamed or mounted again; the name in it follows.

Bytes are those of files, before compression, whether the ARC has them or a disk. What zfs send reads, zfs receive
writes and a scrub reads is not in it. Unlinks do not begin at 0: files that wait to be freed when a file system is
mounted are counted at once.
"""

from __future__ import annotations

from dataclasses import dataclass

from nasacct.collect import kstat
from nasacct.collect.lines import ParseError
from nasacct.store.frame import ABSENT
from nasacct.store.schema import DATASETS

#: What the file's name begins with.
FILE = "objset-0x"
#: Our measures of the kernel's names, in the order of the stream.
_OF = {
    "reads": ("reads",),
    "read_bytes": ("nread",),
    "writes": ("writes",),
    "written_bytes": ("nwritten",),
    "unlinks": ("nunlinks",),
    "unlinked": ("nunlinked",),
    "zil_commits": ("zil_commit_count",),
    "zil_records": ("zil_itx_count",),
    "zil_bytes": ("zil_itx_indirect_bytes", "zil_itx_copied_bytes", "zil_itx_needcopy_bytes"),
}
_NAMES = tuple(_OF[measure.name] for measure in DATASETS.measures)
_KNOWN = {"dataset_name", *(name for names in _NAMES for name in names)}
#: What begins so tells more of the log than anybody asks.
_ZIL = "zil_"


@dataclass(frozen=True, slots=True)
class Objset:
    """The text, understood: the dataset's name, since when it counts (ns of CLOCK_MONOTONIC_RAW), and its measures."""

    name: str
    made_ns: int
    values: tuple[int, ...]
    unknown: tuple[str, ...] = ()


def parse(text: bytes | str) -> Objset:
    """Understand the whole text. What an older ZFS does not count is ABSENT. Raises ParseError."""
    table = kstat.parse(text)
    name = table.rows.get("dataset_name")
    if not name:
        raise ParseError(1, "it has no dataset_name, so it is no objset file")
    unknown = tuple(each for each in table.rows.keys() - _KNOWN if not each.startswith(_ZIL))
    return Objset(name, table.made_ns, tuple(_sum(table, names) for names in _NAMES), unknown)


def as_json(one: Objset) -> dict[str, object]:
    """`{"dataset": "tank/nas", "made_ns": 65842864250, "reads": 160, ..., "unknown": []}`; null: this ZFS has none."""
    named = zip((measure.name for measure in DATASETS.measures), one.values, strict=True)
    values = {name: None if value == ABSENT else value for name, value in named}
    return {"dataset": one.name, "made_ns": one.made_ns, **values, "unknown": sorted(one.unknown)}


def number_of(file: str) -> int | None:
    """The dataset's number in its pool, as the file is called; None for any other file."""
    digits = file.removeprefix(FILE)
    try:
        return int(digits, 16) if digits != file else None
    except ValueError:
        return None


def _sum(table: kstat.Kstat, names: tuple[str, ...]) -> int:
    total = 0
    for name in names:
        value = table.number(name)
        if value is None:
            return ABSENT
        total += value
    return total
