"""Servers whose calls in flight are made up, but whose sockets and answers cost what real ones do.

What a dump takes the kernel itself is that of a question about a family (CTRL_CMD_GETFAMILY, `nlctrl`). On an
emulated machine with Linux 6.12.117, where both could be asked, the dump of an idle server took 160 us of CPU time,
that question 111 us (the least of five times a thousand): so on a real one some 5 us are to be added to each sample.
"""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nasacct.collect import rpc_status
from nasacct.collect.live import Live
from nasacct.collect.rpc_status import Call, RpcStatus, take

if TYPE_CHECKING:
    from nasacct.collect.machine import LinkCounters, Server
    from nasacct.config import Config

#: One server in so many is used.
USED = 5
#: A family that every kernel has.
_CONTROL = "nlctrl"
#: SEQUENCE PUTFH READ_PLUS.
_OPS = (53, 22, 68)


class StandIn(RpcStatus):
    """Asks the kernel something and says that these calls, as bytes, are in flight; counts in `asked` how often."""

    def __init__(self, answer: bytes, asked: list[int]) -> None:
        rpc_status.FAMILY = _CONTROL
        super().__init__()
        self._answer, self._asked = answer, asked

    def calls(self) -> list[Call]:
        """See `RpcStatus.calls`."""
        self._find()
        self._asked[0] += 1
        found: list[Call] = []
        take(self._answer, 0, found, self._known)
        return found

    def threads(self) -> int:
        """See `RpcStatus.threads`."""
        self._find()
        return 8


class Nas(Live):
    """This machine, with so many calls in flight of each used server, whose link moves."""

    def __init__(self, config: Config, rows: int) -> None:
        super().__init__(config)
        # one that may be asked
        self.kernel, self._rows, self._grown = "6.12.117", rows, 0
        self.asked: dict[bool, list[int]] = {True: [0], False: [0]}

    def calls_in_flight(self, server: Server) -> RpcStatus:
        """A socket inside the server's namespace."""
        used = self.used(server.name)
        answer = answered(self._rows if used else 0)
        return self._inside(server, lambda: StandIn(answer, self.asked[used]))

    def used(self, name: str) -> bool:
        """Whether it, or the link of that name, is one of those that are used."""
        digits = "".join(filter(str.isdigit, name))
        return bool(digits) and int(digits) % USED == 0

    def links(self, since_ns: int | None = None) -> LinkCounters:
        """With those of used servers grown."""
        self._grown += 1000
        found = super().links(since_ns)
        values = found.values.copy()
        values[np.array([self.used(name) for name in found.names], bool), 0] += self._grown
        return replace(found, values=values)


def answered(rows: int) -> bytes:
    """So many calls of NFSv4.2 clients, two of each, as Linux 6.12 writes them, and the end."""
    return b"".join(_row(number) for number in range(rows)) + struct.pack("=IHHIIi", 20, 3, 2, 0, 0, 0)


def _row(number: int) -> bytes:
    attributes = [
        *((1, struct.pack(">I", number)), (2, struct.pack("=I", 0x21)), (3, struct.pack("=I", 100003))),
        *((5, struct.pack("=I", 1)), (4, b"\4"), (6, struct.pack("=q", 88_000_000 + number))),
        *((8, bytes([172, 16, 8, number // 2])), (9, bytes([172, 16, 128, 1]))),
        *((12, struct.pack(">H", 700)), (13, struct.pack(">H", 2049))),
        *((14, struct.pack("=I", op)) for op in _OPS),
    ]
    body = b"".join(
        struct.pack("=HH", 4 + len(content), kind) + content + bytes(-len(content) % 4) for kind, content in attributes
    )
    return struct.pack("=IHHII", 20 + len(body), 34, 2, 0, 0) + struct.pack("=BBH", 1, 1, 0) + body
