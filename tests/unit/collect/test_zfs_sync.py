"""How datasets sync, as `zfs list` prints it."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasacct.collect import zfs_sync
from nasacct.collect.lines import ParseError
from nasacct.store.frame import ABSENT


def test_each_line_is_a_dataset():
    """A word that is new is not guessed."""
    text = "tank\t15209532817627057914\t54\tstandard\ntank/m 2\t3\t140\tdisabled\ntank/x\t4\t5\tsometimes\n"
    assert zfs_sync.parse(text) == {
        "tank": ("15209532817627057914", 54, 0),
        "tank/m 2": ("3", 140, 2),
        "tank/x": ("4", 5, ABSENT),
    }
    assert zfs_sync.parse("") == {}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("tank\t1\n", "line 1: it has 2 fields, not 4"),
        ("tank\t-\t1\tstandard\n", "line 1: '-' is no guid"),
        ("tank\t1\t-\tstandard\n", "line 1: '-' is not a number"),
    ],
)
def test_what_is_none_is_refused_with_a_sentence(text, sentence):
    """Another list, or one that was cut."""
    with pytest.raises(ParseError) as told:
        zfs_sync.parse(text)
    assert str(told.value) == sentence


@given(st.binary(max_size=200) | st.text("tank/1-\t\n0", max_size=200).map(str.encode))
def test_any_bytes_are_datasets_or_a_sentence(data):
    """Nothing else is raised."""
    with contextlib.suppress(ParseError):
        assert all(one.guid.isdigit() and one.sync >= ABSENT for one in zfs_sync.parse(data).values())
