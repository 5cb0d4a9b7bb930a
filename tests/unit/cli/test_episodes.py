"""`nasacct episodes`: when the disks did not keep up, as a table, JSON and CSV."""

import csv
import io
import json
from datetime import date

import pytest
import series

from nasacct.store import judged, root
from nasacct.store.tree import Tree

#: Half an hour of which the disk is busy for two and a half minutes, and for a minute and ten seconds.
STORE = """
start 2026-11-23T10:00:00Z
disks disk=d device=sda ms_io 0+1000x30 40000+10000x14 181000+1000x60 251000+10000x6 312000+1000x60
nfsd server=a read_bytes 0+1000x175
"""
LONG, SHORT = "nas1-20261123-100500", "nas1-20261123-101740"
SINCE = ("--since", "2026-11-23")


@pytest.fixture
def store(tmp_path):
    root.prepare(tmp_path / "store")
    series.write(STORE, tmp_path / "store")
    return tmp_path / "store"


def told(nasacct, store, *arguments):
    done = nasacct("episodes", "--root", store, "--json", *SINCE, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_what_matters_is_told_and_the_rest_when_asked_for(nasacct, store):
    """From usage as long as nobody has judged it, and said so."""
    (only,) = told(nasacct, store)
    assert (only["id"], only["from"], only["duration_s"]) == (LONG, "2026-11-23T10:05:00Z", 150)
    assert (only["state"], only["minor"], only["verdict"]) == ("provisional", False, None)
    assert [each["id"] for each in told(nasacct, store, "--all")] == [LONG, SHORT]
    assert told(nasacct, store, "--all", "--until", "2026-11-23 11:00") == []


def test_a_table_is_in_the_viewers_zone(nasacct, store):
    """The name is in UTC, for it must not change with who looks."""
    done = nasacct("episodes", "--root", store, *SINCE, NASACCT_ZONE="Asia/Tokyo", COLUMNS="160")
    assert done.returncode == 0
    assert f"{LONG}  11-23 19:05  2 min 30 s" in done.stdout
    assert "in the time of Asia/Tokyo" in done.stdout
    assert "provisional" in done.stdout
    narrow = nasacct("episodes", "--root", store, *SINCE, NASACCT_ZONE="Asia/Tokyo", COLUMNS="80").stdout
    assert f"{LONG}  11-23 19:05  2 min 30 s" in narrow
    assert "all the time that is known" in nasacct("episodes", "--root", store, "--since", "1h").stdout


def test_csv_has_a_row_an_episode(nasacct, store):
    done = nasacct("episodes", "--root", store, "--csv", "--all", *SINCE)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [(row["id"], row["harm"], row["culprit"]) for row in rows] == [(LONG, "", ""), (SHORT, "", "")]


def test_other_thresholds_say_what_comes_and_goes(nasacct, store):
    """And equal ones change nothing."""
    changes = {each["id"]: each["change"] for each in told(nasacct, store, "--all", "--what-if", "busy=0.95")}
    assert changes == {LONG: "same", SHORT: "same"}
    changes = {each["id"]: each["change"] for each in told(nasacct, store, "--all", "--what-if", "least_s=120")}
    assert changes == {LONG: "same", SHORT: "goes"}


def test_what_is_configured_holds(nasacct, store):
    """In the configuration an episode may be another thing."""
    done = nasacct("episodes", "--root", store, "--json", "--all", *SINCE, NASACCT_EPISODES__LEAST_S="120")
    assert [each["id"] for each in json.loads(done.stdout)] == [LONG]


def test_what_was_judged_is_told_in_words(nasacct, store):
    """Whom it accuses, and how sure that is; what others think of it is theirs."""
    (only,) = told(nasacct, store)
    culprit = {"kind": "member", "name": "server:a", "share": 0.8, "confidence": 0.95, "culprit": True}
    record = {name: only[name] for name in only if name not in {"node", "duration_s", "state", "change"}}
    record |= {"from": 1795428300, "to": 1795428450, "harm": {"harmful": True, "hurt": 3}}
    record |= {"verdict": {"verdict": "members", "entities": [culprit]}}
    said = {"episodes": [record], "normal": [None, None]}
    judged.write_text(Tree(store, "nas1"), "nas1", "episodes", date(2026, 11, 23), said)
    done = nasacct("episodes", "--root", store, *SINCE, COLUMNS="160")
    assert "3 hurt  server a: 80 % of the disk time, 95 % sure" in done.stdout
    (file,) = judged.listed(Tree(store, "nas1"))
    file.path.unlink()
    said["episodes"][0]["verdict"]["history_s"] = 300
    judged.write_text(Tree(store, "nas1"), "nas1", "episodes", date(2026, 11, 23), said)
    done = nasacct("episodes", "--root", store, *SINCE, COLUMNS="160")
    assert "95 % sure, by 5 min of history" in done.stdout
    rows = list(csv.DictReader(io.StringIO(nasacct("episodes", "--root", store, "--csv", *SINCE).stdout)))
    assert (rows[0]["culprit"], rows[0]["harm"], rows[0]["state"]) == ("server:a", "true", "confirmed")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--what-if", "bus=1"], "no threshold bus; they are busy, "),
        (["--what-if", "busy"], "write it as busy=0.9"),
        (["--what-if", "enter=2.5"], "enter = 2.5 cannot be"),
        (["--pool", "rpool"], "there is no pool rpool; there are: nas1"),
        (["--node", "nas9"], "holds no node nas9"),
        (["--since", "once"], "--since: "),
    ],
)
def test_what_cannot_be_is_a_sentence(refused, store, arguments, expected):
    status, sentence = refused("episodes", "--root", store, *arguments)
    assert status in {64, 66}
    assert expected in sentence
