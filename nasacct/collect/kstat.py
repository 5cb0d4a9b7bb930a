"""The text of a table of named values that ZFS keeps: /proc/spl/kstat/zfs/dmu_tx, POOL/iostats, POOL/objset-0x9f.

Printed by kstat_seq_show (OpenZFS, module/os/linux/spl/spl-kstat.c). One line of numbers, one of headings, then a row
for each value, name and type in columns of fixed width:

    62 1 0x01 27 7600 68530635559 74685438825
    name                            type data
    dataset_name                    7    tank/nas/1001/photos
    writes                          4    80

The head is: number of the table, its type (1: named values), flags, how many rows, their size, when the table was
made and when it was read, both in ns of CLOCK_MONOTONIC_RAW (gethrtime of the SPL). What counts in it began then.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nasacct.collect.lines import ParseError, fields, lines, number

if TYPE_CHECKING:
    from pathlib import Path

    from nasacct.store.frame import Instant

_HEADINGS = ["name", "type", "data"]
#: Where in a row its name ends and its value begins.
_NAME, _VALUE = 31, 37
#: Its type among those of all tables.
_NAMED = "1"
#: The kernel hands out a page at a time: less than half of one is all there is.
_SIZE, _SHORT = 65536, 2048
#: CLOCK_MONOTONIC_RAW is at most a thousandth apart from CLOCK_BOOTTIME: NTP corrects by half of that.
_APART = 1000


@dataclass(frozen=True, slots=True)
class Kstat:
    """The text, understood: when the table was made (ns of CLOCK_MONOTONIC_RAW), and its values as they are printed."""

    made_ns: int
    rows: dict[str, str]

    def number(self, name: str) -> int | None:
        """The value as a counter; None where there is none of that name. Raises ParseError for what is no number."""
        word = self.rows.get(name)
        if word is None:
            return None
        try:
            return number(word, 1)
        except ParseError as error:
            raise ParseError(3 + list(self.rows).index(name), error.sentence) from None


def parse(text: bytes | str) -> Kstat:
    """Understand the whole text. Raises ParseError where that would need a guess."""
    head, *rows = lines(text)
    words = fields(head)
    if len(words) != 7:
        raise ParseError(1, "it has not the seven numbers that begin a kstat")
    if words[1] != _NAMED:
        raise ParseError(1, f"it is a kstat of type {words[1]!r}, and no table of named values")
    if not rows or fields(rows[0]) != _HEADINGS:
        raise ParseError(2, "there are no headings name, type and data")
    found = {row[:_NAME].rstrip(): row[_VALUE:] for row in rows[1:]}
    wanted = number(words[3], 1)
    if len(found) != wanted or len(rows) - 1 != wanted:
        raise ParseError(1, f"it says {wanted} rows and has {len(found)} of different names in {len(rows) - 1}")
    return Kstat(number(words[5], 1), found)


def read(path: Path | str) -> bytes:
    """The text of the file, opened and closed: one that is kept open is of no use when the table is made anew (EIO).

    What is short is not read to its end, for the kernel would add everything up once more to say that there is nothing
    left. Raises OSError.
    """
    opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = block = os.read(opened, _SIZE)
        while len(data) > _SHORT and block:
            block = os.read(opened, _SIZE)
            data += block
    finally:
        os.close(opened)
    return data


def born_boot_ns(made_ns: int, at: Instant) -> int:
    """When a table that was read at that moment was made at the earliest, ns of CLOCK_BOOTTIME.

    The two clocks go apart, by NTP and while the machine sleeps: all of that is taken to have been since. One that was
    made while others were read was made at that moment.
    """
    raw_ns, monotonic_ns, boot_ns = clocks()
    age_ns = max(raw_ns - made_ns, 0)
    asleep_ns = max(boot_ns - monotonic_ns, 0)
    return min(max(boot_ns - age_ns - age_ns // _APART - asleep_ns, 0), at.boot_ns)


def clocks() -> tuple[int, int, int]:
    """CLOCK_MONOTONIC_RAW, CLOCK_MONOTONIC and CLOCK_BOOTTIME, ns."""
    raw_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
    return raw_ns, time.monotonic_ns(), time.clock_gettime_ns(time.CLOCK_BOOTTIME)
