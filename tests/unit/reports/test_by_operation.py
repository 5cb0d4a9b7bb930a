"""Usage by operation: what servers were asked for, how often, and for how long threads worked on it."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
import series
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from journals import Recorder

from nasacct.reports.usage_rows import usage
from nasacct.store import root
from nasacct.store.keep import Rules, keep
from nasacct.store.tree import Tree

BEGAN = datetime(2026, 11, 23, 10, tzinfo=UTC)
SERIES = """
nfsd   server=a read_bytes 0+1x60
nfsd   server=a read      0+100x60
nfsd   server=a sequence  0+110x60
inside server=a read_calls     0+5x60
inside server=a read_us        0+7000x60
inside server=a compound_calls 0+110x60
inside server=a compound_us    0+90x60
nfsd   server=b read_bytes 0+1x60
nfsd   server=b read      0+1x60
node other
nfsd   server=a read_bytes 0+1x60
nfsd   server=a op_other  0+2x60
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    where = tmp_path_factory.mktemp("operations") / "store"
    root.prepare(where)
    series.write(SERIES, where)
    return where


def told(store, **asked):
    rows = usage(store, "operation", **asked)
    return [(r["node"], r["protocol"], r["operation"], r["operations"], r["thread_us"]) for r in rows]


def test_operations_are_told_by_protocol_the_most_frequent_first(store):
    """Only what was done; how long is known of what the inside of nfsd tells alone."""
    assert told(store) == [
        ("nas1", "NFSv4", "compound", 6_600, 5_400),
        ("nas1", "NFSv4", "sequence", 6_600, None),
        ("nas1", "NFSv4", "read", 6_060, None),
        ("nas1", "NFSv3", "read", 300, 420_000),
        ("other", "NFSv4", "other", 120, None),
    ]
    assert told(store, server="b") == [("nas1", "NFSv4", "read", 60, None)]
    (row,) = usage(store, "operation", server="b")
    assert (row["operations_max"], row["operations_quality"], row["thread_us_quality"]) == (60, "exact", "unknown")


def test_an_end_that_nobody_read_leaves_it_unknown(tmp_path):
    """What is told was done at least; in sums of a day nothing is known of the server, as of all that has no bounds."""
    root.prepare(tmp_path / "store")
    series.write(SERIES.replace("server=b read_bytes 0+1x60", "server=b read_bytes 0+1x30 -"), tmp_path / "store")
    for asked in ({}, {"since": BEGAN - timedelta(hours=1), "until": BEGAN + timedelta(hours=1)}):
        rows = {(r["protocol"], r["operation"]): r for r in usage(tmp_path / "store", "operation", **asked)}
        assert rows["NFSv4", "read"]["operations"] == (6_030 if asked else 6_000)
        assert (rows["NFSv4", "read"]["operations_max"], rows["NFSv4", "read"]["operations_unknown"]) == (None, 1)
        assert rows["NFSv3", "read"]["operations_max"] == 300


def test_what_an_edge_cuts_is_divided_by_time_and_may_be_more(store):
    """As all usage is."""
    at = BEGAN + timedelta(seconds=203)
    first, second = (
        next(r for r in usage(store, "operation", *span) if (r["protocol"], r["operation"]) == ("NFSv4", "sequence"))
        for span in ((None, at), (at, None))
    )
    assert first["operations"] + second["operations"] == 6_600
    assert first["operations"] <= 20 * 110 + 33 <= first["operations_max"]
    assert first["operations_quality"] == second["operations_quality"] == "bounded"


@settings(deadline=None, max_examples=8, suppress_health_check=list(HealthCheck))
@given(cuts=st.lists(st.floats(1, 599), max_size=3), server=st.sampled_from([None, "a", "b"]))
def test_spans_add_up_wherever_they_are_cut(store, cuts, server):
    """Of every operation and its time, to the last one."""
    edges = [None, *sorted(BEGAN + timedelta(seconds=round(at, 6)) for at in set(cuts)), None]
    sums = {}
    for since, until in pairwise(edges):
        for node, protocol, name, *counts in told(store, since=since, until=until, server=server):
            before = sums.get((node, protocol, name), (0, 0))
            sums[node, protocol, name] = tuple(a + (b or 0) for a, b in zip(before, counts, strict=True))
    whole = {row[:3]: (row[3], row[4] or 0) for row in told(store, server=server)}
    assert {key: value for key, value in sums.items() if value != (0, 0)} == whole


def test_old_operations_are_told_from_sums(tmp_path):
    """When usage is gone, and beside what is new."""
    recorder = Recorder(tmp_path, interval_s=60, start="2026-11-23T23:00:00+00:00")
    thing = recorder.thing("nfsd", server="a")
    for n in range(150):
        if n % 15 == 0:
            recorder.rotate()
        recorder.cycle({thing: {"read_bytes": n, "read": 10 * n}})
    before = told(tmp_path, step="1h")
    assert [row[3] for row in before] == [600, 600, 290]
    assert keep(Tree(tmp_path, "nas1"), 1.9e9, Rules({"readings": 0, "usage": 0}, -1e12)) == 0
    assert told(tmp_path, step="1h") == before
