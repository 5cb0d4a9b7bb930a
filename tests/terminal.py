"""A program on a terminal of 80 columns and 24 lines, whose screen a test reads as a person would."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from typing import TYPE_CHECKING, Self

import pyte

if TYPE_CHECKING:
    from collections.abc import Callable

COLUMNS, LINES = 80, 24
#: How long a test waits for what it wants to see.
PATIENCE_S = 60


class Terminal:
    """`nasacct` with these arguments, until the `with` block is left."""

    def __init__(self, *arguments: object) -> None:
        self._screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.ByteStream(self._screen)
        self._ours, its = pty.openpty()
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        environ = {**os.environ, "TERM": "xterm"}
        environ = {key: value for key, value in environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR")}
        command = [sys.executable, "-m", "nasacct", *map(str, arguments)]
        self.process = subprocess.Popen(command, env=environ, stdin=its, stdout=its, stderr=its)
        os.close(its)
        self.sent = b""

    @property
    def lines(self) -> list[str]:
        """What is on the screen."""
        return [line.rstrip() for line in self._screen.display]

    @property
    def marked(self) -> list[str]:
        """The lines that stand in reverse."""
        rows = self._screen.buffer
        return [line for i, line in enumerate(self.lines) if any(cell.reverse for cell in rows[i].values())]

    def press(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._ours, keys)

    def until(self, seen: Callable[[Self], object]) -> list[str]:
        """Wait until that is on the screen; gives back the lines."""
        deadline = time.monotonic() + PATIENCE_S
        while not seen(self):
            assert time.monotonic() < deadline, "\n".join(self.lines)
            self._read(0.2)
        return self.lines

    def end(self) -> int:
        """Wait for the program's end, and give back its exit status."""
        deadline = time.monotonic() + PATIENCE_S
        while self.process.poll() is None and time.monotonic() < deadline:
            self._read(0.2)
        while self._read(0):
            pass
        return self.process.wait(1)

    def _read(self, wait_s: float) -> bool:
        if not select.select([self._ours], [], [], wait_s)[0]:
            return False
        try:
            data = os.read(self._ours, 65536)
        except OSError:
            # how the end of a terminal reads
            return False
        self.sent += data
        self._stream.feed(data)
        return bool(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait(30)
        os.close(self._ours)
