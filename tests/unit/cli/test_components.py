"""Commands about a pool whose special disk did not keep up."""

import csv
import io
import json

import mixed
import pytest
import series

from nasacct.errors import NO_INPUT
from nasacct.store import root

SINCE = ("--since", "2026-11-23T10:00Z", "--until", "2026-11-23T11:00Z")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Nothing of it was judged."""
    where = tmp_path_factory.mktemp("special") / "store"
    root.prepare(where)
    series.write(mixed.text("special"), where)
    return where


def test_why_says_which_disks(nasacct, store):
    """In its first lines, and to programs; of a pool, a moment or an episode."""
    (row,) = json.loads(nasacct("episodes", *SINCE, "--root", store, "--json").stdout)
    assert row["id"] == "tank_special-20261123-104000"
    for asked in (["2026-11-23T10:42Z", "--pool", "tank"], ["2026-11-23T10:42Z"], [row["id"]]):
        done = nasacct("why", *asked, "--root", store)
        assert (done.returncode, done.stderr) == (0, "")
        head, accusation = done.stdout.split("\n\n")[:2]
        assert head.endswith("\nIts special disks did not keep up for 100 % of it. Others waited for it.")
        assert accusation.startswith("Server 102 probably caused this")
    found = json.loads(nasacct("why", row["id"], "--root", store, "--json").stdout)
    assert (found["pool"], found["component"], found["components"]) == ("tank", "special", ["data", "special", "log"])


def test_episodes_say_which_disks(nasacct, store):
    """In a column where there is one of others than data; and they are chosen by --pool."""
    table = nasacct("episodes", *SINCE, "--root", store).stdout
    assert "DISKS" in table
    assert " special " in table
    asked = ["episodes", *SINCE, "--root", store, "--pool"]
    for pool, count in (("tank", 1), ("tank/special", 1), ("tank/data", 0), ("tank/log", 0)):
        rows = json.loads(nasacct(*asked, pool, "--json").stdout)
        assert [(row["pool"], row["component"]) for row in rows] == [("tank", "special")] * count
    (row,) = csv.DictReader(io.StringIO(nasacct(*asked, "tank", "--csv").stdout))
    assert (row["pool"], row["component"]) == ("tank", "special")


@pytest.mark.parametrize("command", [["episodes", *SINCE], ["why", "2026-11-23T10:42Z"]])
def test_disks_that_are_none_of_the_pools_are_refused(refused, store, command):
    """With what there is."""
    status, sentence = refused(*command, "--pool", "tank/dedup", "--root", store)[:2]
    assert status == NO_INPUT
    assert "tank, tank/log, tank/special" in sentence
