"""`nasacct space`, as a person asks it."""

import csv
import io
import json

import pytest
from journals import Recorder

from nasacct.store import inventory
from nasacct.store.inventory import EVER, Statement

GB = 10**9


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Two datasets for twelve days, of which one is full in some days, and one that is new."""
    where = tmp_path_factory.mktemp("space") / "store"
    recorder = Recorder(where, start="2026-11-01T00:00:00+00:00", interval_s=43200)
    things = {guid: recorder.thing("space", f"zfs/{guid}", dataset=guid) for guid in "123"}
    inventory_of = [
        Statement("dataset", f"nas1/{g}", EVER[0], {"name": f"tank/{n}"}, 1) for g, n in zip("123", "bac", strict=True)
    ]
    for look in range(25):
        grown = look * GB
        read = {things["1"]: {"used_bytes": grown, "available_bytes": 60 * GB - grown, "quota_bytes": 60 * GB}}
        read[things["2"]] = {"used_bytes": 99 * GB, "available_bytes": 10 * GB, "quota_bytes": None}
        if look > 20:
            read[things["3"]] = {"used_bytes": GB, "available_bytes": GB, "quota_bytes": None}
        recorder.cycle(read)
    inventory.tell(where, inventory_of)
    return where


def test_the_table_says_what_is_left_and_for_how_long(nasacct, store):
    """In 80 columns; what is not known is said so."""
    done = nasacct("space", "--root", store, NASACCT_ZONE="UTC")
    assert (done.returncode, done.stderr) == (0, "")
    heading, _, titles, _, *lines = (line.rstrip() for line in done.stdout.splitlines())
    assert heading == "read last at 2026-11-13 00:00:00 +00:00"
    assert titles.split("  ")[0] == "DATASET"
    assert [" ".join(line.split()) for line in lines] == [
        "tank/a 99.0 GB 10.0 GB - not foreseen",
        "tank/b 24.0 GB 36.0 GB 60.0 GB 18 d",
        "tank/c 1.00 GB 1.00 GB - unknown, 2 days known",
    ]
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize(("sort", "order"), [("name", "abc"), ("used", "abc"), ("full", "bac")])
def test_who_comes_first(nasacct, store, sort, order):
    """By name, the greatest, who is full first; of whom it is unknown, last."""
    rows = json.loads(nasacct("space", "--root", store, "--json", "--sort", sort).stdout)
    assert [row["name"] for row in rows] == [f"tank/{name}" for name in order]


def test_programs_get_every_digit(nasacct, store):
    """The same fields in both forms, also of nobody."""
    (row,) = [r for r in json.loads(nasacct("space", "--root", store, "--json").stdout) if r["dataset"] == "1"]
    assert (row["used_bytes"], row["available_bytes"], row["quota_bytes"]) == (24 * GB, 36 * GB, 60 * GB)
    assert row["full_days"] == pytest.approx(18)
    assert row["at"] == "2026-11-13T00:00:00Z"
    of_nobody = nasacct("space", "--root", store, "--csv", "--member", "nobody").stdout
    assert next(csv.reader(io.StringIO(of_nobody))) == list(row)


def test_whoever_asks_wrongly_is_told(nasacct, refused, store, tmp_path):
    """A trend of two days is none; a member nobody knows; a store without any."""
    assert refused("space", "--root", store, "--window", "2d") == (64, "--window 2d is too short; say at least 864000s")
    nobodys = nasacct("space", "--root", store, "--member", "7").stdout
    assert nobodys.splitlines()[0] == "of member 7 no dataset is known"
    Recorder(tmp_path / "other")
    assert "`space` must be enabled" in nasacct("space", "--root", tmp_path / "other").stdout
