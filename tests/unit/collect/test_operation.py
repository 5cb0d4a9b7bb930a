"""What a call is doing, in one word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasacct.collect.operation import NFS, operation
from nasacct.store.nfs_names import PROC2, PROC3, PROC4OPS

NUMBERS = {name: number for number, name in PROC4OPS.items()}


@pytest.mark.parametrize(
    ("compound", "word"),
    [
        ("sequence putfh read_plus", "read_plus"),
        ("sequence putfh write getattr", "write"),
        ("sequence putfh open getfh access getattr", "open"),
        ("sequence putfh getattr", "getattr"),
        ("sequence putfh access getattr", "access"),
        ("sequence putfh lookup getfh getattr", "lookup"),
        ("sequence putrootfh getfh getattr", "getattr"),
        ("sequence putfh savefh putfh rename", "rename"),
        ("sequence putfh savefh putfh link restorefh getattr", "link"),
        ("sequence putfh setattr getattr", "setattr"),
        ("sequence putfh layoutreturn delegreturn", "delegreturn"),
        ("sequence", "sequence"),
        ("exchange_id", "exchange_id"),
        ("putfh", "putfh"),
        ("", "other"),
    ],
)
def test_a_compound_is_what_its_other_operations_serve(compound, word):
    """Neither how it gets to a file nor what it asks of it afterwards."""
    assert operation(NFS, 4, 1, [NUMBERS[name] for name in compound.split()]) == word


@pytest.mark.parametrize(
    ("program", "version", "procedure", "word"),
    [
        (NFS, 3, PROC3.index("read"), "read"),
        (NFS, 3, PROC3.index("commit"), "commit"),
        (NFS, 3, 22, "other"),
        (NFS, 2, PROC2.index("writecache"), "writecache"),
        (NFS, 4, 0, "null"),
        (NFS, 4, 7, "other"),
        (NFS, 5, 1, "other"),
        (100227, 3, 1, "other"),
    ],
)
def test_other_calls_are_their_procedure(program, version, procedure, word):
    """What is not known is no guess but `other`."""
    assert operation(program, version, procedure) == word


def test_an_operation_without_a_name_is_other():
    """Also where known ones stand around it: it is what the compound is for."""
    assert operation(NFS, 4, 1, [53, 22, 10044, 9]) == "other"


@given(*[st.integers(0, 1 << 32)] * 3, st.lists(st.integers(0, 1 << 32), max_size=16))
def test_every_call_has_a_word_of_few(program, version, procedure, ops):
    """No client can make up new ones."""
    words = {*PROC2, *PROC3, *PROC4OPS.values(), "other"}
    assert operation(program, version, procedure, ops) in words
    assert operation(NFS, 4, 1, ops) in words
