"""`nasacct top` on a terminal: it looks again and again, and keys say what is shown.

b r w c t n  sort by bytes, read, written, calls, time of threads, name
Up, Down     choose a server        Enter    its clients        Esc    back to the servers
q            end
"""

import os
import re
import select
import signal
import sys
import termios
import time
import tty
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from nasacct.cli.top_screen import screen

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console, RenderableType

    from nasacct.config import Config
    from nasacct.reports.now import Sort, Top

_SORTS: "dict[str, Sort]" = {"b": "bytes", "r": "read", "w": "written", "c": "calls", "t": "time", "n": "server"}
#: What terminals send.
_KEYS = {
    b"\x1b[A": "up",
    b"\x1bOA": "up",
    b"k": "up",
    b"\x1b[B": "down",
    b"\x1bOB": "down",
    b"j": "down",
    b"\r": "enter",
    b"\n": "enter",
    b"\x1b": "back",
    b"\x7f": "back",
    b"q": "end",
    **{letter.encode(): letter for letter in _SORTS},
}
#: One key of several that came together: a sequence, or a byte.
_ONE = re.compile(rb"\x1b[\[O][0-9;]*[@-~]|.", re.DOTALL)
#: How long the rest of a sequence may be on its way.
_SPLIT_S = 0.05
_HELP = "sort: b bytes r read w written c calls t time n name  Enter clients  q end"
_HELP_OF_CLIENTS = "sort: b bytes, n name    Esc back    q end"


@dataclass(slots=True)
class Shown:
    """What is shown: in which order, with which row marked (by node and name), or the clients of which server."""

    sort: "Sort"
    server: str | None = None
    marked: tuple[str, str] | None = None

    def press(self, key: str, found: "Top") -> bool:
        """Do what a key says; whether something else must be asked for."""
        if key in _SORTS:
            self.sort = _SORTS[key]
            found.sort(self.sort)
        elif key in ("up", "down") and self.server is None and found.servers:
            at = self.place(found)
            at = (-1 if key == "up" else 0) if at is None else at + (1 if key == "down" else -1)
            one = found.servers[at % len(found.servers)]
            self.marked = one.node, one.server
        elif key == "enter" and self.server is None and self.place(found) is not None and self.marked is not None:
            self.server = self.marked[1]
            return True
        elif key == "back" and self.server is not None:
            self.server = None
            return True
        return False

    def place(self, found: "Top") -> int | None:
        """Which row is marked."""
        if self.server is not None:
            return None
        names = [(one.node, one.server) for one in found.servers]
        return names.index(self.marked) if self.marked in names else None


def watch(
    look: "Callable[[Sort, str | None], Top]",
    settings: "Config",
    console: "Console",
    shown: Shown,
    every_s: float,
) -> None:
    """Show it until q or Ctrl-C. `look` asks, for an order and a server."""
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    def drawn(found: "Top") -> "RenderableType":
        help_line = _HELP if shown.server is None else _HELP_OF_CLIENTS
        lines = console.height - 2
        what = screen(found, settings, server=shown.server, lines=lines, marked=shown.place(found))
        return Group(what, Text(""), Text(help_line, style="dim", no_wrap=True, overflow="ellipsis"))

    with _Keys() as keys, Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            found, due = look(shown.sort, shown.server), time.monotonic() + every_s
            live.update(drawn(found), refresh=True)
            while (left := due - time.monotonic()) > 0:
                pressed = keys.next(left)
                if pressed == "end":
                    return
                if shown.press(pressed, found):
                    break
                live.update(drawn(found), refresh=True)


class _Keys:
    """The keys that are pressed, each at once, until the `with` block is left; Ctrl-C is one of them.

    So it comes between two looks; who presses it twice does not wait for one.
    """

    def __enter__(self) -> Self:
        self._pressed: list[bytes] = []
        self._told, told = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._asked = [self._told, *([sys.stdin.fileno()] if sys.stdin.isatty() else [])]
        self._before = termios.tcgetattr(sys.stdin) if len(self._asked) > 1 else None
        if self._before is not None:
            tty.setcbreak(sys.stdin)
        # also where whoever started this in the background of a script ignores Ctrl-C
        signal.signal(signal.SIGINT, lambda *_: signal.signal(signal.SIGINT, signal.default_int_handler))
        signal.set_wakeup_fd(told)
        return self

    def next(self, wait_s: float) -> str:
        """The next key, '' when none was pressed for so long, or one that means nothing."""
        if not self._pressed:
            ready, _, _ = select.select(self._asked, [], [], wait_s)
            if not ready:
                return ""
            data = os.read(sys.stdin.fileno(), 1024) if self._told not in ready else b""
            if data.endswith(b"\x1b") and select.select([sys.stdin], [], [], _SPLIT_S)[0]:
                data += os.read(sys.stdin.fileno(), 1024)
            # at the input's end nobody can press anything any more
            self._pressed = _ONE.findall(data) if data else [b"q"]
        return _KEYS.get(self._pressed.pop(0), "")

    def __exit__(self, *_: object) -> None:
        told = signal.set_wakeup_fd(-1)
        for descriptor in (self._told, told):
            os.close(descriptor)
        if self._before is not None:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._before)
