"""The text for people of `zpool status -pP`, of ZFS before 2.3: sizes have three digits, times are local.

      pool: tank
     state: ONLINE
      scan: scrub in progress since Fri Nov 27 22:32:03 2026
            85.6M / 85.6M scanned, 56.9M / 85.5M issued at 8.13M/s
    config:

            NAME           STATE     READ WRITE CKSUM
            tank           ONLINE       0     0     0
              mirror-0     ONLINE       0     0     0
                /dev/vdf1  ONLINE       0     0     0
            logs
              /dev/vdl1    ONLINE       0     0     0

ZFS before 2.2 says `1.20T scanned at 120M/s, 800G issued at 80M/s, 5.00T total`. Of a scan that is over nobody says
when it began, nor how much it read.
"""

from __future__ import annotations

import calendar
import re
import time
from dataclasses import dataclass

from nasacct.collect.lines import LARGEST, ParseError, fields, lines

#: What a disk of each section of `zpool status` is for.
ROLES = {
    "vdevs": "data",
    "special": "special",
    "dedup": "dedup",
    "logs": "log",
    "l2cache": "cache",
    "spares": "spare",
}
#: Our names of functions.
FUNCTIONS = {"SCRUB": "scrub", "RESILVER": "resilver"}
_SECTIONS = ROLES | {"cache": ROLES["l2cache"]}
_HEAD = "  pool: "
_WHEN = "%a %b %d %H:%M:%S %Y"
_SCAN = re.compile(r"\s*scan: (scrub|resilver) (in progress|paused) since (.+)")
_STARTED = re.compile(r"\s(?:scrub|resilver) started on (.+)")
_ISSUED = re.compile(r"([\d.]+[BKMGTPEZ]?)(?: / ([\d.]+[BKMGTPEZ]?))? issued")
_TOTAL = re.compile(r"([\d.]+[BKMGTPEZ]?) total")
_SIZE = re.compile(r"(\d{1,20}(?:\.\d{1,20})?)([BKMGTPEZ]?)", re.ASCII)
_POWERS = "BKMGTPEZ"
_WIDE = re.compile(r"mirror-\d+", re.ASCII)
#: A part in such a state is not read.
AWAY = ("OFFLINE", "UNAVAIL", "REMOVED", "FAULTED")


@dataclass(frozen=True, slots=True)
class Part:
    """A disk, or a part of one, by its path: what it is for (a role of ROLES), and its state in ZFS's words."""

    path: str
    role: str
    state: str


@dataclass(frozen=True, slots=True)
class Scan:
    """A scrub or resilver: when it began (Unix time, s), how much it has read, and how much there is; None: unknown."""

    function: str
    state: str
    started_s: int | None
    issued_bytes: int | None
    to_examine_bytes: int | None
    paused: bool


@dataclass(frozen=True, slots=True)
class Pool:
    """One pool; `copies_hundredths` is how much its disks read for what a scrub issues. `guid` None: not told."""

    name: str
    guid: str | None
    state: str
    parts: tuple[Part, ...]
    scan: Scan | None
    copies_hundredths: int


def parse(text: bytes | str) -> list[Pool]:
    """Understand the whole text. Raises ParseError where there is no pool in it."""
    found: list[list[str]] = []
    for line in lines(text):
        if line.startswith(_HEAD):
            found.append([])
        if found:
            found[-1].append(line)
    if not found:
        raise ParseError(1, "there is no pool in it; `zpool status` prints one")
    return [_pool(block) for block in found]


def _pool(block: list[str]) -> Pool:
    state = next((line.removeprefix(" state: ") for line in block if line.startswith(" state: ")), "")
    # what stands between the heading of the columns and the next empty line
    begin = next((at for at, line in enumerate(block) if fields(line)[:2] == ["NAME", "STATE"]), len(block))
    rows = block[begin + 1 :]
    rows = rows[: next((at for at, line in enumerate(rows) if not line.strip()), len(rows))]
    parts, widths, role = [], [], ROLES["vdevs"]
    for row in rows:
        words = fields(row)
        depth = len(row) - len(row.lstrip("\t ")) - 1
        if not words:
            continue
        if depth == 0:
            role = _SECTIONS.get(words[0], ROLES["vdevs"]) if len(words) < 3 else ROLES["vdevs"]
        if depth == 2 and role == ROLES["vdevs"]:
            widths.append([_WIDE.fullmatch(words[0]) is not None, 0])
        if depth == 4 and widths and (len(words) < 2 or words[1] not in AWAY):
            widths[-1][1] += 1
        if words[0].startswith("/") and words[1:2] != ["INUSE"]:
            parts.append(Part(words[0], role, words[1] if len(words) > 1 else ""))
    read = [max(count, 1) if wide else 1 for wide, count in widths]
    copies = 100 * sum(read) // len(read) if read else 100
    return Pool(block[0].removeprefix(_HEAD), None, state, tuple(parts), _scan(block), copies)


def _scan(block: list[str]) -> Scan | None:
    """One that goes on."""
    at, match = next(((at, found) for at, line in enumerate(block) if (found := _SCAN.match(line))), (0, None))
    if match is None:
        return None
    below = "\n".join(block[at + 1 : at + 4])
    begun = _STARTED.search(below)
    issued, total = _ISSUED.search(below), _TOTAL.search(below)
    whole = (issued and issued[2]) or (total and total[1])
    return Scan(
        match[1],
        "scanning",
        _moment(begun[1] if begun else match[3]) if match[2] == "in progress" or begun else None,
        _size(issued[1]) if issued else None,
        _size(whole) if whole else None,
        paused=match[2] == "paused",
    )


def _moment(text: str) -> int | None:
    """Unix time of a time that asctime(3) printed, in UTC."""
    try:
        return max(calendar.timegm(time.strptime(text.strip(), _WHEN)), 0)
    except ValueError:
        return None


def _size(text: str) -> int | None:
    match = _SIZE.fullmatch(text)
    if match is None:
        return None
    size = int(float(match[1]) * 1024 ** (_POWERS.index(match[2]) if match[2] else 0))
    return size if size <= LARGEST else None
