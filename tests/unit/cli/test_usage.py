"""`nasacct usage` over a recording of real kernel NFS servers, whose clients told the truth."""

import csv
import io
import json

import pytest

MEASURES = ["read_bytes", "written_bytes", "received_bytes", "sent_bytes", "calls"]
#: What the clients themselves counted (GROUND_TRUTH.md of the recording): read, written.
TRUTH = {"srv1": (98172928, 9338880), "srv2": (86114304, 0), "srv3": (0, 0)}


def answer(nasacct, store, *arguments):
    done = nasacct("usage", "--root", store, "--json", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_bytes_are_what_the_clients_counted(nasacct, replayed):
    """Each server's bytes read and written, to the byte, and exact."""
    rows = {row["server"]: row for row in answer(nasacct, replayed, "--by", "server")}
    assert {name: (row["read_bytes"], row["written_bytes"]) for name, row in rows.items()} == TRUTH
    for row in rows.values():
        for measure in MEASURES:
            assert row[f"{measure}_max"] == row[measure]
            assert row[f"{measure}_quality"] == "exact"
        assert row["quality"] == "exact"
        assert row["from"].endswith("Z")
        assert row["from"] < row["to"]


def test_node_is_the_sum_of_its_servers(nasacct, replayed):
    """One row, with the node's name."""
    (row,) = answer(nasacct, replayed, "--by", "node")
    assert row["node"] == "nfsd612-ext4-reader"
    assert row["read_bytes"] == sum(read for read, _ in TRUTH.values())


@pytest.mark.parametrize("step", ["10s", "1m", "5m", "1d"])
def test_steps_add_up(nasacct, replayed, step):
    """Whatever the step, the parts sum to the whole, and no bound lies below its value."""
    rows = answer(nasacct, replayed, "--by", "server", "--step", step)
    for name, (read, written) in TRUTH.items():
        mine = [row for row in rows if row["server"] == name]
        assert sum(row["read_bytes"] for row in mine) == read
        assert sum(row["written_bytes"] for row in mine) == written
    assert all(row[f"{m}_max"] >= row[m] for row in rows for m in MEASURES if row[m] is not None)


def test_time_outside_the_recording_has_no_rows(nasacct, replayed):
    """Nothing is known of it; an empty answer is no error, in every form."""
    span = ("--since", "2020-01-01", "--until", "2020-02")
    assert answer(nasacct, replayed, *span) == []
    assert nasacct("usage", "--root", replayed, "--csv", *span).stdout.startswith("server,")
    assert "no server was read in that time; leave --since" in nasacct("usage", "--root", replayed, *span).stdout


def test_without_clients_all_of_the_links_is_nobodys(nasacct, replayed):
    """The recording has no connections: one row says what its links moved, and a sentence why."""
    (row,) = answer(nasacct, replayed, "--by", "client")
    assert (row["client"], row["id"]) == (None, None)
    assert row["sent_bytes"] == sum(r["sent_bytes"] for r in answer(nasacct, replayed, "--by", "server"))
    shown = nasacct("usage", "--root", replayed, "--by", "client").stdout
    assert "not per client" in shown
    assert "`nasacct doctor` says whether they can be" in shown


def test_csv_says_the_same_as_json(nasacct, replayed):
    """The same rows with the same fields."""
    done = nasacct("usage", "--root", replayed, "--csv")
    for by_csv, by_json in zip(csv.DictReader(io.StringIO(done.stdout)), answer(nasacct, replayed), strict=True):
        assert by_csv == {key: str(value) for key, value in by_json.items()}


def test_people_see_times_of_their_zone(nasacct, replayed):
    """A table of 80 columns in decimal units, headed by the span of time with its offset."""
    done = nasacct("usage", "--root", replayed, "--step", "1m", NASACCT_ZONE="Asia/Tokyo")
    assert "+09:00" in done.stdout.splitlines()[0]
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "98.2 MB" in nasacct("usage", "--root", replayed).stdout


def test_steps_over_a_change_of_the_clock_name_the_offset_of_each():
    """Where summer time ends, 02:30 was twice: each row says which; elsewhere the column's title does."""
    from datetime import UTC, datetime, timedelta
    from zoneinfo import ZoneInfo

    from nasacct.cli.usage import _from

    zone = ZoneInfo("Europe/Prague")
    rows = [{"from": datetime(2026, 10, 25, 0, 30, tzinfo=UTC) + timedelta(hours=n)} for n in range(2)]
    column = _from(rows, zone)
    assert [column.write(row["from"]) for row in rows] == ["2026-10-25 02:30:00 +02:00", "2026-10-25 02:30:00 +01:00"]
    column = _from(rows[1:], zone)
    assert (column.title, column.write(rows[1]["from"])) == ("FROM (+01:00)", "2026-10-25 02:30")


def test_span_that_ends_before_it_begins_is_refused(refused, replayed):
    """Status 64 and the mend."""
    status, sentence = refused("usage", "--root", replayed, "--since", "now", "--until", "yesterday")
    assert (status, "--since" in sentence) == (64, True)
    status, sentence = refused("usage", "--root", replayed, "--step", "0s")
    assert (status, "--step" in sentence) == (64, True)


def test_the_readings_behind_a_figure_are_shown(nasacct, replayed):
    """Each counter of each life, from which reading to which one; they add up to the figure."""
    rows = answer(nasacct, replayed, "--explain", "--server", "srv1")
    assert {row["server"] for row in rows} == {"srv1"}
    assert sum(row["counted"] for row in rows if row["counter"] == "read_bytes") == TRUTH["srv1"][0]
    assert all(row["to_value"] - row["from_value"] == row["counted"] for row in rows)
    shown = nasacct("usage", "--root", replayed, "--explain")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "98,172,928" in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 80
    refused = nasacct("usage", "--root", replayed, "--explain", "--step", "5m")
    assert refused.returncode == 64
    assert "leave --step out" in refused.stderr
