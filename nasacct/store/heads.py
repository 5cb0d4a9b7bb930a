"""Heads that are kept aside: what stood when a journal file was begun, where the file before does not say it.

Usage of a file that is damaged, cannot be read, or ends in frames that the next one repeats, reaches to the head of
the next file. Should that one rot before it is kept, the file before does not tell how far it was counted: what lies
between would be counted twice, or not at all. So the head is copied before anything is made that builds on it; and so
is that of a file which is bridged, for when it has been put aside the file before may have to be counted again.

    ROOT/node=N/journal/00000003-20261123T103000Z-1f6c2d3e.head      beside the .journal of the same name
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from nasacct.store import journal
from nasacct.store import root as store_root

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nasacct.store.journal import Journal

_SUFFIX, _JOURNAL = ".head", ".journal"


def keep_head(folder: Path, found: Journal, following: Journal) -> None:
    """Copy the head of the `following` file, if it will be needed to say how far `found` counts. OSError.

    If `found` is bridged itself, what stands for its head is written down too: the file before may have been counted
    long ago, and may have to be counted again when this one has been put aside.
    """
    repeated = bool(found.frames) and found.origin.run == following.origin.run
    repeated = repeated and found.frames[-1].seq >= following.first_seq
    if found.broken:
        _write(folder, found)
    if found.broken or found.trouble or repeated or following.broken:
        _write(folder, following)


def _write(folder: Path, of: Journal) -> None:
    head = journal.encode_head(of.origin, of.first_seq, of.at, of.carry)
    store_root.write_atomically((folder / of.name).with_suffix(_SUFFIX), head)


def head_of(path: Path) -> Journal | None:
    """The journal file at `path` without its frames, as far as its head was kept aside. OSError."""
    with suppress(FileNotFoundError, journal.JournalError):
        return read_head(path.with_suffix(_SUFFIX))
    return None


def heads(folder: Path) -> list[Path]:
    """The heads that are kept in a journal folder, in order. OSError."""
    return sorted(folder.glob(f"[0-9]*{_SUFFIX}"))


def read_head(path: Path) -> Journal:
    """One of the `heads`; errors as those of `journal.read`."""
    return journal.read(path, path.with_suffix(_JOURNAL).name)


def alone(paths: Sequence[Path]) -> list[Path]:
    """The heads of journal files that are not among the `paths` (in order) any more, but lie between them. OSError."""
    if len(paths) < 2:
        return []
    names = {p.stem for p in paths}
    return [p for p in heads(paths[0].parent) if paths[0].stem < p.stem < paths[-1].stem and p.stem not in names]


def expire_heads(folder: Path) -> None:
    """Delete the heads that no journal file needs any more: neither its own nor one before it is there. OSError."""
    there = journal.files(folder)
    for path in heads(folder):
        if not path.with_suffix(_JOURNAL).exists() and (not there or path.stem < there[0].stem):
            path.unlink()
