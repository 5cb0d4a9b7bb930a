r"""The text of /proc/fs/nfsd/export_stats: bytes by exported path and client (fs/nfsd/export.c, since Linux 5.12).

    # Version 1.1
    # Path Client Start-time
    #	Stats
    /nas/m1	10.90.2.1	41
        fh_stale: 0
        io_read: 98172928
        io_write: 0

An entry's fields are parted by tabs and ended by an empty line; blanks, tabs, newlines and backslashes in a path or a
client are written as `\` and three octal digits. The start is in seconds of the kernel's monotonic clock. An entry is
one of a cache: it may be replaced at any time by one that begins at 0 with a later start, and then both may be listed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from nasacct.collect.lines import ParseError, lines, number

#: Our names for the kernel's.
NAMES = {"fh_stale": "stale", "io_read": "read_bytes", "io_write": "written_bytes"}

_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class ExportStats:
    """One entry: `stale` file handles, bytes read and written by `client` below `path` since `start_s`."""

    path: str
    client: str
    start_s: int
    stale: int
    read_bytes: int
    written_bytes: int
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExportTable:
    """The text, understood. `unknown` are comment lines beside the three that begin every table."""

    version: str
    entries: tuple[ExportStats, ...]
    unknown: tuple[str, ...] = ()


def parse(text: bytes | str) -> ExportTable:
    """Understand the whole text. Raises ParseError where that would need a guess."""
    all_lines = lines(text, errors="backslashreplace")
    if not all_lines[0].startswith("# Version "):
        raise ParseError(1, "it does not begin with '# Version', so it is no export_stats file")
    entries: list[ExportStats] = []
    unknown: list[str] = []
    head: tuple[str, str, int] | None = None
    found: dict[str, int] = {}
    extra: list[str] = []
    begun = 0
    for line_no, line in enumerate([*all_lines[1:], ""], 2):
        if line.startswith("\t") and head is not None:
            name, colon, value = line[1:].partition(": ")
            if not colon:
                raise ParseError(line_no, f"{line.strip()!r} is no 'name: number'")
            if name not in NAMES:
                extra.append(line[1:])
                continue
            if name in found:
                raise ParseError(line_no, f"a second {name} in one entry")
            found[name] = number(value, line_no)
            continue
        if head is not None:
            missing = [name for name in NAMES if name not in found]
            if missing:
                raise ParseError(begun, f"the entry has no {missing[0]}: it was cut")
            stale, read, written = (found[name] for name in NAMES)
            entries.append(ExportStats(*head, stale, read, written, tuple(extra)))
            head, found, extra = None, {}, []
        if not line:
            continue
        if line.startswith("#"):
            if line not in ("# Path Client Start-time", "#\tStats"):
                unknown.append(line)
            continue
        parts = line.split("\t")
        if len(parts) != 3 or not parts[0] or not parts[1]:
            raise ParseError(line_no, "it is no path, client and start parted by tabs")
        head, begun = (_unescaped(parts[0]), _unescaped(parts[1]), number(parts[2], line_no)), line_no
    return ExportTable(all_lines[0].removeprefix("# Version "), tuple(entries), tuple(unknown))


def as_json(table: ExportTable) -> dict[str, Any]:
    """`{"version": "1.1", "entries": [{"path", "client", "start_s", "stale", "read_bytes", ...}], "unknown": []}`."""
    entries = [
        {
            "path": entry.path,
            "client": entry.client,
            "start_s": entry.start_s,
            "stale": entry.stale,
            "read_bytes": entry.read_bytes,
            "written_bytes": entry.written_bytes,
            "unknown": list(entry.unknown),
        }
        for entry in table.entries
    ]
    return {"version": table.version, "entries": entries, "unknown": list(table.unknown)}


def _unescaped(text: str) -> str:
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text)
