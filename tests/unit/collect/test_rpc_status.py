"""Calls in flight as real kernels tell them: read right, and nothing torn is taken for whole."""

import contextlib
import errno
import socket
import struct
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasacct.collect.rpc_status import Call, call_of, family_of, take, threads_of
from nasacct.collect.sampling import who

KERNEL = Path(__file__).parents[2] / "fixtures" / "rpc_status" / "6.12.117"
#: The number of the question in all of the files.
SEQ = 7
SIX = socket.inet_pton(socket.AF_INET6, "::1")


def answer(name):
    return (KERNEL / f"{name}.bin").read_bytes()


def calls(data, seq=SEQ, known=None):
    found = []
    assert take(data, seq, found, {} if known is None else known)
    return found


def of(last):
    return socket.inet_aton(f"172.16.8.{last}")


def test_the_calls_of_a_busy_server_are_whose_they_are():
    """NFSv4 compounds over both families and NFSv3, each of the client that sent it."""
    found = calls(answer("busy"))
    expected = {
        (of(21), "read_plus"): 3,
        (of(22), "read"): 1,
        (of(23), "write"): 2,
        (of(23), "setattr"): 1,
        (SIX, "read"): 1,
    }
    assert who(found) == Counter(expected)
    assert {(call.version, call.procedure) for call in found} == {(4, 1), (3, 6)}
    assert {call.ops for call in found if call.client == of(21)} == {(53, 22, 68)}


def test_rows_that_are_known_are_read_the_same():
    """Whatever was read before, with whatever memory; which call it is and since when makes no other row."""
    known = {}
    first = [calls(answer(name), known=known) for name in ("busy", "acl", "many")]
    assert 0 < len(known) < sum(map(len, first)) / 2
    assert first == [calls(answer(name)) for name in ("busy", "acl", "many")]
    assert first == [calls(answer(name), known=known) for name in ("busy", "acl", "many")]


def test_memory_of_rows_is_bounded():
    """A client that connects anew for each call makes new ones."""
    known = {number.to_bytes(4, "little"): None for number in range(1000)}
    assert len(calls(answer("busy"), known=known)) == 8
    assert len(known) <= 8


@given(st.data())
def test_memory_changes_nothing(data):
    """Of a garbled answer after another one, what is read is as without any: no two rows are taken for one."""
    known = {}
    for _ in range(3):
        garbled = bytearray(answer(data.draw(st.sampled_from(["busy", "acl"]))))
        for _ in range(data.draw(st.integers(0, 6))):
            garbled[data.draw(st.integers(16, len(garbled) - 1))] = data.draw(st.sampled_from([0, 1, 4, 8, 12, 60]))
        found, expected, errors = [], [], []
        for into, memory in ((found, known), (expected, {})):
            try:
                take(bytes(garbled), SEQ, into, memory)
            except OSError as error:
                errors.append(error.errno)
        assert (found, len(errors) % 2) == (expected, 0)


def test_other_programs_are_not_nfs():
    """NFSACL shares the threads."""
    assert who(calls(answer("acl")))[of(22), "other"] == 1


def test_64_calls_come_in_one_piece():
    """As many as there are threads."""
    found = who(calls(answer("many")))
    assert found == Counter({(of(22), "read"): 37, (of(21), "read_plus"): 27})
    assert threads_of(answer("threads64"), SEQ) == found.total()


def test_a_server_that_nobody_uses_has_none():
    """And one that is not there is an error."""
    assert calls(answer("idle")) == []
    with pytest.raises(OSError, match="No such device") as error:
        calls(answer("ended"))
    assert error.value.errno == errno.ENODEV


def test_family_and_threads_are_numbers_in_the_answer():
    """An answer to another question, or an error, is none."""
    assert family_of(answer("family"), SEQ) == 34
    assert threads_of(answer("threads"), SEQ) == 8
    with pytest.raises(OSError, match="does not say the id"):
        family_of(answer("threads")[:20].replace(b"\x38", b"\x14", 1), SEQ)
    with pytest.raises(OSError, match="another question"):
        threads_of(answer("threads"), 8)
    denied = struct.pack("=IHHIIi", 20, 2, 0, SEQ, 0, -errno.EPERM)
    for read in (family_of, threads_of):
        with pytest.raises(PermissionError):
            read(denied, SEQ)


def test_an_answer_to_an_earlier_question_is_passed_over():
    """It neither ends this one nor counts in it."""
    found = []
    assert not take(answer("busy"), 8, found, {})
    assert found == []


def test_attributes_that_are_new_are_passed_over():
    """A later kernel may tell more."""
    data = answer("busy")[20:128]
    more = data + struct.pack("=HHII", 12, 99, 1, 2)
    assert call_of(more, 0, len(more)) == call_of(data, 0, len(data))


@given(st.data())
def test_what_is_cut_is_no_answer(data):
    """Wherever the kernel's bytes end too soon: an error, or calls of whole messages that wait for the rest."""
    whole = answer("busy")
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    found = []
    try:
        ended = take(cut, SEQ, found, {})
    except OSError as error:
        assert error.errno == errno.EMSGSIZE  # noqa: PT017  it may also be no error
    else:
        assert not ended
    assert found == calls(whole)[: len(found)]


@given(st.binary(max_size=400))
def test_no_bytes_do_harm(data):
    """They are refused, or are calls."""
    for read in (family_of, threads_of):
        with contextlib.suppress(OSError):
            assert read(data, SEQ) >= 0
    found = []
    with contextlib.suppress(OSError):
        take(data, SEQ, found, {})
    assert all(isinstance(call, Call) for call in found)


@given(st.data())
def test_no_bits_that_flip_do_harm(data):
    """The same near what kernels really say."""
    garbled = bytearray(answer(data.draw(st.sampled_from(["busy", "family", "threads", "many"]))))
    for _ in range(data.draw(st.integers(1, 8))):
        garbled[data.draw(st.integers(0, len(garbled) - 1))] = data.draw(st.integers(0, 255))
    test_no_bytes_do_harm.hypothesis.inner_test(bytes(garbled))
