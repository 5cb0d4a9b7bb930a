"""Calls in flight of one NFS server: generic netlink family `nfsd`, `rpc-status-get`, inside its network namespace.

Since Linux 6.7; `kernels.judge` says where asking often is safe. No privilege is needed. The socket's namespace decides
whose calls are shown. A call is in flight from when it was decoded until its answer is encoded: neither while it waits
for a thread nor while its answer is sent. Each has a message of its own, a last one (NLMSG_DONE) has the error or 0:

    0   nlmsghdr        u32 length, u16 type (the family's id), u16 flags, u32 seq, u32 pid
    16  genlmsghdr      u8 command (1), u8 version, u16 0
    20  nlattr          u16 length, u16 type, then what it is of:
                        1 be32 xid; 3 u32 program; 4 u8 version; 5 u32 procedure; 6 s64 since when, in µs of
                        CLOCK_MONOTONIC; 8 or 10 the client's address, 4 or 16 bytes; 14 u32 an operation of a compound,
                        once for each, 16 at most

(Documentation/netlink/specs/nfsd.yaml, fs/nfsd/nfsctl.c.) Each dump takes nfsd_mutex, which is the whole host's: while
any server starts, nobody's calls can be listed, which may take a second. Without a server in the namespace the error is
ENODEV. A dump that was not read to its end makes the next one fail (EBUSY): after any error the socket is to be closed.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from typing import NamedTuple

from nasacct.collect.interfaces import ANSWER_S, NLM_F_DUMP, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR

FAMILY = "nfsd"
_NETLINK_GENERIC, _CONTROL, _GET_FAMILY = 16, 16, 3
_FAMILY_ID, _FAMILY_NAME = 1, 2
_RPC_STATUS_GET, _THREADS_GET, _THREADS = 1, 3, 1
_XID, _PROGRAM, _VERSION, _PROCEDURE, _SINCE, _CLIENT4, _CLIENT6, _OPERATION = 1, 3, 4, 5, 6, 8, 10, 14
_HEADER, _GENERIC, _PAIR = struct.Struct("=IHHII"), struct.Struct("=BBH"), struct.Struct("=HH")
_U32, _U16 = struct.Struct("=I"), struct.Struct("=H")
_WINDOW = 1 << 16
_TORN = "the kernel's answer about calls in flight came cut short"
#: How long an attribute's content must be.
_LENGTHS = {_PROGRAM: 4, _VERSION: 1, _PROCEDURE: 4, _CLIENT4: 4, _CLIENT6: 16, _OPERATION: 4}
#: The two attributes that are different in each row: the first one, and that so many bytes behind its beginning.
_XID_HEAD, _SINCE_HEAD, _SINCE_AT = _PAIR.pack(8, _XID), _PAIR.pack(12, _SINCE), 40
#: How many rows are remembered of a server: one for each connection and chain of operations.
_MOST = 1000


class Call(NamedTuple):
    """One call that a thread works on.

    `client` is the packed address, 4 or 16 bytes; b"" where the kernel tells none. `ops` are a compound's operations.
    """

    client: bytes
    program: int
    version: int
    procedure: int
    ops: tuple[int, ...]


class RpcStatus:
    """Calls and threads of the nfsd in the calling thread's network namespace; afterwards usable on any thread.

    One thread at a time. It keeps the namespace alive: `close` it when the server ends. Raises OSError; ENOENT when
    there is no module nfsd, or one that is too old.
    """

    def __init__(self) -> None:
        self._seq = 0
        self._known: dict[bytes, Call] = {}
        self._sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_GENERIC)
        try:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", ANSWER_S, 0))
            self._sock.bind((0, 0))
            self._family = self._find()
        except OSError:
            self._sock.close()
            raise

    def calls(self) -> list[Call]:
        """All that are in flight now. Raises OSError; ENODEV when no server is up."""
        seq = self._ask(self._family, NLM_F_DUMP, _RPC_STATUS_GET)
        found: list[Call] = []
        done = False
        while not done:
            done = take(self._sock.recv(_WINDOW), seq, found, self._known)
        return found

    def threads(self) -> int:
        """How many threads the server has, over all of its pools. Raises OSError; EOPNOTSUPP before Linux 6.10."""
        seq = self._ask(self._family, 0, _THREADS_GET)
        return threads_of(self._sock.recv(_WINDOW), seq)

    def close(self) -> None:
        """Let the namespace go."""
        self._sock.close()

    def _find(self) -> int:
        """The family's id."""
        name = FAMILY.encode() + b"\0"
        attribute = _PAIR.pack(_PAIR.size + len(name), _FAMILY_NAME) + name + bytes(-len(name) % 4)
        seq = self._ask(_CONTROL, 0, _GET_FAMILY, attribute)
        return family_of(self._sock.recv(_WINDOW), seq)

    def _ask(self, kind: int, flags: int, command: int, attributes: bytes = b"") -> int:
        """Send a question; its number."""
        self._seq += 1
        length = _HEADER.size + _GENERIC.size + len(attributes)
        header = _HEADER.pack(length, kind, NLM_F_REQUEST | flags, self._seq, 0)
        self._sock.send(header + _GENERIC.pack(command, 1, 0) + attributes)
        return self._seq


