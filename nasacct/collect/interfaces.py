"""Network interfaces as rtnetlink(7) tells of them: one by one, with name, kind and the other end of a veth.

This is for discovery and events, where pyroute2's messages do the decoding (about 0.3 ms each). The counters of all
interfaces in every cycle come another way: link_stats.py.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.nsidmsg import nsidmsg

if TYPE_CHECKING:
    from collections.abc import Iterator

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
RTM_GETNSID = 90
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_REQUEST, NLM_F_DUMP_INTR, NLM_F_DUMP = 0x1, 0x10, 0x300
_RTEXT_FILTER_SKIP_STATS = 8
_WINDOW = 65536
_HEADER = struct.Struct("=IHHII")
#: How long the kernel may take to answer before it counts as a failure.
ANSWER_S = 2


@dataclass(frozen=True, slots=True)
class Interface:
    """One interface, as seen from its namespace.

    `peer` is the ifindex of a veth's other end, `peer_nsid` the id by which this namespace knows the other end's;
    None where there is no other end, or it is in the same namespace.
    """

    ifindex: int
    name: str
    kind: str | None
    peer: int | None
    peer_nsid: int | None


def route_socket() -> socket.socket:
    """A netlink socket in the network namespace of the calling thread, which gives up waiting after ANSWER_S."""
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", ANSWER_S, 0))
    return sock


def dump(sock: socket.socket) -> list[Interface]:
    """All interfaces of the socket's namespace, once more if they changed meanwhile. Raises OSError."""
    for _ in range(3):
        whole, found = True, []
        for flags, message in _dump(sock):
            whole &= not flags & NLM_F_DUMP_INTR
            found.append(of_message(message))
        if whole:
            break
    return found


def of_message(message: Any) -> Interface:
    """The interface that a decoded `ifinfmsg` tells of."""
    link = message.get_attr("IFLA_LINKINFO")
    nsid = message.get_attr("IFLA_LINK_NETNSID")
    return Interface(
        message["index"],
        message.get_attr("IFLA_IFNAME") or "",
        link.get_attr("IFLA_INFO_KIND") if link is not None else None,
        message.get_attr("IFLA_LINK") or None,
        nsid if nsid is not None and nsid >= 0 else None,
    )


def nsid_of(sock: socket.socket, namespace_fd: int) -> int | None:
    """The id by which the socket's namespace knows the one of the descriptor; None when it has none. Raises OSError."""
    request = nsidmsg()
    request["header"]["type"], request["header"]["flags"] = RTM_GETNSID, NLM_F_REQUEST
    request["attrs"] = [("NETNSA_FD", namespace_fd)]
    request.encode()
    sock.send(request.data)
    data = sock.recv(_WINDOW)
    _raise_error(data, 0)
    answer = nsidmsg(data)
    answer.decode()
    nsid = answer.get_attr("NETNSA_NSID")
    return nsid if nsid is not None and nsid < 1 << 31 else None


def _dump(sock: socket.socket) -> Iterator[tuple[int, Any]]:
    request = ifinfmsg()
    request["header"]["type"], request["header"]["flags"] = RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP
    request["attrs"] = [("IFLA_EXT_MASK", _RTEXT_FILTER_SKIP_STATS)]
    request.encode()
    sock.send(request.data)
    while True:
        data = sock.recv(_WINDOW)
        at = 0
        while at + _HEADER.size <= len(data):
            length, kind, flags, _, _ = _HEADER.unpack_from(data, at)
            if kind == NLMSG_DONE:
                return
            _raise_error(data, at)
            message = ifinfmsg(data, offset=at)
            message.decode()
            yield flags, message
            at += (length + 3) & ~3


def _raise_error(data: bytes, at: int) -> None:
    """NLMSG_ERROR carries a negative errno behind the header."""
    if _HEADER.unpack_from(data, at)[1] == NLMSG_ERROR:
        number = -int.from_bytes(data[at + 16 : at + 20], sys.byteorder, signed=True)
        raise OSError(number, os.strerror(number))
