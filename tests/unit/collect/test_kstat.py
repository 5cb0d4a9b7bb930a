"""Tables of named values of ZFS, as real kernels print them and as nobody should believe them."""

import json

import pytest
from damage import damaged
from hypothesis import given
from zfs_life import REAL

from nasacct.collect import kstat
from nasacct.collect.lines import ParseError
from nasacct.store.frame import Instant

PHOTOS = REAL / "life" / "2-written" / "tank" / "objset-0x93"
TEXT = PHOTOS.read_bytes()
DAY = 86_400_000_000_000


def test_a_real_table():
    """When it was made, and every value as it is printed."""
    found = kstat.parse(TEXT)
    assert (found.made_ns, len(found.rows)) == (65_842_864_250, 27)
    assert (found.rows["dataset_name"], found.number("nread"), found.number("none")) == (
        "tank/nas/1001/photos", 10_485_760, None,
    )  # fmt: skip


def test_names_and_values_may_hold_blanks():
    """They are parted by columns of fixed width."""
    text = (REAL / "life" / "2-written" / "tank" / "objset-0x9a").read_bytes()
    assert kstat.parse(text).rows["dataset_name"] == "tank/nas/a name  of four"
    waits = kstat.parse((REAL / "busy" / "2-done" / "tank" / "dmu_tx_assign").read_bytes())
    assert waits.number("8388608 ns") == 39


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"", "line 1: the file is empty"),
        (TEXT[:-1], "has no newline at its end"),
        (TEXT[: TEXT.index(b"zil_commit_count")], "line 1: it says 27 rows and has 7 of different names in 7"),
        (TEXT.replace(b"nread ", b"reads "), "it says 27 rows and has 26 of different names in 27"),
        (b"62 1 0x01 27 7600 65842864250\n", "line 1: it has not the seven numbers that begin a kstat"),
        (TEXT.replace(b" 1 0x01", b" 0 0x01"), "it is a kstat of type '0', and no table of named values"),
        (TEXT.split(b"\n")[0] + b"\n", "line 2: there are no headings name, type and data"),
        (TEXT.replace(b"65842864250", b"now"), "line 1: 'now' is not a number"),
    ],
)
def test_what_was_cut_is_refused_with_a_sentence(text, sentence):
    """It is never half understood."""
    with pytest.raises(ParseError) as error:
        kstat.parse(text)
    assert sentence in str(error.value)


def test_a_value_that_is_no_number_is_refused_with_its_line():
    """When it is asked for."""
    found = kstat.parse(TEXT.replace(b"10485760", b"-1      "))
    with pytest.raises(ParseError) as error:
        found.number("nwritten")
    assert str(error.value) == "line 5: '-1      ' is not a number"


@given(damaged(TEXT))
def test_a_damaged_table_is_understood_or_refused(text):
    """Whatever was cut out of it or put into it: no other error, and no row that is not in it."""
    try:
        found = kstat.parse(text)
        for name in found.rows:
            found.number(name)
    except ParseError:
        return
    assert all(value.encode() in text for value in found.rows.values())


def test_when_a_table_was_made_is_known_by_the_clock_that_goes_on_in_sleep(monkeypatch):
    """At the earliest: a real dataset was made between two looks at the clock, whatever else has happened."""
    clocks = json.loads((REAL / "life" / "1-made" / "clocks.json").read_text())["before"]
    now = [clocks[f"CLOCK_{name}"] for name in ("MONOTONIC_RAW", "MONOTONIC", "BOOTTIME")]
    monkeypatch.setattr(kstat, "clocks", lambda: tuple(now))
    made = kstat.parse((REAL / "life" / "1-made" / "tank" / "objset-0xa1").read_bytes()).made_ns
    later = Instant(0, 10**18)
    awake = kstat.born_boot_ns(made, later)
    assert 66_701_063_785 < awake < 67_318_924_497
    now[2] += 3_600_000_000_000
    assert kstat.born_boot_ns(made, later) == pytest.approx(awake, abs=100_000)
    assert kstat.born_boot_ns(made, Instant(0, awake - 7)) == awake - 7
    now[:] = [100 * DAY, 100 * DAY + 4_000_000_000_000, 100 * DAY]
    assert kstat.born_boot_ns(0, later) == 0


def test_a_table_is_read_whole(tmp_path):
    """One that is longer than a page, too."""
    path = tmp_path / "table"
    path.write_bytes(TEXT * 100)
    assert kstat.read(path) == TEXT * 100
    assert kstat.read(PHOTOS) == TEXT
