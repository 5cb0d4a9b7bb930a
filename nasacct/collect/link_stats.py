"""The 64-bit counters of every interface of the host in one RTM_GETSTATS dump (rtnetlink(7), Linux 4.7).

Asked for IFLA_STATS_LINK_64 alone, the kernel answers with messages of one fixed length:

    0   nlmsghdr        u32 length, u16 type (92), u16 flags, u32 seq, u32 pid
    16  if_stats_msg    u8 family, u8, u16, u32 ifindex, u32 filter_mask      (include/uapi/linux/if_link.h)
    28  nlattr          u16 length, u16 type (1), then struct rtnl_link_stats64: u64 rx_packets, tx_packets, rx_bytes,
                        tx_bytes, rx_errors, tx_errors, rx_dropped, tx_dropped, ...

so the whole dump is read into one buffer and looked at as one array. Some kernels put a filler before the attribute.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nasacct.collect.interfaces import NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, route_socket

if TYPE_CHECKING:
    from numpy.typing import NDArray

RTM_NEWSTATS, RTM_GETSTATS = 92, 94
_LINK_64 = 1
_HEADER = struct.Struct("=IHHII")
_PAIR = struct.Struct("=HH")
_BODY = 28
#: One answer of the kernel is at most 32 KiB (netlink_dump in net/netlink/af_netlink.c).
_WINDOW = 1 << 16
#: Places of machine.LINK_COLUMNS among the first eight numbers of rtnl_link_stats64.
_ORDER = np.array([2, 3, 0, 1, 6, 7, 4, 5])


@dataclass(frozen=True, slots=True)
class Stats:
    """One dump: `ifindex` int64[n] and `values` int64[n, 8] in the order of machine.LINK_COLUMNS.

    `whole` is False when interfaces came or went during it, so that one may be missing.
    """

    ifindex: NDArray[np.int64]
    values: NDArray[np.int64]
    whole: bool = True


class LinkStats:
    """A kept netlink socket and buffer. Not for two threads at once."""

    def __init__(self) -> None:
        self._sock: socket.socket | None = None
        self._buffer = bytearray(1 << 18)
        self._seq = 0

    def read(self) -> Stats:
        """One dump, a second one when the first was disturbed. Raises OSError."""
        for last in (False, True):
            try:
                stats = self._dump()
            except OSError as err:
                # a socket with half an answer in it is of no more use
                self.close()
                if last or err.errno != errno.ENOBUFS:
                    raise
                continue
            if stats.whole or last:
                return stats
        raise AssertionError

    def close(self) -> None:
        """Give the socket up; the next dump makes a new one."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def _dump(self) -> Stats:
        if self._sock is None:
            self._sock = route_socket()
        self._seq += 1
        header = _HEADER.pack(_BODY, RTM_GETSTATS, NLM_F_REQUEST | NLM_F_DUMP, self._seq, 0)
        self._sock.send(header + struct.pack("=BBHII", 0, 0, 0, 0, 1 << (_LINK_64 - 1)))
        end = 0
        while True:
            if len(self._buffer) - end < _WINDOW:
                self._buffer += bytes(len(self._buffer))
            with memoryview(self._buffer) as whole, whole[end : end + _WINDOW] as window:
                got = self._sock.recv_into(window, _WINDOW, socket.MSG_TRUNC)
                if got > _WINDOW or got < _HEADER.size:
                    raise OSError(errno.EMSGSIZE, "the kernel's answer about links came cut short")
                done = _done(window[:got])
            end += got if done is None else done[0]
            if done is not None:
                stats = decode(self._buffer, end)
                return Stats(stats.ifindex, stats.values, stats.whole and not done[1])


def decode(buffer: bytes | bytearray, end: int) -> Stats:
    """Decode the messages in `buffer[:end]`; those of other types are passed over. Raises OSError for torn ones."""
    if not end:
        return Stats(np.zeros(0, np.int64), np.zeros((0, 8), np.int64))
    length, kind, *_ = _HEADER.unpack_from(buffer, 0)
    at = _attribute(buffer, 0, length) if kind == RTM_NEWSTATS else None
    if at is not None and end % length == 0 and length % 4 == 0:
        words = np.frombuffer(buffer, np.uint32, count=end // 4).reshape(-1, length // 4)
        alike = words[:, [0, (at - 4) // 4]] == words[0, [0, (at - 4) // 4]]
        halves = np.frombuffer(buffer, np.uint16, count=end // 2).reshape(-1, length // 2)
        kinds, flags = halves[:, 2], halves[:, 3] & NLM_F_DUMP_INTR
        if alike.all() and (kinds == RTM_NEWSTATS).all():
            count = len(words)
            numbers = np.ndarray((count, 8), np.int64, buffer, at, (length, 8))
            return Stats(words[:, 5].astype(np.int64), numbers[:, _ORDER], not flags.any())
    return _decode_singly(buffer, end)


def _decode_singly(buffer: bytes | bytearray, end: int) -> Stats:
    """The same for messages of several lengths, one by one."""
    ifindex: list[int] = []
    values: list[tuple[int, ...]] = []
    whole, start = True, 0
    while start < end:
        length, kind, flags, *_ = _HEADER.unpack_from(buffer, start)
        if length < _HEADER.size or start + length > end:
            raise OSError(errno.EMSGSIZE, "the kernel's answer about links came cut short")
        whole &= not flags & NLM_F_DUMP_INTR
        at = _attribute(buffer, start, length) if kind == RTM_NEWSTATS else None
        if at is not None:
            ifindex.append(struct.unpack_from("=I", buffer, start + 20)[0])
            values.append(struct.unpack_from("=8q", buffer, at))
        start += (length + 3) & ~3
    table = np.array(values, np.int64).reshape(-1, 8)
    return Stats(np.array(ifindex, np.int64), table[:, _ORDER], whole)


def _attribute(buffer: bytes | bytearray, start: int, length: int) -> int | None:
    """Where the numbers of the message at `start` begin, None when it has none."""
    at = start + _BODY
    while at + 4 <= start + length:
        size, kind = _PAIR.unpack_from(buffer, at)
        if kind == _LINK_64 and size >= 4 + 64:
            return at + 4
        if size < 4:
            return None
        at += (size + 3) & ~3
    return None


def _done(answer: memoryview) -> tuple[int, bool] | None:
    """Where the end of the dump begins in this answer, and whether the dump was disturbed; None if it goes on.

    Messages before the end are of one length, so it is found without walking over them; else they are walked over.
    Raises the OSError that the kernel reports.
    """
    step = max((_HEADER.unpack_from(answer, 0)[0] + 3) & ~3, _HEADER.size)
    rest = len(answer) % step
    at = len(answer) - rest if rest else 0
    if rest and (rest < _HEADER.size or _HEADER.unpack_from(answer, at)[1] not in (NLMSG_DONE, NLMSG_ERROR)):
        at = 0
        while at + _HEADER.size <= len(answer):
            length, kind, *_ = _HEADER.unpack_from(answer, at)
            if kind in (NLMSG_DONE, NLMSG_ERROR) or length < _HEADER.size:
                break
            at += (length + 3) & ~3
        else:
            return None
    length, kind, flags, *_ = _HEADER.unpack_from(answer, at)
    if kind not in (NLMSG_DONE, NLMSG_ERROR):
        return None
    number = struct.unpack_from("=i", answer, at + _HEADER.size)[0] if length >= _HEADER.size + 4 else 0
    if number:
        raise OSError(-number, os.strerror(-number))
    return at, bool(flags & NLM_F_DUMP_INTR)
