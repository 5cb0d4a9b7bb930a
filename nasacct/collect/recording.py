"""Recordings: what a collector read, as raw text, one JSON line a cycle, compressed with zstd.

A line is one of three, told apart by its keys (docs/recording.md has every field):

    {"static": {...}, "t": 0.0, "wall": ...}                       who lives here and what their epochs are
    {"n": 0, "t": ..., "wall": ..., "host": {...}, "servers": {...}}   one cycle
    {"event": "server_ended", "t": ..., "server": "101", ...}         something between two cycles

Keys that a reader does not know are passed over, lines of other kinds too: recordings of tomorrow stay readable.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from nasacct.errors import CANT_CREATE, DATA, NasacctError, of_os

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSION = 1
#: A compressed block is closed and written after this many lines: what a crash can cost.
LINES_PER_BLOCK = 64
#: The first bytes of a zstd frame (RFC 8878).
_ZSTD = b"\x28\xb5\x2f\xfd"
#: Unpacked in pieces of so many bytes: as much of a torn block may be lost beyond its tear.
_PIECE = 4096
#: No recording is of a later time (the year 2262 ends int64 nanoseconds).
_LATEST_S = 9e9


class RecordingFile:
    """A recording being written; lines are durable in blocks, and a torn block costs none before it."""

    def __init__(self, path: Path) -> None:
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        except FileExistsError:
            raise NasacctError(
                f"{path} exists already; recordings are never written over, choose another name", CANT_CREATE
            ) from None
        except OSError as err:
            raise of_os(err, f"making the recording {path}") from err
        self.path = path
        self.lines = 0
        self._block: list[bytes] = []

    def write(self, row: dict[str, Any]) -> None:
        """Append one line."""
        self._block.append(
            json.dumps(row, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        )
        self.lines += 1
        if len(self._block) >= LINES_PER_BLOCK:
            self.flush()

    def flush(self) -> None:
        """Close the block and write it to the disk."""
        if not self._block:
            return
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, "zstd") as out:
            out.write(b"".join(self._block))
        self._block.clear()
        view = memoryview(sink.getvalue().to_pybytes())
        while view:
            view = view[os.write(self._fd, view) :]
        os.fdatasync(self._fd)

    def close(self) -> None:
        """Write what is left and close the file."""
        self.flush()
        os.close(self._fd)


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a recording, in order.

    A file that ends in the middle of a block or a line gives what is whole. Raises NasacctError when the file is no
    recording at all, or a line in it is not JSON.
    """
    try:
        data = path.read_bytes()
    except OSError as err:
        raise of_os(err, f"reading the recording {path}") from err
    number, rest = 0, b""
    for block in _blocks(data) if data.startswith(_ZSTD) else [data]:
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            number += 1
            if line.strip():
                yield _row(path, number, line)
    if number == 0:
        raise NasacctError(f"{path}: not a recording (no whole line in it); `nasacct record` makes one", DATA)


def _blocks(data: bytes) -> Iterator[bytes]:
    """What the zstd frames hold, one after the other; of a torn one at the end, what could be unpacked."""
    start = 0
    while start < len(data):
        end = start
        while True:
            # the four bytes of the magic number may also stand inside a frame: then it unpacks only with what follows
            found = data.find(_ZSTD, end + len(_ZSTD))
            end = len(data) if found < 0 else found
            unpacked, whole = _unpack(data[start:end])
            if whole or end == len(data):
                break
        yield unpacked
        start = end


def _unpack(frame: bytes) -> tuple[bytes, bool]:
    parts: list[bytes] = []
    with pa.CompressedInputStream(pa.BufferReader(frame), "zstd") as stream:
        try:
            while part := stream.read(_PIECE):
                parts.append(bytes(part))
        except OSError:
            return b"".join(parts), False
    return b"".join(parts), True


def _row(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as err:
        raise NasacctError(f"{path}: line {number} is not JSON ({err}); the recording is damaged there", DATA) from None
    if not isinstance(row, dict):
        raise NasacctError(f"{path}: line {number} is not a JSON object; the file is no recording", DATA)
    return row


def trouble(row: dict[str, Any]) -> str | None:
    """What is wrong with a line of a recording, as the end of a sentence; None for one that can be played."""
    if not ({"static", "event", "servers"} & row.keys()):
        return None
    for key in ("t", "wall"):
        if key in row or "static" not in row:
            value = row.get(key)
            if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) < _LATEST_S:
                return f"has no number as {key}"
    if not isinstance(row.get("boot_ns", 0), int):
        return "has no whole number as boot_ns"
    if "static" in row:
        return _static_trouble(row["static"])
    if "event" in row:
        return _event_trouble(row)
    host, servers = row.get("host", {}), row["servers"]
    if not isinstance(host, dict) or not isinstance(servers, dict):
        return "has a host or servers that are no objects"
    if not all(isinstance(entry, dict) for entry in servers.values()):
        return "has a server that is no object"
    return None


def _static_trouble(static: Any) -> str | None:
    if not isinstance(static, dict):
        return "has a static part that is no object"
    if not isinstance(static.get("interval_s", 10), int | float):
        return "has no number as interval_s"
    kinds = {"servers": dict, "links": dict, "disks": list, "physical": list}
    for key, kind in kinds.items():
        if key in static and not isinstance(static[key], kind):
            return f"has {key} of the wrong kind"
    servers, disks = static.get("servers", {}).values(), static.get("disks", ())
    if not all(isinstance(one, dict) and isinstance(one.get("epoch"), str) for one in (*servers, *disks)):
        return "has a server or disk without an epoch"
    if not all(isinstance(disk.get(key), str) for disk in disks for key in ("device", "identity")):
        return "has a disk without device or identity"
    return next((wrong for server in servers if (wrong := _exports_trouble(server))), None)


def _exports_trouble(server: dict[str, Any]) -> str | None:
    exports = server.get("exports", [])
    if isinstance(exports, list) and all(isinstance(export, list) and len(export) in (3, 4) for export in exports):
        return None
    return "has an export that is no directory, path and host"


def _event_trouble(row: dict[str, Any]) -> str | None:
    needed = {"server_ended": ("server", "epoch"), "link_ended": ("epoch",)}.get(str(row["event"]), ())
    if not all(isinstance(row.get(key), str) for key in needed):
        return f"tells of a {row['event']} without {' and '.join(needed)}"
    for key in ("received_bytes", "sent_bytes"):
        if not isinstance(row.get(key) or 0, int):
            return f"has no whole number as {key}"
    return _exports_trouble(row)
