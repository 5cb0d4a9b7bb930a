"""The TCP connections of one server, with what each has moved: sock_diag(7) inside its network namespace.

Asked for all of them, the kernel walks its whole table of connections, of all namespaces, which takes a big machine a
millisecond; asked for one that is known, some microseconds. It tells by itself when one has ended, with its last
counters (since Linux 4.2). An old request, in which the family does not matter, is answered with both families.
The answers, and the notices, are

    0   nlmsghdr        u32 length, u16 type (18 or 20), u16 flags, u32 seq, u32 pid
    16  inet_diag_msg   u8 family, state, timer, retrans; inet_diag_sockid (48 bytes: be16 sport, be16 dport,
                        be32 src[4], be32 dst[4], u32 if, u32 cookie[2]); u32 expires, rqueue, wqueue, uid, inode
    88  nlattr          u16 length, u16 type, ...: INET_DIAG_INFO (2) has struct tcp_info, with u32 rtt, in µs, at 68,
                        u64 bytes_acked at 120 (sent) and u64 bytes_received at 128

(include/uapi/linux/inet_diag.h, tcp.h; bytes since Linux 4.1). The bytes are those of TCP's numbers: the payload, each
byte once however often it was sent, and one for the end of a direction that was closed in order.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from nasacct.collect.interfaces import ANSWER_S, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR
from nasacct.collect.opens import Opens

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The port of NFS.
PORT = 2049
_NETLINK_SOCK_DIAG, _TCPDIAG_GETSOCK, _SOCK_DIAG_BY_FAMILY = 4, 18, 20
_SOL_NETLINK, _ADD_MEMBERSHIP = 270, 1
#: TCP connections that end, of IPv4 and of IPv6 (enum sknetlink_groups).
_ENDS = (1, 3)
_SO_RCVBUFFORCE = 33
#: Room for the ends of some ten thousand connections between two cycles (about 1 KiB each in the kernel's count).
_BUFFER = 16 << 20
_WINDOW = 1 << 16
_HEADER, _PAIR = struct.Struct("=IHHII"), struct.Struct("=HH")
_INFO = 2
_ID, _ATTRIBUTES = slice(4, 52), 72
_PORTS, _COOKIE = struct.Struct(">HH"), struct.Struct("=Q")
_BYTES, _BYTES_AT, _RTT, _RTT_AT = struct.Struct("=QQ"), 120, struct.Struct("=I"), 68
#: States but LISTEN (10), TIME_WAIT (6) and NEW_SYN_RECV (12), which count nothing.
_STATES = 0xFFF & ~(1 << 10 | 1 << 6)
_MOST = (1 << 63) - 1
# of the flags that recvmsg tells, as a number: an enum takes as long to look at as a message to receive
_TRUNC = int(socket.MSG_TRUNC)


@dataclass(frozen=True, slots=True)
class Connection:
    """One connection as the kernel knows it: `id` (inet_diag_sockid, 48 bytes) tells it from all others of this boot.

    `received` and `sent` are the server's, in bytes of TCP's numbers; `rtt_us` is smoothed.
    """

    family: int
    id: bytes
    received: int
    sent: int
    rtt_us: int

    @property
    def cookie(self) -> int:
        """A number that no other socket of this boot has."""
        (cookie,) = _COOKIE.unpack_from(self.id, 40)
        return int(cookie)

    @property
    def client(self) -> str:
        """The address of the other end; IPv4 also where the server has it as a mapped one."""
        return address(self.family, self.id[20:36])


class Connections:
    """Those of the server in the calling thread's network namespace; afterwards usable on any thread, one at a time.

    It keeps the namespace alive: `close` it when the server ends, after a last look. Raises OSError.
    """

    def __init__(self, port: int = PORT) -> None:
        self._port, self._seq = port, 0
        self._ended: list[Connection] = []
        self._lost = False
        self._opens = Opens()
        self._sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG)
        try:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", ANSWER_S, 0))
            try:
                self._sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
            except PermissionError:
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            self._sock.bind((0, 0))
            for group in _ENDS:
                self._sock.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)
        except OSError:
            self._sock.close()
            raise

    def all(self) -> list[Connection]:
        """Every connection that there is now, of both families. Raises OSError."""
        body = struct.pack("=BBBB", 0, 0, 0, 1 << (_INFO - 1)) + _PORTS.pack(self._port, 0) + bytes(36)
        body += struct.pack("=II", 0xFFFFFFFF, 0xFFFFFFFF) + struct.pack("=II", _STATES, 0)
        return [found for found in self._ask(_TCPDIAG_GETSOCK, NLM_F_DUMP, body) if found is not None]

    def again(self, known: Connection) -> Connection | None:
        """What the connection has moved by now; None when it has ended, which `ended` tells. Raises OSError."""
        body = struct.pack("=BBBBI", known.family, socket.IPPROTO_TCP, 1 << (_INFO - 1), 0, _STATES) + known.id
        try:
            (found,) = self._ask(_SOCK_DIAG_BY_FAMILY, 0, body)
        except OSError as err:
            if err.errno in (errno.ENOENT, errno.ESTALE):
                return None
            raise
        return found

    def opens(self) -> int:
        """How many connections to any port the namespace has accepted so far. Raises OSError."""
        return self._opens.read()

    def ended(self) -> tuple[list[Connection], bool]:
        """The connections that have ended since the last call, and whether there may have been more. Raises OSError."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._take(self._receive(socket.MSG_DONTWAIT), None)
        ended, self._ended, lost, self._lost = self._ended, [], self._lost, False
        return ended, lost

    @property
    def told(self) -> bool:
        """Whether `ended` has something to say although `fileno` is not readable."""
        return bool(self._ended) or self._lost

    def fileno(self) -> int:
        """Readable when a connection has ended."""
        return self._sock.fileno()

    def close(self) -> None:
        """Let the namespace go."""
        self._opens.close()
        self._sock.close()

    def _ask(self, kind: int, flags: int, body: bytes) -> list[Connection | None]:
        """What the kernel answers, as `of_message`; ends that it tells in between are kept. Raises OSError."""
        self._seq += 1
        header = _HEADER.pack(_HEADER.size + len(body), kind, NLM_F_REQUEST | flags, self._seq, 0)
        self._sock.send(header + body)
        found: list[Connection | None] = []
        done = False
        while not done:
            some, done = self._take(self._receive(), self._seq)
            found += some
            # the answer about one has no end of its own
            done |= not flags and bool(some)
        return found

    def _receive(self, flags: int = 0) -> bytes:
        """The next piece, of nothing where some were lost. Raises OSError, BlockingIOError when there is none."""
        try:
            data, _, told, _ = self._sock.recvmsg(_WINDOW, 0, flags)
        except OSError as err:
            if err.errno != errno.ENOBUFS:
                raise
            self._lost = True
            return b""
        if told & _TRUNC:
            self._lost = True
            raise OSError(errno.EMSGSIZE, _TORN)
        return data

    def _take(self, data: bytes, seq: int | None) -> tuple[list[Connection | None], bool]:
        """The answers to the question `seq` in a piece, and whether they end with it; ends are kept. Raises OSError."""
        try:
            return self._sorted(data, seq)
        except OSError as err:
            # ends may have been told in what cannot be understood
            self._lost |= err.errno in (errno.EMSGSIZE, errno.EOVERFLOW)
            raise

    def _sorted(self, data: bytes, seq: int | None) -> tuple[list[Connection | None], bool]:
        found: list[Connection | None] = []
        for kind, flags, number, body in messages(data):
            if number == 0 and kind == _SOCK_DIAG_BY_FAMILY:
                connection = of_message(body)
                if connection is not None:
                    port, other = _PORTS.unpack_from(connection.id)
                    # a listener has no other end
                    if port == self._port and other:
                        self._ended.append(connection)
            elif number == seq:
                if flags & NLM_F_DUMP_INTR:
                    raise OSError(errno.EINTR, "the connections changed while they were listed")
                if kind in (NLMSG_ERROR, NLMSG_DONE):
                    _raise(body)
                    return found, True
                found.append(of_message(body))
        return found, False


