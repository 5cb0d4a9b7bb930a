r"""The journal: what the collector writes, one frame a cycle, before anything else is made of it.

A file is `NASJ1\n` and then frames: length (u32), crc32 of the payload (u32), payload. The payload is a JSON header's
length (u32), the header (UTF-8), and Arrow IPC record batches, one for each stream named in the header. The first
frame is the *head*: who is alive, the last reading of each (the carry) and when each source last listed everything.
So every file can be turned into usage by itself; what a file lost at its end lies between its last whole frame and
the head of the next one.

A file is never appended to after it was closed, and never changed. Files are ordered by their number, which only
grows. Frames that a later file of the same run holds again (from its `first_seq` on) count only there. A damaged frame
is lost by itself: the next whole one is found by how it begins.
"""

from __future__ import annotations

import json
import re
import struct
import uuid
import zlib
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from nasacct import __version__
from nasacct.errors import DATA, NasacctError
from nasacct.store import journal_rows
from nasacct.store.frame import Batch, Frame, Instant, Rows, Subject
from nasacct.store.schema import STREAMS
from nasacct.store.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MAGIC = b"NASJ1\n"
VERSION = 1
_FRAME = struct.Struct("<II")
_LENGTH = struct.Struct("<I")
#: How the header of every frame but the head begins.
_HEADER = b'{"seq":'
#: No frame is larger; a length beyond it is damage, not data.
MAX_FRAME = 1 << 30
_NAME = re.compile(r"(\d{8})-(\d{8}T\d{6})Z-([0-9a-f]{8})\.journal")


class JournalError(ValueError):
    """A journal file that cannot be read at all: foreign, or its head is damaged."""


class NewerJournalError(JournalError):
    """A sound journal file of a version that this program does not know."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Who writes: the same in every file of one run of the collector.

    `link_bytes_s` is the most that one server's link carries: with it the bound of unread bytes is the journal's own.
    """

    node: str
    boot_id: str
    run: str
    kernel: str
    version: str
    interval_ns: int
    link_bytes_s: int = 1_250_000_000

    @classmethod
    def begin(cls, node: str, boot_id: str, kernel: str, *, interval_s: float, link_rate_bits: int) -> Origin:
        """A new run of this program on that machine."""
        return cls(
            node, boot_id, uuid.uuid4().hex, kernel, __version__, int(interval_s * 1_000_000_000), link_rate_bits // 8
        )


@dataclass(slots=True)
class Journal:
    """One journal file as far as it is whole. `trouble` says what is not, None when all is.

    `broken`: nothing of the file could be read, and this only stands for it (see `chain.py`).
    """

    name: str
    number: int
    origin: Origin
    first_seq: int
    at: Instant
    carry: Standing
    frames: list[Frame] = field(default_factory=list)
    trouble: str | None = None
    broken: bool = False

    def standing(self) -> Standing:
        """What stands after the last whole frame. The journal must not be used for its carry afterwards."""
        for frame in self.frames:
            self.carry.apply(frame)
        return self.carry


def file_name(number: int, at: Instant, run: str) -> str:
    """The name of a journal file: number, UTC start, first eight letters of the run."""
    stamp = np.datetime_as_string(np.datetime64(at.wall_ns, "ns"), unit="s").replace("-", "").replace(":", "")
    return f"{number:08d}-{stamp}Z-{run[:8]}.journal"


def files(folder: Path) -> list[Path]:
    """The journal files of a folder in order; anything else in it is not ours and is left out.

    OSError when the folder cannot be read.
    """
    try:
        return sorted(p for p in folder.iterdir() if _is_ours(p))
    except FileNotFoundError:
        return []


def refuse_newer(folder: Path) -> None:
    """NasacctError when a file of the folder is of a version that this program does not know; only heads are read.

    What is damaged or cannot be read now is left for whoever reads all of it.
    """
    with suppress(OSError):
        for path in files(folder):
            with suppress(OSError, ValueError, KeyError, TypeError), path.open("rb") as file:
                start = file.read(len(MAGIC) + _FRAME.size + _LENGTH.size)
                (size,) = _LENGTH.unpack(start[-_LENGTH.size :])
                said = json.loads(file.read(min(size, MAX_FRAME)).decode("utf-8", "surrogateescape"))
                if start.startswith(MAGIC) and said["nasacct_journal"] > VERSION:
                    raise NasacctError(_newer(path, said), DATA)


