"""Journal files as bytes: whom they know of, and where their frames end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nasacct.store import journal

if TYPE_CHECKING:
    from pathlib import Path


def epochs_in(path: Path) -> set[str]:
    """Whom a journal file knows of, as far as it can be read. An interface of nobody's is nobody's."""
    try:
        found = journal.read(path)
    except journal.JournalError:
        return set()
    subjects = [*found.carry.live.values(), *(s for frame in found.frames for s in frame.births)]
    return {s.epoch for s in subjects if s.source == "nfsd" or s.keys["server"] is not None}


def frame_ends(data: bytes) -> list[int]:
    """Where the head and each frame of a journal end."""
    ends, offset = [], len(journal.MAGIC)
    while offset + 8 <= len(data):
        offset += 8 + int.from_bytes(data[offset : offset + 4], "little")
        if offset > len(data):
            break
        ends.append(offset)
    return ends
