"""Usage: the rows that scripts rely on, and steps that add up."""

import json
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import series
from hypothesis import example, given, settings
from hypothesis import strategies as st
from journals import Recorder
from kept import record_days

from nasacct.errors import USAGE, NasacctError
from nasacct.reports import steps, usage, usage_rows
from nasacct.store.frame import Instant
from nasacct.store.keep import Rules, keep
from nasacct.store.shelf import shelf
from nasacct.store.tree import Tree
from nasacct.store.views import Piece
from nasacct.store.warehouse import Warehouse
from nasacct.times import iso, us

MEASURES = ("read_bytes", "written_bytes", "received_bytes", "sent_bytes", "calls")
TEN = datetime(2026, 11, 23, 10, tzinfo=UTC)
TWO = """
nfsd  server=srv1          read_bytes  0+100x6
links server=srv1 link=v1  sent_bytes  0+110x6
nfsd  server=srv2          read_bytes  0+1x6
"""


@pytest.fixture
def store(tmp_path):
    """A minute of two servers."""
    series.write(TWO, tmp_path)
    return tmp_path


def test_a_row_has_what_scripts_rely_on(store):
    """What the row is about, from when to when, and of every measure its value, its bound and how well it is known."""
    rows = usage_rows.usage(store, "server")
    assert [row["server"] for row in rows] == ["srv1", "srv2"]
    names = [n for m in MEASURES for n in (m, f"{m}_max", f"{m}_unknown", f"{m}_quality")]
    assert list(rows[0]) == ["server", "node", "from", "to", *names, "quality", "as_of"]
    assert (iso(rows[0]["from"]), iso(rows[0]["to"])) == ("2026-11-23T10:00:00Z", "2026-11-23T10:01:00Z")
    assert json.dumps([v for k, v in rows[0].items() if k not in ("from", "to", "as_of")])
    assert all(type(rows[0][m]) is int for m in MEASURES)
    assert (rows[1]["sent_bytes"], rows[1]["sent_bytes_max"], rows[1]["sent_bytes_quality"]) == (None, None, "unknown")
    assert (rows[0]["quality"], rows[1]["quality"]) == ("exact", "unknown")
    assert list(usage_rows.usage(store, "node")[0])[:3] == ["node", "from", "to"]


def test_what_cannot_be_read_is_told_in_the_log(store, caplog):
    """An answer with something missing says so."""
    (store / "node=nas1" / "usage" / "nfsd").mkdir(parents=True)
    (store / "node=nas1" / "usage" / "nfsd" / "stray.parquet").write_bytes(b"")
    assert usage_rows.usage(store)
    assert "stray.parquet is no segment" in caplog.text


def test_growth_in_the_last_instant_counts(tmp_path):
    """A server that was born, used and read in the same instant in which the data ends."""
    recorder = Recorder(tmp_path)
    first, late = (recorder.thing("nfsd", server=s) for s in ("srv1", "srv2"))
    recorder.cycle({first: {"read_bytes": 0}})
    recorder.cycle({first: {"read_bytes": 0}, late: {"read_bytes": 5}}, seconds=0)
    recorder.cycle({first: {"read_bytes": 0}, late: {"read_bytes": 5}}, seconds=0)
    assert {r["server"]: r["read_bytes"] for r in usage_rows.usage(tmp_path)}["srv2"] == 5
    stepped = usage_rows.usage(tmp_path, step="5m")
    assert {r["server"]: r["read_bytes"] for r in stepped}["srv2"] == 5


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("seconds", [-1, 1, -3600, -30 * 86_400, 30 * 86_400, 3653 * 86_400])
def test_steps_reach_over_a_stepped_clock(tmp_path, seconds, kept):
    """A leap second, an hour, a month, ten years: no byte goes, no row ends before it begins, all steps are answered.

    Neither end of the data need be in the first or the last file, nor in the journal's tail.
    """
    recorder = Recorder(tmp_path)
    server = recorder.thing("nfsd", server="srv1")
    for i in range(4):
        if i == 2:
            recorder.rotate()
            recorder.now = Instant(recorder.now.wall_ns + seconds * 10**9, recorder.now.boot_ns)
        recorder.cycle({server: {"read_bytes": 100 * i}})
    if kept:
        assert keep(Tree(tmp_path, "nas1"), 4e9, Rules({"readings": 40, "usage": 400})) == 0
    rows = usage_rows.usage(tmp_path, step="1h" if abs(seconds) < 10**8 else "1d")
    assert sum(row["read_bytes"] or 0 for row in rows) == 300
    lengths = Warehouse(tmp_path).query("SELECT t1_us - t0_us AS us FROM nfsd", views=["nfsd"])
    assert {row["us"] for row in lengths.to_pylist()} == {10_000_000}


