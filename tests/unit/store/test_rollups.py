"""Rollups: the sums of usage, of each row once, whenever it comes."""

import pyarrow.compute as pc
import pytest
from journals import Recorder
from kept import AT_ONCE, RULES, at, in_segments, record, rolled

from nasacct.store.keep import keep
from nasacct.store.schema import NFSD
from nasacct.store.segment_file import read
from nasacct.store.shelf import shelf
from nasacct.store.tables import rollup_schema
from nasacct.store.tree import STEPS, Tree


@pytest.mark.parametrize("step", STEPS)
def test_rollups_are_the_sums_of_usage(tmp_path, step):
    """Every byte of a day's segment is in its bucket, and the number of parts is told."""
    record(tmp_path, minutes=150)
    tree = Tree(tmp_path, "nas1")
    keep(tree, at("2026-11-25"), RULES)
    assert rolled(tree, step) == in_segments(tree)
    (segment,) = shelf(tree.rollup(step, NFSD).folder).visible
    table = read(segment.path, rollup_schema(NFSD))
    starts = {t.timestamp() % STEPS[step] for t in table.column("bucket").to_pylist()}
    assert starts == {0.0}
    (day,) = shelf(tree.relation("usage", NFSD).folder).visible
    assert pc.sum(table.column("parts")).as_py() == shelf(tree.relation("usage", NFSD).folder).visible[day].rows


def test_rollups_count_what_is_unknown_and_sum_what_is_possible(tmp_path):
    """A fall is unknown and an end without a last reading bounded; neither makes a sum smaller or vanishes in it."""
    recorder = Recorder(tmp_path, interval_s=10)
    first, second = (recorder.thing("nfsd", server=s) for s in ("srv1", "srv2"))
    recorder.cycle({first: {"read_bytes": 100}, second: {"read_bytes": 5}})
    recorder.cycle({first: {"read_bytes": 50}, second: {"read_bytes": 6}})
    recorder.cycle({first: {"read_bytes": 70}})
    recorder.rotate()
    recorder.cycle({first: {"read_bytes": 70}})
    tree = Tree(tmp_path, "nas1")
    keep(tree, at("2026-11-25"), RULES)
    (segment,) = shelf(tree.rollup("1h", NFSD).folder).visible
    one, two = read(segment.path, rollup_schema(NFSD)).to_pylist()
    assert (one["read_bytes"], one["read_bytes_unknown"]) == (20, 1)
    assert (two["read_bytes"], two["read_bytes_unknown"]) == (1, 0)
    assert 10 * recorder.link_bytes_s <= two["read_bytes_more"] <= 12 * recorder.link_bytes_s
    assert two["connections"] is None


def test_a_row_cut_at_an_edge_is_exact_in_the_bucket_that_holds_all_of_it(tmp_path):
    """Ten minutes without a reading: bounded in 5-minute buckets, exact in the hour."""
    recorder = Recorder(tmp_path, interval_s=10)
    server = recorder.thing("nfsd", server="srv1")
    recorder.cycle({server: {"read_bytes": 0}}, seconds=20)
    recorder.cycle({server: {"read_bytes": 1000}}, seconds=600)
    recorder.rotate()
    recorder.cycle({server: {"read_bytes": 1000}})
    tree = Tree(tmp_path, "nas1")
    keep(tree, at("2026-11-25"), RULES)
    more = {}
    for step in STEPS:
        (segment,) = shelf(tree.rollup(step, NFSD).folder).visible
        more[step] = read(segment.path, rollup_schema(NFSD)).column("read_bytes_more").to_pylist()
    assert min(more["5m"]) > 0
    assert more["1h"] == [0]
    assert more["1d"] == [0]


def test_what_comes_late_is_added_to_the_sums_even_when_the_usage_of_its_day_is_gone(tmp_path):
    """Each journal file is in the sums once; nothing is ever summed again."""
    tree = Tree(tmp_path, "nas1")
    recorder = record(tmp_path, start="2025-01-01T10:00:00+00:00")
    for _ in range(2):
        keep(tree, at("2025-03-01"), AT_ONCE)
    recorder.rotate()
    recorder.cycle({t: {"read_bytes": 10**6} for t in recorder.alive["nfsd"]})
    total = {epoch: 10**6 - (7 if "srv2" in epoch or "second" in epoch else 0) for epoch in rolled(tree, "1d")}
    usage = shelf(tree.relation("usage", NFSD).folder).visible
    for segment in usage:
        segment.path.unlink()
    for step in STEPS:
        keep(tree, at("2025-03-01"), AT_ONCE)
        assert {e: v for e, v in rolled(tree, step).items() if v > 10**5} == {
            e: v for e, v in total.items() if rolled(tree, step)[e] > 10**5
        }
        (segment,) = shelf(tree.rollup(step, NFSD).folder).visible
        assert segment.level == ("year" if step == "1d" else "month")


def test_the_running_months_sums_are_one_file(tmp_path):
    """Each night's sums join the month's (a year's for days), and rows of one bucket become one."""
    tree = Tree(tmp_path, "nas1")
    recorder = record(tmp_path, start="2026-01-30T23:00:00+00:00", minutes=100)
    for day in ("2026-01-31 00:40", "2026-02-01 00:40", "2026-02-03 01:00"):
        keep(tree, at(day), AT_ONCE)
        recorder.rotate()
        recorder.cycle({t: {"read_bytes": 10**6} for t in recorder.alive["nfsd"]}, seconds=86_400)
    keep(tree, at("2026-02-05"), AT_ONCE)
    keep(tree, at("2026-02-05"), AT_ONCE)
    for step, levels_of in (("5m", ["month", "month"]), ("1h", ["month", "month"]), ("1d", ["year"])):
        found = shelf(tree.rollup(step, NFSD).folder).visible
        assert sorted(s.level for s in found) == levels_of
        assert rolled(tree, step) == in_segments(tree)
        for segment in found:
            rows = read(segment.path, rollup_schema(NFSD)).select(["epoch", "bucket", "row_t0"]).to_pylist()
            assert len(rows) == len({tuple(r.values()) for r in rows})


def test_a_long_row_is_found_again_over_all_buckets_of_a_month(tmp_path):
    """A night in which nobody could read is bounded in each hour and exact over all of them."""
    recorder = Recorder(tmp_path, interval_s=10)
    server = recorder.thing("nfsd", server="srv1")
    recorder.cycle({server: {"read_bytes": 0}})
    recorder.cycle({server: {"read_bytes": 1000}}, seconds=8 * 3600)
    recorder.rotate()
    recorder.cycle({server: {"read_bytes": 1000}})
    tree = Tree(tmp_path, "nas1")
    keep(tree, at("2026-11-25"), RULES)
    (segment,) = shelf(tree.rollup("1h", NFSD).folder).visible
    rows = read(segment.path, rollup_schema(NFSD)).to_pylist()
    pieces = [r for r in rows if r["row_t0"]]
    assert len(pieces) == 8
    assert len({(r["row_t0"], r["row_t1"]) for r in pieces}) == 1
    assert {r["read_bytes"] + r["read_bytes_more"] for r in pieces} == {1000}
    assert sum(r["read_bytes"] for r in rows) == 1000
