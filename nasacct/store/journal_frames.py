"""How the head and the frames of a journal file are packed: a JSON header and rows of numbers, with a checksum."""

from __future__ import annotations

import json
import struct
import uuid
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from nasacct import __version__
from nasacct.store import journal_rows
from nasacct.store.frame import Batch, Frame, Instant, Rows, Subject
from nasacct.store.schema import STREAMS
from nasacct.store.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAGIC = b"NASJ1\n"
VERSION = 2
FRAME = struct.Struct("<II")
LENGTH = struct.Struct("<I")
#: How the header of every frame but the head begins.
HEADER = b'{"seq":'
#: No frame is larger; a length beyond it is damage, not data.
MAX_FRAME = 1 << 30


class DamagedError(ValueError):
    """A frame that is torn, or has a wrong checksum."""


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


def encode_head(origin: Origin, first_seq: int, at: Instant, carry: Standing) -> bytes:
    """The head frame, magic included."""
    rows: list[list[Any]] = []
    parts: list[memoryview] = []
    for stream, last in carry.rows.items():
        sids = np.array([s for s in last.sids().tolist() if s in carry.live], np.int32)
        if len(sids):
            wall, boot, values = last.of(sids)
            data = journal_rows.encode(sids, values, wall, boot)
            rows.append([stream, sum(map(len, data))])
            parts += data
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
        "rows": rows,
    }
    return MAGIC + pack(header, parts)


def encode_frame(frame: Frame) -> bytes:
    """One frame as it lies in the file."""
    batches: list[dict[str, Any]] = []
    parts: list[memoryview] = []
    for batch in frame.batches:
        rows = []
        for stream, part in batch.rows.items():
            if len(part.sids):
                data = journal_rows.encode(part.sids, part.values)
                rows.append([stream, sum(map(len, data)), part.final])
                parts += data
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
    return pack(header, parts)


def _by_reason(failed: dict[Subject, str]) -> dict[str, list[int]]:
    """Each reason once, with the sids: a thousand servers may fail for the same one, cycle after cycle."""
    found: dict[str, list[int]] = {}
    for subject, why in failed.items():
        found.setdefault(why, []).append(subject.sid)
    return found


def pack(header: dict[str, Any], parts: Sequence[bytes | memoryview]) -> bytes:
    """A frame of this header and these rows; the head is one behind MAGIC."""
    head = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogateescape")
    pieces = [LENGTH.pack(len(head)), head, *parts]
    length = crc = 0
    for piece in pieces:
        length, crc = length + len(piece), zlib.crc32(piece, crc)
    # copied once: rows of a thousand servers are most of what a cycle costs
    return b"".join([FRAME.pack(length, crc), *pieces])


def unpack(data: bytes, offset: int) -> tuple[dict[str, Any], memoryview, int]:
    """The header, the rows, and the end of the frame at `offset`. DamagedError when it is not whole."""
    if offset + FRAME.size > len(data):
        raise DamagedError("torn frame")
    length, crc = FRAME.unpack_from(data, offset)
    start = offset + FRAME.size
    if length < LENGTH.size or length > MAX_FRAME or start + length > len(data):
        raise DamagedError("torn frame")
    payload = memoryview(data)[start : start + length]
    if zlib.crc32(payload) != crc:
        raise DamagedError("frame with a wrong checksum")
    (size,) = LENGTH.unpack_from(payload)
    header = json.loads(bytes(payload[LENGTH.size : LENGTH.size + size]).decode("utf-8", "surrogateescape"))
    return header, payload[LENGTH.size + size :], start + length


def decode_head(name: str, number: int, header: dict[str, Any], parts: memoryview) -> Journal:
    """The file that a head begins, without frames."""
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
        names, version = header["measures"][stream], header["nasacct_journal"]
        sids, values, wall, boot = journal_rows.decode(part, stream, names, carry=True, version=version)
        carry.last(stream).restore(sids, wall, boot, values)
    said = ("node", "boot_id", "run", "kernel", "version", "interval_ns", "link_bytes_s")
    origin = Origin(**{name: header[name] for name in said if name in header})
    return Journal(name, number, origin, header["first_seq"], Instant(*header["at"]), carry)


def decode_frame(
    header: dict[str, Any], parts: memoryview, subjects: dict[int, Subject], head: Mapping[str, Any]
) -> Frame:
    """The frame; `subjects` known so far, with those that it introduces added, and the header of the file's `head`."""
    measures, version = head["measures"], head["nasacct_journal"]
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
                sids, values = journal_rows.decode(part, stream, measures[stream], carry=False, version=version)
                known = np.array([sid in subjects for sid in sids.tolist()], bool)
                batch.rows[stream] = Rows(sids[known], values[known], final)
        if batch.listed is not None:
            # who was listed follows from births and ends; the number alone is kept, for the health rows
            batch.listed = [_NOBODY] * entry["listed"]
        batches.append(batch)
    return Frame(header["seq"], Instant(*header["at"]), batches, births)


_NOBODY = Subject("", {}, "")