@pytest.mark.parametrize(
    ("start", "hours"), [("2026-03-28T12:00", 23), ("2026-10-24T12:00", 25), ("2026-02-27T12:00", 24)]
)
def test_days_of_a_zone_add_up(tmp_path, start, hours):
    """Over the days on which the clock is put forward or back, and over the end of a month, days sum to the whole."""
    recorder = Recorder(tmp_path, start=f"{start}:00+00:00", interval_s=300)
    server = recorder.thing("nfsd", server="srv1")
    for i in range(3 * 288 + 1):
        recorder.cycle({server: {"read_bytes": 7 * i * i}})
    prague = ZoneInfo("Europe/Prague")
    rows = usage_rows.usage(tmp_path, step="1d", zone=prague)
    assert sum(row["read_bytes"] for row in rows) == 7 * (3 * 288) ** 2
    assert [(row["to"] - row["from"]) / timedelta(hours=1) for row in rows[1:3]] == [hours, 24]
    assert all(row["read_bytes_quality"] == "exact" for row in rows)
    for row in rows[1:]:
        assert row["from"].astimezone(prague).timetz().isoformat()[:5] == "00:00"


@pytest.mark.parametrize("late", [0, 150, 400])
def test_a_reboot_loses_nothing_however_late_who_comes_back(tmp_path, late):
    """Three hundred servers come back over minutes; the collector, whenever it comes, counts each from its own zero.

    What the old ones moved in the end is unknown, and bounded.
    """
    recorder = Recorder(tmp_path, link_bytes_s=10**9)
    old = [recorder.thing("nfsd", server=f"srv{i}") for i in range(300)]
    recorder.cycle({thing: {"read_bytes": 10**12} for thing in old})
    recorder.cycle({thing: {"read_bytes": 10**12 + 3} for thing in old})
    recorder.restart()
    recorder.boot_id = "second"
    recorder.now = Instant(recorder.now.wall_ns + 60 * 10**9, 0)
    new = [recorder.thing("nfsd", f"second/{i}", server=f"srv{i}") for i in range(300)]
    for second in range(0, 320, 10):
        recorder.wait(10)
        if second >= late or second == 310:
            recorder.cycle(
                {thing: {"read_bytes": 1000 * (second - i) + 5} for i, thing in enumerate(new[:second])}, seconds=0
            )
    recorder.cycle({thing: {"read_bytes": 10**6 + i} for i, thing in enumerate(new)})
    rows = usage_rows.usage(tmp_path)
    assert len(rows) == 300
    for row in rows:
        i = int(row["server"].removeprefix("srv"))
        assert row["read_bytes"] == 3 + 10**6 + i
        assert row["read_bytes_max"] - row["read_bytes"] >= 60 * 10**9
        assert row["read_bytes_quality"] == "bounded"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"since": TEN, "until": TEN}, "ends before it begins"),
        ({"step": "soon"}, "soon"),
        ({"step": "10ms"}, "too short"),
    ],
)
def test_a_wrong_question_is_told(store, given, sentence):
    """One sentence, and the exit status of a wrong option."""
    with pytest.raises(NasacctError, match=sentence) as told:
        usage_rows.usage(store, **given)
    assert told.value.status == USAGE


def test_too_many_steps_are_refused():
    """Nobody reads a hundred thousand rows."""
    with pytest.raises(NasacctError, match="longer step"):
        steps.steps(TEN, TEN + timedelta(days=400), timedelta(seconds=10), UTC, TEN, TEN + timedelta(days=400))


def test_days_are_those_of_the_zone():
    """The day on which the clock is put forward has 23 hours; the first and the last are cut at the question's ends."""
    prague = ZoneInfo("Europe/Prague")
    begin, end = datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 3, 30, 12, tzinfo=UTC)
    made = steps.steps(begin, end, timedelta(days=1), prague, begin, end)
    assert [iso(lo) for lo, _ in made] == [
        "2026-03-28T12:00:00Z",
        "2026-03-28T23:00:00Z",
        "2026-03-29T22:00:00Z",
    ]
    assert made[-1][1] == end


def test_steps_begin_at_multiples_of_their_length():
    """Whatever the first moment of the data is, an hour begins with the hour."""
    first = TEN + timedelta(minutes=17)
    made = steps.steps(first, first + timedelta(hours=1), timedelta(hours=1), UTC, TEN, TEN + timedelta(days=1))
    assert made == [(TEN, TEN + timedelta(hours=1)), (TEN + timedelta(hours=1), TEN + timedelta(hours=2))]


