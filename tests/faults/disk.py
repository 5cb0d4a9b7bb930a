"""The disk below the journal's writer: it may be full, hang, fail a sync once, or die with the process at any call."""

from __future__ import annotations

import errno
import os
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nasacct.store.journal_writer import JournalWriter


class Disk:
    """Stands for `os` in the writer's module. `fuse`: after so many calls the process is killed in the next one."""

    def __init__(self) -> None:
        self.state = "sound"
        self.fuse: int | None = None
        self.cut = 0
        self.parked = False
        self._free = threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def becomes(self, state: str) -> None:
        """`sound`, `full`, `hung`, `sick` (the next sync fails) or `dead` (the process is killed where it is)."""
        self.state, self.parked = state, False
        self._free.set()
        self._free = threading.Event()

    def settle(self, writer: JournalWriter) -> None:
        """Wait until the writer has written everything, hangs, or is dead."""
        while writer._thread.is_alive() and writer.waiting and not self.parked:
            time.sleep(0.0001)

    def open(self, *args: Any) -> int:
        self._call()
        return os.open(*args)

    def write(self, fd: int, data: memoryview) -> int:
        if self.state == "full":
            return self._fill(fd, data)
        try:
            self._call()
        except SystemExit:
            os.write(fd, data[: self.cut % (len(data) + 1)])
            raise
        return os.write(fd, data)

    def fsync(self, fd: int) -> None:
        self._sync()

    fdatasync = fsync

    def _sync(self) -> None:
        self._call()
        if self.state == "sick":
            self.state = "sound"
            raise OSError(errno.EIO, "Input/output error")

    def _fill(self, fd: int, data: memoryview) -> int:
        """What little is left is used up; then there is no space."""
        self.state = "filled"
        return os.write(fd, data[: 1 + self.cut % len(data)])

    def _call(self) -> None:
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse < 0:
                self.state, self.fuse = "dead", None
        if self.state == "dead":
            raise SystemExit
        if self.state == "filled":
            self.state = "waiting"
            raise OSError(errno.ENOSPC, "No space left on device")
        if self.state in ("waiting", "hung"):
            free, self.parked = self._free, True
            free.wait()
            if self.state == "dead":
                raise SystemExit
