"""Whose the disks' time was: what is kept of a judged day, and whose it is."""

import csv
import io
import json
import shutil
from datetime import UTC, date, datetime

import pytest

from nasacct.reports import facts, judging
from nasacct.reports.blame import blame
from nasacct.reports.episodes import Ledger
from nasacct.store import inventory, judged
from nasacct.store.inventory import EVER, Statement
from nasacct.store.tree import Tree
from nasacct.store.warehouse import Warehouse

DAY = date(2026, 11, 23)
BEGIN, END = (int(datetime(2026, 11, day, tzinfo=UTC).timestamp()) for day in (23, 24))
HOUR = BEGIN + 13 * 3600


@pytest.fixture(scope="module")
def made(replayed_demo, tmp_path_factory):
    """Eleven minutes of six real NFS servers on one throttled disk, judged; 101 and 102 are one member's."""
    where = shutil.copytree(replayed_demo, tmp_path_factory.mktemp("blame") / "store")
    assert judging.judge(Ledger(Tree(where, "nas"), Warehouse(where, "nas")), "nas", DAY, END + 1e6)
    said = [Statement("export", s, EVER[0], {"server": s, "member": "7"}, 1) for s in ("101", "102")]
    inventory.tell(where, [*said, Statement("member", "7", EVER[0], {"name": "seven"}, 1)])
    return where


@pytest.fixture
def store(made, tmp_path):
    """One of each test's own."""
    return shutil.copytree(made, tmp_path / "store")


def test_parts_are_all_that_was_measured(store):
    """Of whom it was, and of nobody; the facts say the same of the disk."""
    found = blame(store, BEGIN, END)
    assert sum(row.disk_s for row in found.rows) == pytest.approx(found.disk_s)
    assert sum(row.share for row in found.rows) == pytest.approx(1)
    (file,) = [each for each in judged.listed(Tree(store, "nas")) if each.kind == "facts"]
    known = facts.kept(file)
    assert found.disk_s == pytest.approx(10 * known.median[known.present].sum(), rel=1e-3)
    assert (found.since, found.until) == (HOUR, HOUR + 3600)


def test_members_have_what_their_servers_used(store):
    """By name; who used most comes first, and what is nobody's last."""
    found = blame(store, BEGIN, END)
    rows = {row.entity: row for row in found.rows}
    assert list(rows)[-1] is None
    assert rows["member:7"].name == "seven"
    assert "server:102" not in rows
    assert found.rows[0].disk_s > 0.2 * found.disk_s
    assert rows["server:106"].share < 0.02
    assert [row.disk_s for row in found.rows[:-1]] == sorted((row.disk_s for row in found.rows[:-1]), reverse=True)


def test_an_hour_is_its_owners_of_that_hour(store):
    """What changed hands before is the new owner's."""
    moment = (HOUR + 60) * 1_000_000
    inventory.tell(store, [Statement("export", "102", moment, {"server": "102", "member": "8"}, 2)])
    assert "member:8" in {row.entity for row in blame(store, BEGIN, END).rows}


def test_what_cannot_be_read_is_told(store):
    """And of other times, nodes and pools there is nothing."""
    assert blame(store, END, END + 86_400).rows == ()
    assert blame(store, BEGIN, END, pool="tank").rows == ()
    assert blame(store, BEGIN, END, node="other").rows == ()
    (file,) = [each for each in judged.listed(Tree(store, "nas")) if each.kind == "used"]
    file.path.write_bytes(file.path.read_bytes()[:-9])
    found = blame(store, BEGIN, END)
    assert found.rows == ()
    assert "its day is missing" in found.trouble[0]


def test_a_person_asks_for_it(nasacct, store):
    """As a table, and as a program does."""
    done = nasacct("blame", "--since", "2026-11-23", "--root", store, NASACCT_ZONE="UTC")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert lines[0].startswith("from 2026-11-23 13:00:00 +00:00 to 2026-11-23 14:00:00 +00:00, ")
    assert lines[2] == "WHO NAME DISK TIME SHARE HOURS"
    assert lines[-1].startswith("nobody's ")
    told = json.loads(nasacct("blame", "--since", "2026-11-23", "--root", store, "--json").stdout)
    rows = list(csv.DictReader(io.StringIO(nasacct("blame", "--since", "2026-11-23", "--root", store, "--csv").stdout)))
    assert [row["entity"] or None for row in rows] == [row["entity"] for row in told]
    assert list(rows[0]) == list(told[0]) == ["entity", "name", "disk_s", "share", "hours"]
    assert "no day was judged" in nasacct("blame", "--since", "2026-11-25", "--root", store).stdout
