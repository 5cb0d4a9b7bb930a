"""How md's arrays are understood, and how much of their disks a check reads."""

from pathlib import Path

import pytest

from nasacct.collect import mdstat
from nasacct.collect.lines import ParseError

REAL = Path(__file__).parents[2] / "fixtures" / "zpool"


@pytest.mark.parametrize(
    ("name", "function", "reads"),
    [("build1", "resync", {"md0": 100}), ("check1", "check", {"md0": 200, "md1": 200}),
     ("recovery", "recovery", {"md1": 100})],
)  # fmt: skip
def test_what_real_disks_read_is_what_is_told(name, function, reads):
    """A check of two disks read both (66.06 MB of 66.06 each), a recovery of RAID5 the one that was left (65.01)."""
    found = {each.device: each for each in mdstat.parse((REAL / f"{name}.mdstat").read_bytes()) if each.sync}
    assert {device: array.read_hundredths for device, array in found.items()} == reads
    assert {array.sync.function for array in found.values()} == {function}
    assert all(array.sync.whole_bytes in (66060288, 65011712) for array in found.values())


def test_when_nothing_is_done_nothing_is_told():
    """A failed disk and a spare are told of."""
    assert [each.sync for each in mdstat.parse((REAL / "checked.mdstat").read_bytes())] == [None, None]
    (array, _) = mdstat.parse((REAL / "recovery.mdstat").read_bytes())
    assert array.members == (("vds", ""), ("vdr", ""), ("vdq", "F"))


def test_raid10_is_read_as_often_as_it_has_copies():
    """Its check counts what the array holds, not what its disks do."""
    text = (
        "md1 : active raid10 b[1] a[0]\n  9 blocks 2 near-copies [2/2] [UU]\n  [>..]  check =  5.1% (1/9) finish=1min\n"
    )
    assert mdstat.parse(text)[0].read_hundredths == 200
    assert mdstat.parse(text.replace("check", "recovery"))[0].read_hundredths == 100


@pytest.mark.parametrize("text", ["rc 0 1 2\n", "md0 :\n", "md0 : active raid1 a[0]"])
def test_what_is_no_array_is_refused(text):
    """Another file, or one that was cut."""
    with pytest.raises(ParseError):
        mdstat.parse(text)
