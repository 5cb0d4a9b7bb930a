"""What the kernel says of connections, taken apart: real answers, torn ones and foreign ones."""

import errno
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasacct.collect.connections import Connections, address, messages, of_message


def info(sent, received, size=280):
    """A struct tcp_info with these bytes."""
    made = bytearray(size)
    struct.pack_into("=I", made, 68, 1234)
    struct.pack_into("=QQ", made, 120, sent, received)
    return bytes(made)


def body(*attributes, family=socket.AF_INET):
    """An inet_diag_msg with these attributes (type, content)."""
    ident = struct.pack(">HH", 2049, 700) + socket.inet_aton("10.0.0.1") + bytes(12) + socket.inet_aton("10.0.0.2")
    ident += bytes(12) + struct.pack("=IQ", 0, 99)
    made = bytes([family, 1, 0, 0]) + ident + bytes(20)
    for kind, content in attributes:
        made += struct.pack("=HH", 4 + len(content), kind) + content + bytes(-len(content) % 4)
    return made


def test_what_a_message_says():
    """Bytes, round-trip time, who: behind other attributes, and of kernels whose tcp_info is shorter or longer."""
    for size in (136, 232, 248, 280):
        found = of_message(body((8, b"\x03"), (2, info(5, 7, size)), (4, b"cubic\0")))
        assert (found.sent, found.received, found.rtt_us) == (5, 7, 1234)
        assert (found.client, found.cookie) == ("10.0.0.2", 99)


def test_what_says_nothing_of_bytes_is_none():
    """Before Linux 4.1, and of a connection that is being made."""
    assert of_message(body()) is None
    assert of_message(body((2, info(0, 0)[:104]))) is None


def test_more_than_a_counter_holds_is_refused():
    """The store has signed numbers."""
    with pytest.raises(OSError, match="more bytes than there can be"):
        of_message(body((2, info(1 << 63, 0))))


@pytest.mark.parametrize(
    ("family", "raw", "text"),
    [
        (socket.AF_INET, "0a000002" + "00" * 12, "10.0.0.2"),
        (socket.AF_INET6, "00" * 10 + "ffff0a000002", "10.0.0.2"),
        (socket.AF_INET6, "fd" + "00" * 14 + "01", "fd00::1"),
    ],
)
def test_addresses(family, raw, text):
    """As people write them; a mapped one is the IPv4 address that it is."""
    assert address(family, bytes.fromhex(raw)) == text


def taken(data):
    """What comes out of a piece; None when it is refused as torn or as too much."""
    try:
        return [of_message(found) for _, _, _, found in messages(data)]
    except OSError as err:
        return None if err.errno in (errno.EMSGSIZE, errno.EOVERFLOW) else err


@given(st.binary(max_size=300))
def test_no_bytes_break_it(data):
    """Whatever comes is taken apart or refused."""
    assert taken(data) is None or isinstance(taken(data), list)


@given(st.data())
def test_a_torn_message_is_refused(data):
    """Cut anywhere, also where the message itself says so: no number comes out that was not in it."""
    whole = body((2, info(5, 7)))
    message = struct.pack("=IHHII", 16 + len(whole), 20, 0, 0, 0) + whole
    assert taken(message[: data.draw(st.integers(1, len(message) - 1))]) is None
    short = whole[: data.draw(st.integers(0, len(whole)))]
    found = taken(struct.pack("=IHHII", 16 + len(short), 20, 0, 0, 0) + short)
    assert found is None or [(c.sent, c.received) for c in found if c] in ([], [(5, 7)])


@pytest.mark.parametrize("torn", [b"\x07torn", struct.pack("=IHHII", 16 + 9, 20, 0, 0, 0) + bytes(9), bytes(1 << 17)])
def test_ends_that_came_cut_short_are_told_as_lost(torn):
    """The piece is refused; what it would have said is lost, and what comes after it is heard."""
    watched = Connections()
    kernel, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    watched._sock.close()
    watched._sock = ours
    with kernel:
        kernel.send(torn)
        with pytest.raises(OSError):  # noqa: PT011 - whichever it is, nothing of it was understood
            watched.ended()
        assert watched.told
        end = body((2, info(5, 7)))
        kernel.send(struct.pack("=IHHII", 16 + len(end), 20, 0, 0, 0) + end)
        (found,), lost = watched.ended()
        assert (found.sent, found.received, lost) == (5, 7, True)
        assert watched.ended() == ([], False)
    watched.close()
