"""inotify(7) by ctypes: what happens to the names in a directory, as the kernel tells it.

A record of the kernel is `struct inotify_event`: int wd, u32 mask, u32 cookie, u32 length, then the name, padded
with NUL bytes to that length.
"""

from __future__ import annotations

import ctypes
import os
import struct
from typing import NamedTuple

IN_MODIFY = 0x2
IN_CLOSE_WRITE = 0x8
IN_MOVED_FROM = 0x40
IN_MOVED_TO = 0x80
IN_CREATE = 0x100
IN_DELETE = 0x200
IN_DELETE_SELF = 0x400
IN_MOVE_SELF = 0x800
IN_UNMOUNT = 0x2000
IN_Q_OVERFLOW = 0x4000
IN_IGNORED = 0x8000
IN_ONLYDIR = 0x1000000
IN_MASK_ADD = 0x20000000
IN_ISDIR = 0x40000000

_HEAD = struct.Struct("iIII")
_libc = ctypes.CDLL(None, use_errno=True)


class Happening(NamedTuple):
    """One record: the watch `wd` it belongs to (-1: none, events were lost), what happened, and to which name."""

    wd: int
    mask: int
    name: str


class Inotify:
    """One inotify descriptor; raises OSError as the system calls do."""

    def __init__(self) -> None:
        self._fd = _checked(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC), None)

    def fileno(self) -> int:
        """Readable when something happened."""
        return self._fd

    def add(self, path: str, mask: int) -> int:
        """Watch a directory; gives its number, which is the old one when the same directory is watched already."""
        return _checked(_libc.inotify_add_watch(self._fd, os.fsencode(path), ctypes.c_uint32(mask | IN_ONLYDIR)), path)

    def remove(self, wd: int) -> None:
        """End a watch; one that has ended by itself is no error."""
        _libc.inotify_rm_watch(self._fd, wd)

    def read(self) -> list[Happening]:
        """Everything that happened since the last call, without waiting."""
        found: list[Happening] = []
        while True:
            try:
                data = os.read(self._fd, 65536)
            except BlockingIOError:
                return found
            at = 0
            while at < len(data):
                wd, mask, _, length = _HEAD.unpack_from(data, at)
                at += _HEAD.size
                found.append(Happening(wd, mask, os.fsdecode(data[at : at + length].rstrip(b"\0"))))
                at += length

    def close(self) -> None:
        """End all watches."""
        os.close(self._fd)


def _checked(result: int, path: str | None) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)
    return result