_TORN = "the kernel's answer about connections came cut short"


def messages(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """The messages in one piece: type, flags, seq, body. Raises OSError for a torn one."""
    at = 0
    while at < len(data):
        if at + _HEADER.size > len(data):
            raise OSError(errno.EMSGSIZE, _TORN)
        length, kind, flags, seq, _ = _HEADER.unpack_from(data, at)
        if length < _HEADER.size or at + length > len(data):
            raise OSError(errno.EMSGSIZE, _TORN)
        yield kind, flags, seq, data[at + _HEADER.size : at + length]
        at += (length + 3) & ~3


def of_message(body: bytes) -> Connection | None:
    """The connection of an inet_diag_msg; None when it says nothing of its bytes. Raises OSError for a torn one."""
    if len(body) < _ATTRIBUTES:
        raise OSError(errno.EMSGSIZE, _TORN)
    at = _ATTRIBUTES
    while at + _PAIR.size <= len(body):
        size, kind = _PAIR.unpack_from(body, at)
        if size < _PAIR.size or at + size > len(body):
            raise OSError(errno.EMSGSIZE, _TORN)
        if kind == _INFO and size >= _PAIR.size + _BYTES_AT + _BYTES.size:
            sent, received = _BYTES.unpack_from(body, at + _PAIR.size + _BYTES_AT)
            (rtt_us,) = _RTT.unpack_from(body, at + _PAIR.size + _RTT_AT)
            if max(sent, received) > _MOST:
                raise OSError(errno.EOVERFLOW, "a connection of more bytes than there can be")
            return Connection(body[0], body[_ID], received, sent, rtt_us)
        at += (size + 3) & ~3
    return None


def address(family: int, raw: bytes) -> str:
    """The address in an inet_diag_sockid, as people write it."""
    if family == socket.AF_INET:
        return socket.inet_ntop(socket.AF_INET, raw[:4])
    mapped = IPv6Address(raw).ipv4_mapped
    return str(mapped or IPv6Address(raw))


def _raise(body: bytes) -> None:
    """Raise the error that an NLMSG_ERROR or NLMSG_DONE tells by a negative number, if it does."""
    number = struct.unpack_from("=i", body)[0] if len(body) >= 4 else -errno.EMSGSIZE
    if number < 0:
        raise OSError(-number, os.strerror(-number))
