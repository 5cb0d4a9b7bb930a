"""Segments: the immutable Parquet files of a stream, by their names and footers.

    ROOT/node=N/usage/nfsd/hour-20261123T120000Z-20261123T130000Z-5f0c1d2e3a4b5c6d.parquet

The name says the level, the time from and to which its rows reach (UTC, whole seconds, rounded outwards) and the first
16 hexadecimal digits of the sha256 of the file. The footer says, under the key `nasacct`, whose rows these are and
what the file replaces: journal files, and segments, with everything that those replaced.

Which of them a reader sees is decided in `shelf.py`; how they are written in `segment_file.py`.
"""

from __future__ import annotations

import errno
import json
import os
import re
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from nasacct.errors import DATA, NasacctError
from nasacct.store.journal_spans import NONE, Spans

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: The version of the segments that this program writes and reads.
FORMAT = 1
#: The key of the footer's metadata.
KEY = b"nasacct"
Kind = Literal["usage", "readings", "rollup"]
#: What became of the rows, in this order: of one journal file, of an hour, of a day; of rollups a month or a year.
LEVELS = ("part", "hour", "day", "month", "year")
_NAME = re.compile(r"(part|hour|day|month|year)-(\d{8}T\d{6})Z-(\d{8}T\d{6})Z-([0-9a-f]{16})\.parquet")
_STAMP = "%Y%m%dT%H%M%S"
#: More than what a file system's clock moves on by, and how many folders' names are remembered.
_TICK_NS, _MOST_LISTED = 1_000_000_000, 1_000
_FIELDS = ((0, 4), (4, 6), (6, 8), (9, 11), (11, 13), (13, 15))
#: How the names of journal files end, in `replaces`.
JOURNAL = ".journal"


class SegmentError(ValueError):
    """A file that is no whole segment: torn, or foreign. What the system refuses is an OSError instead."""


@dataclass(frozen=True, slots=True)
class Replaced:
    """One file that a segment stands for: a journal file's or a segment's name, and the digest of its content."""

    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class Footer:
    """What a segment says of itself. `since`, `until` in µs of UTC.

    `journals` are the journal files of which its rows were made: in `replaces`, but for a rollup, which replaces none.
    `of` are the digests of the usage that a rollup sums: whoever sees the one need not open the other.
    `cells` of a cut are the 5 minutes (µs of UTC) of which it has all rows.
    `terms` of readings are those by which they are accounted: the interval in ns and a link's bytes a second, of each
    run of the collector that was told others.
    """

    kind: Kind
    stream: str
    node: str
    level: str
    since: int
    until: int
    rows: int
    replaces: tuple[Replaced, ...]
    journals: Spans = NONE
    terms: tuple[tuple[int, int], ...] = ()
    of: frozenset[str] = frozenset()
    cells: frozenset[int] = frozenset()

    def encode(self) -> bytes:
        """The value of the footer's key."""
        said = {
            "format": FORMAT,
            "kind": self.kind,
            "stream": self.stream,
            "node": self.node,
            "level": self.level,
            "from": _iso(self.since),
            "to": _iso(self.until),
            "rows": self.rows,
            "replaces": [{"name": r.name, "digest": r.digest} for r in self.replaces],
            **({"journals": self.journals.encode()} if self.kind == "rollup" else {}),
            **({"terms": self.terms} if self.terms else {}),
            **({"of": sorted(self.of)} if self.of else {}),
            **({"cells": sorted(self.cells)} if self.cells else {}),
        }
        return json.dumps(said, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, value: bytes) -> Footer:
        """The footer of the key's value; KeyError, ValueError, TypeError when it is none."""
        said = json.loads(value)
        if said["format"] > FORMAT:
            raise NasacctError(
                f"the store holds segments of version {said['format']}, this nasacct knows {FORMAT}; update it", DATA
            )
        replaces = tuple(Replaced(r["name"], r["digest"]) for r in said["replaces"])
        rolled = said["kind"] == "rollup"
        return cls(
            said["kind"],
            said["stream"],
            said["node"],
            said["level"],
            _us(said["from"]),
            _us(said["to"]),
            said["rows"],
            replaces,
            Spans.decode(said["journals"]) if rolled else Spans.of(r.name for r in replaces),
            tuple((interval_ns, link_bytes_s) for interval_ns, link_bytes_s in said.get("terms", ())),
            frozenset(said.get("of", ())),
            frozenset(said.get("cells", ())),
        )


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment by its name; `since`, `until` in whole seconds of UTC."""

    path: Path
    level: str
    since: int
    until: int
    digest: str

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name


def name_of(level: str, since_us: int, until_us: int, digest: str) -> str:
    """The name of a segment that reaches from `since_us` to `until_us` (µs of UTC)."""
    since, until = since_us // 1_000_000, -(-until_us // 1_000_000)
    stamps = [datetime.fromtimestamp(s, UTC).strftime(_STAMP) for s in (since, until)]
    return f"{level}-{stamps[0]}Z-{stamps[1]}Z-{digest}.parquet"


def named(path: Path) -> Segment | None:
    """The segment that the path's name tells of, None if it is no segment's name."""
    said = _said(path.name)
    return None if said is None else Segment(path, *said)


def listed(where: Path) -> tuple[tuple[Segment, ...], tuple[str, ...]]:
    """The folder's segments by name, and the names of all its other files that are visible.

    OSError when it cannot be read.
    """
    changed = os.stat(where).st_mtime_ns  # noqa: PTH116 - with every question, of every folder
    known = _LISTED.get(where)
    if known is not None and known[0] == changed:
        return known[1:]
    read_at = time.time_ns()
    with os.scandir(where) as entries:
        names = sorted(entry.name for entry in entries)
    found, others = [], []
    for name in names:
        said = _said(name)
        if said is not None:
            found.append(Segment(where / name, *said))
        elif not name.startswith("."):
            others.append(name)
    listing = tuple(found), tuple(others)
    # what comes in the tick of the clock in which the folder was read does not show in its time
    if changed < read_at - _TICK_NS:
        if len(_LISTED) > _MOST_LISTED:
            _LISTED.clear()
        _LISTED[where] = changed, *listing
    return listing


@lru_cache(maxsize=20_000)
def _said(name: str) -> tuple[str, int, int, str] | None:
    """What a segment's name says: level, since, until, digest."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    try:
        return match[1], seconds_of(match[2]), seconds_of(match[3]), match[4]
    except ValueError:
        # no day of the calendar: not ours
        return None


