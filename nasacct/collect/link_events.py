"""Births and ends of links, as rtnetlink(7) tells them (group RTNLGRP_LINK), with the last counters of what ends.

The last message of a veth (RTM_DELLINK) has its final sent counters, but 0 received: the kernel has parted the two
ends by then. What it received is what the other end sent, and that end's own last message tells it. It comes from
another network namespace and is heard by NETLINK_LISTEN_ALL_NSID, as long as that namespace lives.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import select
import socket
import struct
import time
from typing import TYPE_CHECKING, Any

from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from nasacct.collect import interfaces
from nasacct.collect.events import Event, LinkBorn, LinkEnded, ServersChanged
from nasacct.collect.machine import LINK_COLUMNS
from nasacct.store.frame import ABSENT, Instant

if TYPE_CHECKING:
    from nasacct.collect.interfaces import Interface

log = logging.getLogger(__name__)

_SOL_NETLINK, _ADD_MEMBERSHIP, _LISTEN_ALL_NSID = 270, 1, 8
_RTNLGRP_LINK = 1
_SO_RCVBUFFORCE = 33
#: Room for some thousand messages (about 4 KiB each in the kernel's count).
_BUFFER = 16 << 20
#: How long the other end's last message is waited for; both are sent within one call in the kernel.
_OTHER_END_MS = 20
#: Columns that a veth's last message has not: they are the other end's sent.
_OF_OTHER_END = {"rx_bytes": "tx_bytes", "rx_packets": "tx_packets"}

_End = tuple[int | None, int]


class LinkEvents:
    """One listening socket, and what is known of the host's links. Raises OSError where netlink is forbidden."""

    def __init__(self) -> None:
        self._sock = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE
        )
        try:
            self._sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
        except PermissionError:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        # a socket without an address of its own hears nothing
        self._sock.bind((0, 0))
        self._sock.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, _RTNLGRP_LINK)
        try:
            self._sock.setsockopt(_SOL_NETLINK, _LISTEN_ALL_NSID, 1)
        except OSError:
            log.warning("links' last sent bytes stay unknown: hearing other namespaces needs CAP_NET_BROADCAST")
        self._links: dict[int, Interface] = {}
        self._other_ends: dict[_End, int] = {}
        self._last_words: dict[_End, dict[str, int]] = {}
        self._ended: list[tuple[Interface, dict[str, int] | None, Instant]] = []
        for link in self._dump():
            self._know(link)

    def fileno(self) -> int:
        """Readable when something happened."""
        return self._sock.fileno()

    def read(self) -> list[Event]:
        """Everything that happened since the last call; waits, if a veth ended, a moment for its other end."""
        events: list[Event] = []
        self._drain(events)
        until = time.monotonic() + _OTHER_END_MS / 1000
        while any(self._awaits(link, stats) for link, stats, _ in self._ended):
            left = until - time.monotonic()
            if left <= 0 or not select.select([self._sock], [], [], left)[0]:
                break
            self._drain(events)
        events += [self._end(*ended) for ended in self._ended]
        self._ended.clear()
        return events

    def close(self) -> None:
        """Stop listening."""
        self._sock.close()

    def _drain(self, events: list[Event]) -> None:
        while True:
            try:
                data, control, _, _ = self._sock.recvmsg(65536, socket.CMSG_SPACE(4))
            except BlockingIOError:
                return
            except OSError as err:
                if err.errno != errno.ENOBUFS:
                    raise
                self._compare(events)
                continue
            self._take(data, _nsid(control), events)

    def _take(self, data: bytes, nsid: int | None, events: list[Event]) -> None:
        at = 0
        while at + 16 <= len(data):
            length, kind = struct.unpack_from("=IH", data, at)
            # of other namespaces only ends matter
            if kind == interfaces.RTM_DELLINK or (kind == interfaces.RTM_NEWLINK and nsid is None):
                message = ifinfmsg(data, offset=at)
                message.decode()
                if kind == interfaces.RTM_NEWLINK:
                    self._came(interfaces.of_message(message), events)
                elif nsid is None:
                    self._went(message)
                else:
                    self._last_word((nsid, message["index"]), message)
            at += max((length + 3) & ~3, 16)

    def _came(self, link: Interface, events: list[Event]) -> None:
        old = self._know(link)
        if old is None or old.name != link.name:
            events.append(LinkBorn(link.ifindex, link.name))
        if link.peer_nsid is not None and (old is None or old.peer_nsid is None):
            # only now does the link lead into a namespace, which may be a server's
            events.append(ServersChanged())

    def _went(self, message: Any) -> None:
        told = interfaces.of_message(message)
        link = self._links.pop(told.ifindex, told)
        stats = _stats(message)
        if stats is not None and told.kind == "veth" and told.peer is None:
            for column in _OF_OTHER_END:
                stats[column] = ABSENT
        self._last_word((None, link.ifindex), message)
        now = Instant(time.time_ns(), time.clock_gettime_ns(time.CLOCK_BOOTTIME))
        self._ended.append((link, stats, now))

    def _last_word(self, end: _End, message: Any) -> None:
        """Keep the last counters of an other end; a message that it moved to another namespace is not its last."""
        if end in self._other_ends and message.get_attr("IFLA_NEW_NETNSID") is None:
            stats = _stats(message)
            if stats is not None:
                self._last_words[end] = stats

    def _awaits(self, link: Interface, stats: dict[str, int] | None) -> bool:
        if stats is None or link.peer is None or ABSENT not in stats.values():
            return False
        return (link.peer_nsid, link.peer) not in self._last_words

    def _end(self, link: Interface, stats: dict[str, int] | None, at: Instant) -> LinkEnded:
        other = None
        if link.peer is not None:
            other = self._last_words.pop((link.peer_nsid, link.peer), None)
            self._other_ends.pop((link.peer_nsid, link.peer), None)
        counters = None
        if stats is not None:
            if other is not None:
                stats |= {c: other[o] for c, o in _OF_OTHER_END.items() if stats[c] == ABSENT}
            counters = tuple(stats[column] for column in LINK_COLUMNS)
        return LinkEnded(link.ifindex, link.name, link.peer_nsid, counters, at)

    def _know(self, link: Interface) -> Interface | None:
        """Take what a message says of a link; what an ending one no longer says of its other end stays known."""
        old = self._links.get(link.ifindex)
        if link.peer is None and old is not None:
            link = interfaces.Interface(link.ifindex, link.name, link.kind, old.peer, old.peer_nsid)
        if old is not None and old.peer is not None and (old.peer_nsid, old.peer) != (link.peer_nsid, link.peer):
            self._other_ends.pop((old.peer_nsid, old.peer), None)
        if link.kind == "veth" and link.peer is not None:
            self._other_ends[link.peer_nsid, link.peer] = link.ifindex
        self._links[link.ifindex] = link
        return old

    def _compare(self, events: list[Event]) -> None:
        """Messages were lost: find out what came and went by a look at everything."""
        log.warning("messages about links were lost; looking at all links again")
        now = Instant(time.time_ns(), time.clock_gettime_ns(time.CLOCK_BOOTTIME))
        found = {link.ifindex: link for link in self._dump()}
        for ifindex in self._links.keys() - found.keys():
            self._ended.append((self._links.pop(ifindex), None, now))
        for link in found.values():
            self._came(link, events)
        events.append(ServersChanged())

    @staticmethod
    def _dump() -> list[Interface]:
        with interfaces.route_socket() as sock:
            return interfaces.dump(sock)


def _stats(message: Any) -> dict[str, int] | None:
    stats = message.get_attr("IFLA_STATS64")
    return {column: stats[column] for column in LINK_COLUMNS} if stats is not None else None


def _nsid(control: list[tuple[int, int, bytes]]) -> int | None:
    """The id of the namespace a message comes from; None: the listener's own."""
    for level, kind, data in control:
        if level == _SOL_NETLINK and kind == _LISTEN_ALL_NSID:
            with contextlib.suppress(struct.error):
                nsid: int = struct.unpack("=i", data[:4])[0]
                return nsid if nsid >= 0 else None
    return None
