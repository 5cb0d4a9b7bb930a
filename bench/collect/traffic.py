"""Real change between two cycles: one UDP packet through the veth of each chosen server.

It is broadcast to a port where nobody listens. So it moves the link's counters on both ends and, in the server's
namespace, those of net/snmp (received, delivered, no port), and nothing answers.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_ETH_P_IP = 0x0800


class Traffic:
    """Sends through the host's ends of the veths, given by name."""

    def __init__(self, links: Sequence[str]) -> None:
        self._links = list(links)
        self._sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._packet = _packet()

    def send(self, which: Iterable[int]) -> None:
        """One packet to each of these servers, by their place in the list. Raises OSError."""
        for i in which:
            self._sock.sendto(self._packet, (self._links[i], _ETH_P_IP))


def _packet() -> bytes:
    """Ethernet, IPv4 (RFC 791) and UDP (RFC 768, without its optional checksum), from and to nobody in particular."""
    payload = b"nasacct bench".ljust(64, b"\0")
    udp = struct.pack("!HHHH", 9, 9, 8 + len(payload), 0)
    total = 20 + len(udp) + len(payload)
    source, everybody = socket.inet_aton("192.0.2.1"), b"\xff" * 4
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, total, 0, 0, 1, socket.IPPROTO_UDP, 0, source, everybody)
    total_of_words = sum(struct.unpack("!10H", head))
    checksum = ~(total_of_words + (total_of_words >> 16)) & 0xFFFF
    head = head[:10] + struct.pack("!H", checksum) + head[12:]
    return b"\xff" * 6 + b"\x02" + b"\0" * 5 + struct.pack("!H", _ETH_P_IP) + head + udp + payload