def seconds_of(stamp: str) -> int:
    """A moment as names have it (20261123T101500) in seconds of UTC. ValueError when there is none such."""
    # for every file of a year with every answer: strptime takes ten times as long
    year, month, day, hour, minute, second = (int(stamp[at:end]) for at, end in _FIELDS)
    return int(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp())


def footer(segment: Segment) -> Footer:
    """The segment's footer, remembered as long as the file is the same.

    SegmentError when it is torn or foreign, OSError when it cannot be read now.
    """
    return _known(segment)[0]


def columns(segment: Segment) -> frozenset[str]:
    """The names of the segment's columns; errors as those of `footer`."""
    return _known(segment)[1]


def _known(segment: Segment) -> tuple[Footer, frozenset[str]]:
    with reading(segment.path, "is no whole segment"):
        status = segment.path.stat()
        return _read(segment.path, status.st_size, status.st_mtime_ns)


#: What `listed` found, and the folder's time then.
_LISTED: dict[Path, tuple[int, tuple[Segment, ...], tuple[str, ...]]] = {}


@contextmanager
def reading(path: Path, what: str = "is damaged") -> Iterator[None]:
    """Tell apart why the file cannot be read: SegmentError if its content is wrong, OSError if the system says no.

    pyarrow raises OSError for both; only what a system call said has an errno.
    """
    try:
        yield
    except SegmentError:
        raise
    except (OSError, MemoryError) as error:
        missing = errno.ENOENT if isinstance(error, FileNotFoundError) else None
        number = errno.ENOMEM if isinstance(error, MemoryError) else error.errno or missing
        if number is None:
            raise SegmentError(f"{path} {what} ({str(error).splitlines()[0]})") from None
        raise OSError(number, os.strerror(number), str(path)) from None
    except (pa.ArrowException, KeyError, ValueError, TypeError) as error:
        why = f"its footer lacks {error}" if isinstance(error, KeyError) else str(error).splitlines()[0]
        raise SegmentError(f"{path} {what} ({why})") from None


@lru_cache(maxsize=20_000)
def _read(path: Path, _size: int, _mtime_ns: int) -> tuple[Footer, frozenset[str]]:
    # a name of its own for the arguments that only tell one state of a file from the next
    found = pq.read_metadata(path)
    return Footer.decode((found.metadata or {})[KEY]), _one(frozenset(found.schema.names))


@lru_cache(maxsize=100)
def _one(names: frozenset[str]) -> frozenset[str]:
    """The same set for all who have these columns."""
    return names


def _iso(us: int) -> str:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _us(text: str) -> int:
    since = datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
