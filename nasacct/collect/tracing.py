"""A trace instance of our own, and one histogram in it that the kernel fills while nobody looks.

Instances and histogram triggers are described in the kernel's Documentation/trace/ftrace.rst and histogram.rst. An
instance has buffers and triggers of its own, so nothing of other tracers is touched, and removing it removes what is in
it. It is locked while it is used: one that is there and not locked was left by a collector that was killed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from nasacct.collect.descriptor import Descriptor

TRACEFS = Path("/sys/kernel/tracing")
EVENT = "events/sunrpc/svc_stats_latency"
#: How many entries a histogram may have at most (tracing_map.h: TRACING_MAP_BITS_MAX), and has at least.
_MOST, _LEAST = 1 << 17, 1 << 10
#: For each server there is room for so many, of which it needs about half: procedures, powers of two, threads.
_ROOM = 32

_HEAD = b"\n# trigger info: hist:name="
_NAME = re.compile(rb"\w+", re.ASCII)
_ENTRY = re.compile(
    rb"\{ netns_ino: +(\d+), \w+: +(?:~ 2\^)?(\S+) +\} hitcount: +(\d+)(?:  execute: +(\d+))?", re.ASCII
)
_TOTALS = re.compile(rb"Totals:\n +Hits: (\d+)\n +Entries: (\d+)\n +Dropped: (\d+)\n")


@dataclass(frozen=True, slots=True)
class Section:
    """What one histogram shows: its lines, how many entries it has, how many events it had no room for."""

    lines: frozenset[bytes]
    entries: int
    dropped: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: what fell on this namespace and key, how often, and the sum of the microseconds (0 without one)."""

    namespace: int
    key: bytes
    hits: int
    us: int


def room(servers: int) -> int:
    """How many entries a histogram of so many servers should have: a power of two."""
    return min(max(1 << (_ROOM * servers).bit_length(), _LEAST), _MOST)


def sections(text: bytes) -> dict[str, Section]:
    """By name, the histograms of a `hist` file; one whose totals are missing was cut off and is left out."""
    found = {}
    for part in text.split(_HEAD)[1:]:
        name, _, body = part.partition(b":")
        foot = body.rfind(b"Totals:")
        totals = _TOTALS.match(body, foot) if foot >= 0 else None
        if totals is not None and _NAME.fullmatch(name):
            begin = body.find(b"{", 0, foot)
            lines = body[begin:foot].split(b"\n") if begin >= 0 else []
            found[name.decode("ascii")] = Section(frozenset(filter(None, lines)), int(totals[2]), int(totals[3]))
    return found


def entry(line: bytes) -> Entry | None:
    """What a line says; None when it is no such line."""
    found = _ENTRY.fullmatch(line)
    if found is None:
        return None
    return Entry(int(found[1]), found[2], int(found[3]), int(found[4] or 0))


class Counting(Protocol):
    """A histogram that counts: its generations are named, and a new one counts before the old one is removed."""

    def begin(self, name: str, size: int) -> None:
        """Count in a generation of that name, with room for so many entries. Raises OSError."""
        ...

    def read(self) -> dict[str, Section]:
        """What every generation counts now. Raises OSError."""
        ...

    def remove(self, name: str) -> None:
        """Stop counting in that generation. Raises OSError."""
        ...

    def close(self) -> None:
        """Leave nothing behind."""
        ...


class Histogram:
    """A `Counting` of one event of this kernel, by network namespace and `key`; with `us` its time is summed, too.

    What is read stays open, and with it the kernel's buffer: in a new one it begins with a page, prints everything
    into it, and anew into one twice as large until all has room, which takes ten times as long.
    """

    def __init__(self, instance: str, key: str, *, us: bool, tracefs: Path = TRACEFS) -> None:
        self._folder = tracefs / "instances" / instance
        self._keys = f"keys=netns_ino,{key}" + (":vals=execute" if us else "")
        self._lock: int | None = None
        self._shown: Descriptor | None = None
        self._length = 0
        self._sizes: dict[str, int] = {}

    def begin(self, name: str, size: int) -> None:
        """Count in a generation of that name, and make the instance if it is not there."""
        made = self._lock is None
        try:
            if made:
                self._make()
            _write(self._folder / EVENT / "trigger", f"hist:name={name}:{self._keys}:size={size}")
        except OSError:
            if made:
                self.close()
            raise
        self._sizes[name] = size

    def read(self) -> dict[str, Section]:
        """What every generation counts now."""
        if self._shown is None:
            self._shown = Descriptor(os.open(self._folder / EVENT / "hist", os.O_RDONLY | os.O_CLOEXEC))
        text = self._shown.text(max(2 * self._length, 65536))
        self._length = len(text)
        return sections(text)

    def remove(self, name: str) -> None:
        """Stop counting in that generation."""
        _write(self._folder / EVENT / "trigger", f"!hist:name={name}:{self._keys}:size={self._sizes.pop(name)}")

    def close(self) -> None:
        """Remove the instance with all that is in it."""
        # an instance of which a file is open cannot be removed
        self._shown = None
        if self._lock is not None:
            with contextlib.suppress(OSError):
                self._folder.rmdir()
            os.close(self._lock)
            self._lock = None
            self._sizes.clear()

    def _make(self) -> None:
        """Make the instance anew, and lock it."""
        if self._folder.is_dir():
            left = _locked(self._folder)
            try:
                self._folder.rmdir()
            finally:
                os.close(left)
        self._folder.mkdir()
        self._lock = _locked(self._folder)
        # nothing is ever recorded in them, and on a big machine they are 1.4 MB for every processor
        _write(self._folder / "buffer_size_kb", "4")


def _locked(folder: Path) -> int:
    found = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(found)
        raise OSError(errno.EBUSY, "another collector counts there", str(folder)) from None
    return found


def _write(file: Path, text: str) -> None:
    """One write. Without O_TRUNC, which would take all triggers away."""
    opened = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(opened, text.encode("ascii"))
    finally:
        os.close(opened)