def take(data: bytes, seq: int, found: list[Call], known: dict[bytes, Call]) -> bool:
    """Add the calls in one piece of the answer to the question `seq`; whether it was the last. Raises OSError.

    Most rows are like earlier ones, but for which call they are of, and since when: `known` has those by their bytes.
    """
    at, end = 0, len(data)
    while at < end:
        length, kind, number = _message(data, at)
        if number == seq:
            if kind in (NLMSG_ERROR, NLMSG_DONE):
                _raise(data, at + _HEADER.size)
                return True
            found.append(_call(data, at + _HEADER.size + _GENERIC.size, at + length, known))
        at += (length + 3) & ~3
    return False


def _call(data: bytes, at: int, end: int, known: dict[bytes, Call]) -> Call:
    """As `call_of`, and remembered."""
    since = at + _SINCE_AT
    if data[at : at + 4] != _XID_HEAD or data[since : since + 4] != _SINCE_HEAD:
        return call_of(data, at, end)
    row = data[at + 8 : since] + data[since + 12 : end]
    call = known.get(row)
    if call is None:
        call = call_of(data, at, end)
        if _begins(data, at, since):
            if len(known) >= _MOST:
                known.clear()
            known[row] = call
    return call


def _begins(data: bytes, at: int, there: int) -> bool:
    """Whether an attribute begins `there`, of those that are whole from `at` on."""
    while at < there:
        at += (_PAIR.unpack_from(data, at)[0] + 3) & ~3
    return at == there


def call_of(data: bytes, at: int, end: int) -> Call:
    """The call whose attributes are in that part of a piece. Raises OSError for a torn one."""
    client, program, version, procedure = b"", 0, 0, 0
    ops: list[int] = []
    while at + 4 <= end:
        size, kind = _PAIR.unpack_from(data, at)
        wanted = _LENGTHS.get(kind)
        if size < 4 or at + size > end or (wanted is not None and size != 4 + wanted):
            raise OSError(errno.EMSGSIZE, _TORN)
        if kind == _OPERATION:
            ops += _U32.unpack_from(data, at + 4)
        elif kind == _PROGRAM:
            (program,) = _U32.unpack_from(data, at + 4)
        elif kind == _PROCEDURE:
            (procedure,) = _U32.unpack_from(data, at + 4)
        elif kind == _VERSION:
            version = data[at + 4]
        elif kind in (_CLIENT4, _CLIENT6):
            client = data[at + 4 : at + size]
        at += (size + 3) & ~3
    return Call(client, program, version, procedure, tuple(ops))


def threads_of(data: bytes, seq: int) -> int:
    """The sum of the pools' threads in the answer to the question `seq`. Raises OSError."""
    return sum(_numbers(data, seq, _THREADS, _U32))


def family_of(data: bytes, seq: int) -> int:
    """The family's id in the answer to the question `seq`. Raises OSError."""
    found = _numbers(data, seq, _FAMILY_ID, _U16)
    if not found:
        raise OSError(errno.EBADMSG, "the kernel does not say the id of the family nfsd")
    return found[0]


def _numbers(data: bytes, seq: int, wanted: int, of: struct.Struct) -> list[int]:
    """The attributes of one kind in an answer of one message."""
    length, kind, number = _message(data, 0)
    if kind in (NLMSG_ERROR, NLMSG_DONE):
        _raise(data, _HEADER.size)
    if number != seq or kind in (NLMSG_ERROR, NLMSG_DONE):
        raise OSError(errno.EBADMSG, "the kernel answers another question")
    found: list[int] = []
    at = _HEADER.size + _GENERIC.size
    while at + 4 <= length:
        size, kind = _PAIR.unpack_from(data, at)
        if size < 4 or at + size > length or (kind == wanted and size != 4 + of.size):
            raise OSError(errno.EMSGSIZE, _TORN)
        if kind == wanted:
            found += of.unpack_from(data, at + 4)
        at += (size + 3) & ~3
    return found


def _message(data: bytes, at: int) -> tuple[int, int, int]:
    """Length, type and seq of the message that begins there. Raises OSError for a torn one."""
    if at + _HEADER.size > len(data):
        raise OSError(errno.EMSGSIZE, _TORN)
    length, kind, _, number, _ = _HEADER.unpack_from(data, at)
    if length < _HEADER.size or at + length > len(data):
        raise OSError(errno.EMSGSIZE, _TORN)
    return length, kind, number


def _raise(data: bytes, at: int) -> None:
    """Raise the error that an NLMSG_ERROR or NLMSG_DONE tells by a negative number, if it does."""
    if at + 4 > len(data):
        raise OSError(errno.EMSGSIZE, _TORN)
    number = -int.from_bytes(data[at : at + 4], sys.byteorder, signed=True)
    if number > 0:
        raise OSError(number, os.strerror(number))
