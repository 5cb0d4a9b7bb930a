"""Graphs: as many buckets as there is room for, with the sums and bounds that `usage` gives for the same spans."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from journals import Recorder

from nasacct.errors import NasacctError
from nasacct.reports import usage
from nasacct.reports.graph import graph
from nasacct.store.keep import Rules, keep
from nasacct.store.tree import Tree
from nasacct.store.warehouse import Warehouse

TEN = datetime(2026, 11, 23, 10, tzinfo=UTC)
DAY = timedelta(days=1)
MEASURES = ("read_bytes", "written_bytes", "received_bytes", "sent_bytes", "calls")


@pytest.fixture(scope="module", params=["journal", "rolled up"])
def warehouse(request, tmp_path_factory):
    """Ten days of one busy server with gaps, a life that ends unread, and a link; another one beside it."""
    where = tmp_path_factory.mktemp("graph")
    recorder = Recorder(where, interval_s=10)
    one, two = (recorder.thing("nfsd", server=s) for s in ("srv1", "srv2"))
    link = recorder.thing("links", server="srv1", link="v1")
    for i in range(700):
        if i % 60 == 59:
            recorder.rotate()
        if i == 400:
            one = recorder.thing("nfsd", "boot-again", server="srv1")
        now = {one: {"read_bytes": 900 * i, "calls": i}, two: {"read_bytes": 10**12}, link: {"sent_bytes": 1000 * i}}
        if i == 200:
            now[one] = None
        recorder.cycle(now, seconds=[10, 290, 1300, 3000][i % 4])
    if request.param == "rolled up":
        for _ in range(2):
            keep(Tree(where, "nas1"), (TEN + 40 * DAY).timestamp(), Rules({"readings": 40, "usage": 400}, -1e12))
    return Warehouse(where)


@pytest.mark.parametrize(
    ("span", "step"), [(DAY, "5m"), (7 * DAY, "30m"), (31 * DAY, "2h"), (100 * DAY, "6h"), (365 * DAY, "1d")]
)
def test_a_bucket_has_what_usage_says_of_its_span(warehouse, span, step):
    """For a day, a week, a month, a quarter and a year: each from other cells, each to the byte."""
    since = TEN - TEN.hour * timedelta(hours=1)
    found = graph(warehouse, "srv1", since, since + span)
    wanted = usage.ask(warehouse, "server", since, since + span, step).to_pylist()
    wanted = {r["from"]: r for r in wanted if r["who"] == "srv1"}
    rows = found.table.to_pylist()
    assert len(rows) > 5
    assert all(b["bucket"] - a["bucket"] >= found.length for a, b in pairwise(rows))
    for row in rows:
        assert {m: (row[m], row[f"{m}_max"]) for m in MEASURES} == {
            m: (wanted[row["bucket"]][m], wanted[row["bucket"]][f"{m}_max"]) for m in MEASURES
        }


@pytest.mark.parametrize("span", [DAY, 7 * DAY, 31 * DAY, 365 * DAY])
def test_a_bucket_has_the_highest_rate_of_its_rows(warehouse, span):
    """Whichever cells it is made of."""
    since = TEN - TEN.hour * timedelta(hours=1)
    found = graph(warehouse, "srv1", since, since + span)
    peaks = {}
    for row in warehouse.query("SELECT * FROM nfsd WHERE server = 'srv1'", views=["nfsd"]).to_pylist():
        if row["t1"] > row["t0"] and row["read_bytes"] is not None and row["t0"] < since + span:
            bucket = row["t0"] - (row["t0"] - datetime(1970, 1, 1, tzinfo=UTC)) % found.length
            rate = row["read_bytes"] * 1_000_000 // ((row["t1"] - row["t0"]) // timedelta(microseconds=1))
            peaks[bucket] = max(rate, peaks.get(bucket, 0))
    told = {r["bucket"]: r["read_bytes_peak"] for r in found.table.to_pylist()}
    assert {at: int(peak) for at, peak in told.items() if peak is not None} == peaks


def test_a_peak_is_seen_in_a_long_graph(tmp_path):
    """The highest rate of one interval, though the bucket's mean is far below it."""
    recorder = Recorder(tmp_path)
    server = recorder.thing("nfsd", server="srv1")
    value = 0
    for i in range(200):
        value += 5_000_000 if i == 77 else 10
        recorder.cycle({server: {"read_bytes": value}})
    found = graph(Warehouse(tmp_path), "srv1", TEN, TEN + DAY).table.to_pylist()
    assert max(r["read_bytes_peak"] for r in found) == 500_000
    assert {r["read_bytes"] for r in found} >= {5_000_290}


def test_a_short_graph_has_short_buckets_and_no_neighbour(tmp_path):
    """Ten seconds each for an hour; only the server that was asked for."""
    recorder = Recorder(tmp_path)
    one, two = (recorder.thing("nfsd", server=s) for s in ("srv1", "srv2"))
    for i in range(30):
        recorder.cycle({one: {"read_bytes": i}, two: {"read_bytes": 10**9 * i}})
    warehouse = Warehouse(tmp_path)
    found = graph(warehouse, "srv1", TEN, TEN + timedelta(hours=1))
    assert found.length == timedelta(seconds=10)
    assert [r["read_bytes"] for r in found.table.to_pylist()] == [1] * 29
    assert not len(graph(warehouse, "srv9", TEN, TEN + DAY).table)
    with pytest.raises(NasacctError, match="ends before it begins"):
        graph(warehouse, "srv1", TEN, TEN)
