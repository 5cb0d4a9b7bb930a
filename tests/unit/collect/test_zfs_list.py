"""What `zfs list -Hp` prints, and nothing that it might have meant."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasacct.collect import zfs_list
from nasacct.collect.lines import LARGEST, ParseError
from nasacct.collect.zfs_list import PROPERTIES
from nasacct.store.frame import ABSENT
from nasacct.store.schema import SPACE

REAL = Path(__file__).parents[2] / "fixtures" / "zfs"
FILES = "tank/nas/1001 a\t9683213437518129203\t3221225472\t98304\t265214230528\t268435456000\t0\t1048576"
VOLUME = "tank/vol\t7\t1\t2\t3\t-\t-\t0"


def test_what_zfs_prints_is_understood():
    """A real pool: a quota above, a refquota and a snapshot below, a volume; renamed, a dataset is the same."""
    found = {
        one.name: one for name in ("alone", "below") for one in zfs_list.parse((REAL / f"{name}.txt").read_bytes())
    }
    assert list(found) == [
        "tank", "tank/nas", "tank/nas/1001", "tank/nas/1001/gone", "tank/nas/1001/photos", "tank/nas/1001/two words",
        "tank/vol",
    ]  # fmt: skip
    assert found["tank/nas/1001"].sizes == (42088448, 24576, 272484352, 300 << 20, ABSENT, 0)
    assert found["tank/nas/1001/photos"].sizes == (42014720, 10519552, 199195648, ABSENT, 200 << 20, 31495168)
    assert found["tank/vol"].sizes[3:5] == (ABSENT, ABSENT)
    later = {one.guid: one.name for one in zfs_list.parse((REAL / "renamed.txt").read_bytes())}
    assert later[found["tank/nas/1001/photos"].guid] == "tank/nas/1001/pictures"
    assert found["tank/nas/1001/gone"].guid not in later


def test_each_line_is_a_dataset():
    """Its name may have blanks, its guid may be larger than any counter; of quotas 0 and - are none."""
    one, other = zfs_list.parse(f"{FILES}\n{VOLUME}\n".encode())
    assert (one.name, one.guid) == ("tank/nas/1001 a", "9683213437518129203")
    sizes = dict(zip([m.name for m in SPACE.measures], one.sizes, strict=True))
    assert sizes == {
        "used_bytes": 3221225472,
        "referenced_bytes": 98304,
        "available_bytes": 265214230528,
        "quota_bytes": 268435456000,
        "refquota_bytes": ABSENT,
        "snapshots_bytes": 1048576,
    }
    assert other.sizes == (1, 2, 3, ABSENT, ABSENT, 0)


def test_there_may_be_none():
    """A program that was asked of no dataset that exists prints nothing."""
    assert zfs_list.parse(b"") == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (FILES, "line 1: it has no newline at its end, so it was cut; read the file again"),
        (f"{VOLUME}\ntank\t1\t2\n", "line 2: it has 3 fields, not 8"),
        (VOLUME.replace("\t1\t", "\t1.2G\t") + "\n", "line 1: '1.2G' is not a number"),
        (VOLUME.replace("\t7\t", "\t-\t") + "\n", "line 1: '-' is no guid"),
        (VOLUME.replace("tank/vol", "") + "\n", "line 1: it has no name"),
        (VOLUME.replace("\t3\t", f"\t{2**64}\t") + "\n", f"line 1: {2**64} is larger than any counter"),
    ],
)
def test_what_is_none_is_refused_with_a_sentence(text, sentence):
    """Cut, of another program, or in units for people."""
    with pytest.raises(ParseError) as told:
        zfs_list.parse(text)
    assert str(told.value) == sentence


@given(st.binary(max_size=200) | st.text("tank/1-\t\n0", max_size=200).map(str.encode))
def test_any_bytes_are_datasets_or_a_sentence(data):
    """Every size is a counter or none."""
    found = []
    with contextlib.suppress(ParseError):
        found = zfs_list.parse(data)
    for one in found:
        assert len(one.sizes) == len(PROPERTIES) - 2
        assert all(size == ABSENT or 0 <= size <= LARGEST for size in one.sizes)