def _newer(path: Path, head: dict[str, Any]) -> str:
    return f"{path}: written by a newer nasacct ({head['version']}); upgrade this one to read it"


def number_of(path: Path) -> int:
    """The number in a journal file's name."""
    match = _NAME.fullmatch(path.name)
    if match is None:
        raise JournalError(f"{path}: not a journal file's name")
    return int(match[1])


def begun(path: Path) -> int:
    """When the file was begun, in whole seconds of UTC, as its name says."""
    match = _NAME.fullmatch(path.name)
    if match is None:
        raise JournalError(f"{path}: not a journal file's name")
    try:
        return int(datetime.strptime(f"{match[2]}Z", "%Y%m%dT%H%M%S%z").timestamp())
    except ValueError:
        raise JournalError(f"{path}: its name tells of no moment") from None


def _is_ours(path: Path) -> bool:
    with suppress(JournalError):
        begun(path)
        return True
    return False


def encode_head(origin: Origin, first_seq: int, at: Instant, carry: Standing) -> bytes:
    """The head frame, magic included."""
    parts: list[tuple[list[Any], memoryview]] = []
    for stream, last in carry.rows.items():
        sids = np.array([s for s in last.sids().tolist() if s in carry.live], np.int32)
        if len(sids):
            data = journal_rows.encode(sids, last.values[sids], last.wall[sids], last.boot[sids])
            parts.append(([stream, len(data)], data))
    header = {
        "nasacct_journal": VERSION,
        "node": origin.node,
        "boot_id": origin.boot_id,
        "run": origin.run,
        "kernel": origin.kernel,
        "version": origin.version,
        "interval_ns": origin.interval_ns,
        "link_bytes_s": origin.link_bytes_s,
        "first_seq": first_seq,
        "at": [at.wall_ns, at.boot_ns],
        "measures": {s.name: [m.name for m in s.measures] for s in STREAMS.values()},
        "subjects": [s.as_json() for s in carry.live.values()],
        "listings": {k: [v.wall_ns, v.boot_ns] for k, v in carry.listings.items()},
        "rows": [p[0] for p in parts],
    }
    return MAGIC + _pack(header, [p[1] for p in parts])


def encode_frame(frame: Frame) -> bytes:
    """One frame as it lies in the file."""
    batches, parts = [], []
    for batch in frame.batches:
        rows = []
        for stream, part in batch.rows.items():
            if len(part.sids):
                data = journal_rows.encode(part.sids, part.values)
                rows.append([stream, len(data), part.final])
                parts.append(data)
        batches.append(
            {
                "source": batch.source,
                "at": [batch.at.wall_ns, batch.at.boot_ns],
                "listed": None if batch.listed is None else len(batch.listed),
                "complete": batch.complete,
                "missed": _by_reason(batch.failed),
                "ended": [s.sid for s in batch.ended],
                "unknown": batch.unknown_fields,
                "took_us": batch.took_us,
                "cpu_us": batch.cpu_us,
                "late": batch.late,
                "note": batch.note,
                "rows": rows,
            }
        )
    header = {
        "seq": frame.seq,
        "at": [frame.at.wall_ns, frame.at.boot_ns],
        "births": [s.as_json() for s in frame.births],
        "batches": batches,
    }
    return _pack(header, parts)


def read(path: Path) -> Journal:
    """The file as far as it is whole.

    Raises JournalError when the file is foreign or its head is damaged, NewerJournalError when its version is newer;
    OSError when it cannot be read. Damage after the head costs the frames that it hit and is told in `trouble`.
    """
    data = path.read_bytes()
    if not data.startswith(MAGIC):
        raise JournalError(f"{path}: not a nasacct journal (it does not begin with NASJ1)")
    offset = len(MAGIC)
    try:
        header, parts, offset = _unpack(data, offset)
        if header["nasacct_journal"] > VERSION:
            raise NewerJournalError(_newer(path, header))
        journal = _decode_head(path.name, number_of(path), header, parts)
    except _DamagedError as err:
        raise JournalError(f"{path}: the head is damaged ({err})") from None
    measures = header["measures"]
    subjects = dict(journal.carry.live)
    lost = False
    while offset < len(data):
        try:
            header, parts, end = _unpack(data, offset)
        except _DamagedError as err:
            journal.trouble = journal.trouble or f"{err} at byte {offset} of {len(data)}"
            lost = True
            # the length may be what is damaged: nothing but the beginning of a header tells where a frame is
            found = data.find(_HEADER, offset + _FRAME.size + _LENGTH.size + 1)
            if found < 0:
                break
            offset = found - _FRAME.size - _LENGTH.size
            continue
        frame = _decode_frame(header, parts, subjects, measures)
        frame.after_loss, lost = lost, False
        journal.frames.append(frame)
        offset = end
    return journal


