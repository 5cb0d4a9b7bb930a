"""Open files that are kept: read from their beginning in every cycle, closed when nobody uses them any more."""

from __future__ import annotations

import contextlib
import os


class Descriptor:
    """One open file descriptor.

    It is closed with its last reference. So one thread may drop it while another reads: the number cannot come to mean
    another file in the middle of a read.
    """

    __slots__ = ("_fd",)

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def text(self, size: int = 8192) -> bytes:
        """The whole file. Raises OSError.

        A counter file of one record (single_open in the kernel: net/rpc/nfsd, net/snmp) comes whole in one read if
        `size` has room for it.
        """
        data = os.pread(self._fd, size, 0)
        if len(data) < size:
            return data
        return self._rest(data, size)

    def lines(self, size: int = 65536) -> bytes:
        """The whole file, for those that the kernel hands out a few lines at a time: until nothing more comes."""
        return self._rest(os.pread(self._fd, size, 0), size)

    def _rest(self, data: bytes, size: int) -> bytes:
        parts, at = [data], len(data)
        while data:
            data = os.pread(self._fd, size, at)
            parts.append(data)
            at += len(data)
        return b"".join(parts)

    def __del__(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self._fd)
