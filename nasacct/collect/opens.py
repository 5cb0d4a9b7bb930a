"""How many TCP connections a network namespace has accepted: `PassiveOpens` of net/snmp.

    Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails ...
    Tcp: 1 200 120000 -1 2 57 0 ...

(net/ipv4/proc.c; counted in tcp_create_openreq_child, of both families.) Reading it takes the kernel some microseconds;
a list of connections, a millisecond. As long as it stands still nobody has come.
"""

from __future__ import annotations

import errno
import os

from nasacct.collect.descriptor import Descriptor
from nasacct.collect.lines import ParseError, fields, lines, number

_PATH = "/proc/thread-self/net/snmp"
_TCP, _OPENS = "Tcp:", "PassiveOpens"


class Opens:
    """Those of the calling thread's network namespace, which it keeps alive until `close`. Raises OSError."""

    def __init__(self) -> None:
        self._file: Descriptor | None = Descriptor(os.open(_PATH, os.O_RDONLY | os.O_CLOEXEC))

    def read(self) -> int:
        """How many there were so far. Raises OSError, also when the kernel's text says no number."""
        if self._file is None:
            raise OSError(errno.EBADF, "closed")
        try:
            return passive_opens(self._file.text())
        except ParseError as error:
            raise OSError(errno.EBADMSG, f"net/snmp, {error}") from None

    def close(self) -> None:
        """Let the namespace go."""
        self._file = None


def passive_opens(text: bytes | str) -> int:
    """The number in the text of net/snmp. Raises ParseError when there is none."""
    names: list[str] = []
    for line_no, line in enumerate(lines(text), 1):
        if not line.startswith(_TCP):
            continue
        words = fields(line)
        if not names:
            names = words
        elif _OPENS in names and len(words) == len(names):
            return number(words[names.index(_OPENS)], line_no)
        else:
            raise ParseError(line_no, f"it does not say {_OPENS}")
    raise ParseError(1, "it says nothing of TCP")
