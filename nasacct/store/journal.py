r"""The journal: what the collector writes, one frame a cycle, before anything else is made of it.

A file is `NASJ1\n` and then frames: length (u32), crc32 of the payload (u32), payload. The payload is a JSON header's
length (u32), the header (UTF-8), and rows of numbers of each stream named in the header (`journal_rows.py`). The first
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
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from nasacct.errors import DATA, NasacctError
from nasacct.store.journal_frames import (
    FRAME,
    HEADER,
    LENGTH,
    MAGIC,
    MAX_FRAME,
    VERSION,
    DamagedError,
    Journal,
    Origin,
    decode_frame,
    decode_head,
    encode_frame,
    encode_head,
    unpack,
)

if TYPE_CHECKING:
    from pathlib import Path

    from nasacct.store.frame import Instant

__all__ = ["MAGIC", "Journal", "JournalError", "NewerJournalError", "Origin", "encode_frame", "encode_head", "read"]

_NAME = re.compile(r"(\d{8})-(\d{8}T\d{6})Z-([0-9a-f]{8})\.journal")


class JournalError(ValueError):
    """A journal file that cannot be read at all: foreign, or its head is damaged."""


class NewerJournalError(JournalError):
    """A sound journal file of a version that this program does not know."""


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
                start = file.read(len(MAGIC) + FRAME.size + LENGTH.size)
                (size,) = LENGTH.unpack(start[-LENGTH.size :])
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


def read(path: Path, name: str | None = None) -> Journal:
    """The file as far as it is whole; `name` is the journal file's that it stands for, if not its own.

    Raises JournalError when the file is foreign or its head is damaged, NewerJournalError when its version is newer;
    OSError when it cannot be read. Damage after the head costs the frames that it hit and is told in `trouble`.
    """
    data = path.read_bytes()
    if not data.startswith(MAGIC):
        raise JournalError(f"{path}: not a nasacct journal (it does not begin with NASJ1)")
    offset = len(MAGIC)
    try:
        header, parts, offset = unpack(data, offset)
        if header["nasacct_journal"] > VERSION:
            raise NewerJournalError(_newer(path, header))
        name = name or path.name
        journal = decode_head(name, number_of(path.with_name(name)), header, parts)
    except DamagedError as err:
        raise JournalError(f"{path}: the head is damaged ({err})") from None
    head = header
    subjects = dict(journal.carry.live)
    lost = False
    while offset < len(data):
        try:
            header, parts, end = unpack(data, offset)
        except DamagedError as err:
            journal.trouble = journal.trouble or f"{err} at byte {offset} of {len(data)}"
            lost = True
            # the length may be what is damaged: nothing but the beginning of a header tells where a frame is
            found = data.find(HEADER, offset + FRAME.size + LENGTH.size + 1)
            if found < 0:
                break
            offset = found - FRAME.size - LENGTH.size
            continue
        frame = decode_frame(header, parts, subjects, head)
        frame.after_loss, lost = lost, False
        journal.frames.append(frame)
        offset = end
    return journal