@settings(max_examples=18, deadline=None)
@given(
    growth=st.lists(st.integers(0, 2**61), min_size=1, max_size=8),
    gaps=st.lists(st.sampled_from([1, 10, 17, 299, 300, 301, 4000]), min_size=8, max_size=8),
    step=st.sampled_from(["7s", "1m", "5m", "7m", "1h", "1d"]),
)
# a piece of a long row that has nothing more, beside one that may hold all of it, in one step
@example(growth=[1], gaps=[301, 1, 1, 1, 1, 1, 1, 1], step="7s")
def test_steps_add_up_and_hold_the_truth(growth, gaps, step):
    """The steps of anything sum to the whole; what happened in one is never more than its bound."""
    with tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(Path(folder))
        server = recorder.thing("nfsd", server="srv1")
        value, moments = 0, []
        recorder.cycle({server: {"read_bytes": 0}})
        for grown, gap in zip(growth, gaps, strict=False):
            if value + grown > 2**62:
                break
            value += grown
            recorder.cycle({server: {"read_bytes": value}}, seconds=gap)
            moments.append((recorder.now.wall_ns / 1e9, gap, grown))
        warehouse = Warehouse(Path(folder))
        (whole,) = usage.ask(warehouse).to_pylist() or [{"read_bytes": 0, "read_bytes_quality": "exact"}]
        assert (whole["read_bytes"], whole["read_bytes_quality"]) == (value, "exact")
        rows = usage.ask(warehouse, step=step).to_pylist()
        assert sum(row["read_bytes"] for row in rows) == value
        for row in rows:
            low, high = row["from"].timestamp(), row["to"].timestamp()
            surely = sum(grown for at, gap, grown in moments if low <= at - gap and at <= high)
            assert surely <= row["read_bytes_max"]
            assert row["read_bytes"] <= row["read_bytes_max"]
            possibly = sum(grown for at, gap, grown in moments if at > low and at - gap < high)
            assert row["read_bytes_max"] <= possibly


EDGES = st.integers(0, 3 * 288).map(lambda n: TEN + n * timedelta(minutes=5))


@pytest.fixture(scope="module")
def days(tmp_path_factory):
    """Three days with gaps, ends without a last reading and a fall: as a journal, half kept, and all rolled up."""
    where = tmp_path_factory.mktemp("days")
    record_days(where)
    found = [where]
    for now_s in (TEN + timedelta(days=1, hours=4), TEN + timedelta(days=30)):
        found.append(tmp_path_factory.mktemp("kept"))
        shutil.copytree(where, found[-1], dirs_exist_ok=True)
        for _ in range(2):
            keep(Tree(found[-1], "nas1"), now_s.timestamp(), Rules({"readings": 40, "usage": 400}, -1e12))
    return [Warehouse(path) for path in found]


@settings(max_examples=15, deadline=None)
@given(edges=st.lists(EDGES, min_size=2, max_size=2, unique=True), nudge=st.sampled_from([0, 0, 7, -13]))
# the first file reaches over midnight, so the first day of usage is the next one, though nothing was dropped
@example(edges=[TEN, TEN + timedelta(minutes=5)], nudge=7)
def test_longer_cells_give_the_same_answer_to_the_byte(days, edges, nudge):
    """A span is the sum of whole days, hours and cells of 5 minutes; its bounds are those of the rows of usage."""
    since, until = sorted(edges)
    since += timedelta(seconds=nudge)
    one = steps.one(since, until, us(since), us(until))
    rows = usage.of_steps(days[0], one, {view: [Piece(view)] for view in usage.VIEWS}).to_pylist()
    for warehouse in days:
        assert usage.ask(warehouse, "server", since, until).to_pylist() == rows


@pytest.mark.parametrize("step", ["5m", "1h", "1d"])
@pytest.mark.parametrize("zone", ["Europe/Prague", "Asia/Kolkata"])
def test_steps_are_the_same_of_longer_cells(days, step, zone):
    """Also where the zone's days begin at half hours; they add up to the whole."""
    answers = [usage.ask(w, "server", None, None, step, ZoneInfo(zone)).to_pylist() for w in days]
    assert answers[0] == answers[1] == answers[2]
    totals = {r["who"]: r["read_bytes"] for r in usage.ask(days[2]).to_pylist()}
    assert {who: sum(r["read_bytes"] for r in answers[2] if r["who"] == who) for who in totals} == totals


def test_old_usage_is_answered_from_the_sums_that_are_left(days, tmp_path):
    """When usage has been dropped, cells of 5 minutes are the finest, and nothing of it is missing or counted twice."""
    shutil.copytree(days[2].root, tmp_path / "store")
    tree = Tree(tmp_path / "store", "nas1")
    before = usage.ask(days[2]).to_pylist()
    span = TEN + timedelta(hours=1), TEN + timedelta(days=2)
    inside = usage.ask(days[2], "server", *span).to_pylist()
    for relation in tree.relations():
        first, *_ = sorted(shelf(relation.folder).visible, key=lambda s: s.since)
        first.path.unlink()
    warehouse = Warehouse(tmp_path / "store")
    assert usage.ask(warehouse, "server", *span).to_pylist() == inside
    after = usage.ask(warehouse).to_pylist()
    assert [r | {"from": 0} for r in after] == [r | {"from": 0} for r in before]