def _by_reason(failed: dict[Subject, str]) -> dict[str, list[int]]:
    """Each reason once, with the sids: a thousand servers may fail for the same one, cycle after cycle."""
    found: dict[str, list[int]] = {}
    for subject, why in failed.items():
        found.setdefault(why, []).append(subject.sid)
    return found


class _DamagedError(ValueError):
    pass


def _pack(header: dict[str, Any], parts: Sequence[bytes | memoryview]) -> bytes:
    head = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogateescape")
    pieces = [_LENGTH.pack(len(head)), head, *parts]
    length = crc = 0
    for piece in pieces:
        length, crc = length + len(piece), zlib.crc32(piece, crc)
    # copied once: rows of a thousand servers are most of what a cycle costs
    return b"".join([_FRAME.pack(length, crc), *pieces])


def _unpack(data: bytes, offset: int) -> tuple[dict[str, Any], memoryview, int]:
    if offset + _FRAME.size > len(data):
        raise _DamagedError("torn frame")
    length, crc = _FRAME.unpack_from(data, offset)
    start = offset + _FRAME.size
    if length < _LENGTH.size or length > MAX_FRAME or start + length > len(data):
        raise _DamagedError("torn frame")
    payload = memoryview(data)[start : start + length]
    if zlib.crc32(payload) != crc:
        raise _DamagedError("frame with a wrong checksum")
    (size,) = _LENGTH.unpack_from(payload)
    header = json.loads(bytes(payload[_LENGTH.size : _LENGTH.size + size]).decode("utf-8", "surrogateescape"))
    return header, payload[_LENGTH.size + size :], start + length


def _decode_head(name: str, number: int, header: dict[str, Any], parts: memoryview) -> Journal:
    carry = Standing(boot_id=header["boot_id"])
    for data in header["subjects"]:
        subject = Subject.of_json(data)
        carry.live[subject.sid] = subject
    carry.listings = {k: Instant(*v) for k, v in header["listings"].items()}
    offset = 0
    for stream, size in header["rows"]:
        part, offset = parts[offset : offset + size], offset + size
        if stream not in STREAMS:
            continue
        sids, values, wall, boot = journal_rows.decode(part, stream, header["measures"][stream], carry=True)
        last = carry.last(stream)
        last.put(sids, Instant(0, 0), values)
        last.wall[sids], last.boot[sids] = wall, boot
    names = ("node", "boot_id", "run", "kernel", "version", "interval_ns", "link_bytes_s")
    origin = Origin(**{name: header[name] for name in names if name in header})
    return Journal(name, number, origin, header["first_seq"], Instant(*header["at"]), carry)


def _decode_frame(
    header: dict[str, Any], parts: memoryview, subjects: dict[int, Subject], measures: dict[str, list[str]]
) -> Frame:
    births = [Subject.of_json(s) for s in header["births"]]
    subjects.update((s.sid, s) for s in births)
    batches, offset = [], 0
    for entry in header["batches"]:
        batch = Batch(
            entry["source"],
            Instant(*entry["at"]),
            None if entry["listed"] is None else [],
            complete=entry["complete"],
            # who is not known was born in a frame that is lost
            failed={subjects[sid]: why for why, sids in entry["missed"].items() for sid in sids if sid in subjects},
            ended=[subjects[sid] for sid in entry["ended"] if sid in subjects],
            unknown_fields=entry["unknown"],
            took_us=entry["took_us"],
            cpu_us=entry["cpu_us"],
            late=entry["late"],
            note=entry["note"],
        )
        for stream, size, final in entry["rows"]:
            part, offset = parts[offset : offset + size], offset + size
            if stream in STREAMS:
                sids, values = journal_rows.decode(part, stream, measures[stream], carry=False)
                known = np.array([sid in subjects for sid in sids.tolist()], bool)
                batch.rows[stream] = Rows(sids[known], values[known], final)
        if batch.listed is not None:
            # who was listed follows from births and ends; the number alone is kept, for the health rows
            batch.listed = [_NOBODY] * entry["listed"]
        batches.append(batch)
    return Frame(header["seq"], Instant(*header["at"]), batches, births)


_NOBODY = Subject("", {}, "")
