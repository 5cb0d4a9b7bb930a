"""The dump of all links' counters: the kernel's real one, and messages in forms that this kernel does not send."""

import errno
import socket
import struct

import numpy as np
import pytest

from nasacct.collect import link_stats
from nasacct.collect.link_stats import LinkStats, decode

NEWSTATS, DONE, ERROR, INTERRUPTED = 92, 3, 2, 0x10
#: rtnl_link_stats64: rx_packets tx_packets rx_bytes tx_bytes rx_errors tx_errors rx_dropped tx_dropped
KERNEL = (1, 2, 3, 4, 5, 6, 7, 8)
#: machine.LINK_COLUMNS: rx_bytes tx_bytes rx_packets tx_packets rx_dropped tx_dropped rx_errors tx_errors
OURS = [3, 4, 1, 2, 7, 8, 5, 6]


def message(ifindex, numbers=KERNEL, *, flags=0, fields=25, filler=False, kind=NEWSTATS):
    """One RTM_NEWSTATS as the kernel writes it."""
    stats = struct.pack(f"={fields}Q", *numbers, *range(100, 100 + fields - 8))
    body = struct.pack("=BBHII", 0, 0, 0, ifindex, 1)
    body += struct.pack("=HH", 4, 0) if filler else b""
    body += struct.pack("=HH", 4 + len(stats), 1) + stats
    return struct.pack("=IHHII", 16 + len(body), kind, 2 | flags, 7, 0) + body


def end(error=0, flags=0, kind=DONE):
    return struct.pack("=IHHIIi", 20, kind, 2 | flags, 7, 0, error)


class Answers:
    """A socket that gives prepared answers."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def send(self, data):
        pass

    def close(self):
        pass

    def recv_into(self, window, size, flags):
        answer = self.answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        window[: len(answer)] = answer
        return len(answer)


def dump(monkeypatch, *sockets):
    """What a dump over these sockets gives, one after the other as they are opened."""
    left = list(sockets)
    monkeypatch.setattr(link_stats, "route_socket", lambda: left.pop(0))
    return LinkStats().read()


@pytest.mark.parametrize("fields", [23, 24, 25, 30])
@pytest.mark.parametrize("filler", [False, True])
def test_numbers_are_found_in_every_kernels_form(fields, filler):
    """More fields than are known, and a filler that aligns them, change nothing."""
    data = b"".join(message(i, [n * i for n in KERNEL], fields=fields, filler=filler) for i in (1, 2, 300))
    stats = decode(data, len(data))
    assert stats.ifindex.tolist() == [1, 2, 300]
    assert stats.values.tolist() == [[n * i for n in OURS] for i in (1, 2, 300)]
    assert stats.whole


def test_the_largest_counters_are_exact():
    """Up to 2^63-1, which no interface reaches."""
    data = message(1, [2**63 - 1] * 8) + message(2, [2**53 + 1] * 8)
    assert decode(data, len(data)).values.tolist() == [[2**63 - 1] * 8, [2**53 + 1] * 8]


def test_messages_of_several_lengths_are_taken_one_by_one():
    """And what is no statistics, or has none in it, is passed over."""
    bare = struct.pack("=IHHII", 28, NEWSTATS, 2, 7, 0) + struct.pack("=BBHII", 0, 0, 0, 9, 1)
    data = message(1, fields=23) + message(2, fields=25) + bare + message(8, kind=16) + message(3, fields=25)
    stats = decode(data, len(data))
    assert (stats.ifindex.tolist(), stats.values.tolist()) == ([1, 2, 3], [OURS] * 3)


def test_the_two_ways_to_decode_agree():
    """The quick one and the one for odd dumps, on the same messages."""
    rng = np.random.default_rng(5)
    data = b"".join(message(i, rng.integers(0, 1 << 62, 8).tolist()) for i in range(1, 200))
    quick, slow = decode(data, len(data)), link_stats._decode_singly(data, len(data))
    assert (quick.ifindex == slow.ifindex).all()
    assert (quick.values == slow.values).all()


@pytest.mark.parametrize("fields", [(25, 25), (25, 24)])
def test_a_disturbed_dump_is_known_by_any_of_its_messages(fields):
    """The kernel sets a flag when links came or went in the middle."""
    data = message(1, fields=fields[0]) + message(2, fields=fields[1], flags=INTERRUPTED)
    assert not decode(data, len(data)).whole


def test_a_torn_message_is_an_error():
    """Never half a number."""
    data = message(1, fields=23) + message(2)[:-8]
    with pytest.raises(OSError, match="cut short"):
        decode(data, len(data))


@pytest.mark.parametrize(
    "answers",
    [
        (message(1) + message(2), message(3) + end()),
        (message(1) + message(2), message(3), end()),
        (message(1) + end(),),
        (end(),),
        (message(1, fields=23) + message(2), message(3, fields=24) + end()),
        (message(1), message(2, fields=23) + message(3, fields=24) + message(4) + end()),
    ],
)
def test_the_end_is_found_wherever_it_comes(monkeypatch, answers):
    """With the last messages, alone, behind messages of several lengths, or first of all."""
    stats = dump(monkeypatch, Answers(*answers))
    count = sum(len(a) for a in answers) // 200
    assert stats.ifindex.tolist() == list(range(1, count + 1))
    assert stats.whole


def test_a_disturbed_dump_is_made_once_more(monkeypatch):
    """And only if that one is disturbed too, it is said to be incomplete."""
    disturbed = (message(1, flags=INTERRUPTED) + end(),)
    assert dump(monkeypatch, Answers(*disturbed, message(1) + message(2) + end())).ifindex.tolist() == [1, 2]
    stats = dump(monkeypatch, Answers(*disturbed, message(2) + end(flags=INTERRUPTED)))
    assert (stats.ifindex.tolist(), stats.whole) == ([2], False)


def test_a_full_buffer_is_tried_again_on_a_new_socket(monkeypatch):
    """ENOBUFS leaves the rest of an answer behind; a second one is an error."""
    full = OSError(errno.ENOBUFS, "No buffer space available")
    stats = dump(monkeypatch, Answers(message(5), full), Answers(message(1) + end()))
    assert stats.ifindex.tolist() == [1]
    with pytest.raises(OSError, match="No buffer space"):
        dump(monkeypatch, Answers(full), Answers(full))


@pytest.mark.parametrize("answer", [end(-errno.EPERM), end(-errno.EPERM, kind=ERROR), message(1) + end(-errno.EPERM)])
def test_an_error_of_the_kernel_is_raised(monkeypatch, answer):
    """In the message that ends the dump, or instead of one."""
    with pytest.raises(PermissionError):
        dump(monkeypatch, Answers(answer))


def test_the_real_dump_has_every_interface():
    """Of whatever machine runs the test, twice over one socket, and leaves nothing open."""
    stats = LinkStats()
    for _ in range(2):
        found = stats.read()
        assert sorted(found.ifindex.tolist()) == sorted(i for i, _ in socket.if_nameindex())
        assert (found.values >= 0).all()
    stats.close()
