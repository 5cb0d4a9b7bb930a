"""Recordings: what a collector read, as raw text, one JSON line a cycle, compressed with zstd.

A line is one of three, told apart by its keys (docs/recording.md has every field):

    {"static": {...}, "t": 0.0, "wall": ...}                       who lives here and what their epochs are
    {"n": 0, "t": ..., "wall": ..., "host": {...}, "servers": {...}}   one cycle
    {"event": "server_ended", "t": ..., "server": "101", ...}         something between two cycles

Keys that a reader does not know are passed over, lines of other kinds too: recordings of tomorrow stay readable.
"""

from __future__ import annotations

import io
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
        sink = io.BytesIO()
        with pa.CompressedOutputStream(sink, "zstd") as out:
            out.write(b"".join(self._block))
        self._block.clear()
        view = memoryview(sink.getvalue())
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
        with path.open("rb") as raw:
            packed = raw.read(4) == b"\x28\xb5\x2f\xfd"
        source = pa.OSFile(str(path), "rb")
    except OSError as err:
        raise of_os(err, f"reading the recording {path}") from err
    stream = pa.CompressedInputStream(source, "zstd") if packed else source
    number, rest = 0, b""
    with source, stream:
        while True:
            try:
                chunk = stream.read(1 << 20)
            except OSError as err:
                if number == 0 and not rest:
                    raise NasacctError(f"{path}: not a recording ({err}); `nasacct record` makes one", DATA) from err
                return
            if not chunk:
                break
            *lines, rest = (rest + bytes(chunk)).split(b"\n")
            for line in lines:
                number += 1
                if line.strip():
                    yield _row(path, number, line)
    if number == 0:
        raise NasacctError(f"{path}: not a recording (no line in it); `nasacct record` makes one", DATA)


def _row(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as err:
        raise NasacctError(f"{path}: line {number} is not JSON ({err}); the recording is damaged there", DATA) from None
    if not isinstance(row, dict):
        raise NasacctError(f"{path}: line {number} is not a JSON object; the file is no recording", DATA)
    return row
