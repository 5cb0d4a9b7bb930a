"""The ledger by hand: each rule on the smallest series that shows it."""

from dataclasses import replace
from itertools import pairwise
from unittest import mock

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasacct.store import cutting
from nasacct.store.frame import ABSENT, Batch, Frame, Instant, Subject
from nasacct.store.journal_frames import Journal, Origin
from nasacct.store.journal_readings import of_journal
from nasacct.store.ledger import Terms, account, accounts, anomalies, uncut
from nasacct.store.readings import CARRY, FINAL, HELD, LOST, READ, ZERO, Readings
from nasacct.store.schema import DISKS, LINKS, NFSD
from nasacct.store.standing import Standing
from nasacct.store.tables import readings_schema, usage_schema

SECOND = 1_000_000_000
TERMS = Terms(interval_ns=10 * SECOND, link_bytes_s=1000)
NOON = 1_796_040_000 * SECOND  # a multiple of 300 s


def series(stream, measure, points, *, bits32=()):
    """Readings of one subject: (wall s after noon, boot s, kind, value of the measure) a row; other measures are 0."""
    subject = Subject(stream.source, dict.fromkeys(stream.keys, "x"), "boot/1", bits32=frozenset(bits32))
    values = np.zeros((len(points), stream.width), np.int64)
    values[:, stream.index[measure]] = [p[3] for p in points]
    values[[p[2] == LOST for p in points]] = ABSENT
    return Readings(
        stream,
        [subject],
        np.zeros(len(points), np.int32),
        np.array([NOON + round(p[0] * SECOND) for p in points], np.int64),
        np.array([round(p[1] * SECOND) for p in points], np.int64),
        np.array([p[2] for p in points], np.uint8),
        np.arange(len(points), dtype=np.int64),
        values,
    )


def us(at):
    return round(at.timestamp() * 1_000_000)


def parts(readings, measure):
    """(from s, to s, value, more) of each part."""
    rows = account(readings, "n", TERMS).to_pylist()
    at = lambda t: t.timestamp() - NOON / SECOND  # noqa: E731
    return [(at(r["t0"]), at(r["t1"]), r[measure], r.get(f"{measure}_more")) for r in rows]


def test_usage_is_the_growth_between_readings():
    """The first reading is a baseline; each further one gives its growth to the time since the one before."""
    got = parts(
        series(NFSD, "read_bytes", [(0, 0, CARRY, 100), (10, 10, READ, 150), (20, 20, READ, 150)]), "read_bytes"
    )
    assert got == [(0, 10, 50, 0), (10, 20, 0, 0)]


def test_a_birth_counts_from_zero():
    """A zero row stands where the epoch began; what was counted since belongs to it."""
    assert parts(series(NFSD, "read_bytes", [(3, 3, ZERO, 0), (10, 10, READ, 70)]), "read_bytes") == [(3, 10, 70, 0)]


def test_a_birth_in_the_same_instant_is_counted():
    """Growth in no time at all is growth."""
    assert parts(series(NFSD, "read_bytes", [(5, 5, ZERO, 0), (5, 5, READ, 9)]), "read_bytes") == [(5, 5, 9, 0)]


def test_a_64_bit_fall_inside_an_epoch_is_unknown():
    """It cannot happen, so nothing is made of it; what follows is counted from the new value."""
    points = [(0, 0, CARRY, 100), (10, 10, READ, 40), (20, 20, READ, 45)]
    assert parts(series(NFSD, "read_bytes", points), "read_bytes") == [(0, 10, None, None), (10, 20, 5, 0)]


def test_a_fall_is_told_as_an_anomaly():
    """With the counter, the life, the moment and both values; a wrap of 32 bits, a gauge and a new life are none."""
    points = [(0, 0, CARRY, 100), (5, 5, READ, ABSENT), (10, 10, READ, 40), (20, 20, READ, 45), (30, 30, LOST, 0)]
    (told,) = anomalies(series(NFSD, "read_bytes", points))
    assert told.startswith("read_bytes of x fell from 100 to 40 within one life (boot/1) at ")
    assert anomalies(series(NFSD, "read_bytes", points, bits32=["read_bytes"])) == []
    assert anomalies(series(DISKS, "ms_io", points)) == []
    assert anomalies(series(DISKS, "in_flight", points)) == []
    assert anomalies(series(NFSD, "read_bytes", points[:1])) == []


def test_a_32_bit_counter_wraps():
    """Milliseconds in /proc/diskstats are cut to 32 bits: a fall is a wrap."""
    points = [(0, 0, CARRY, 2**32 - 30), (10, 10, READ, 70)]
    assert parts(series(DISKS, "ms_io", points), "ms_io") == [(0, 10, 100, None)]


def test_a_32_bit_byte_counter_that_may_have_wrapped_twice_is_bounded():
    """At the rate a link can have, 4 GiB may pass twice in ten seconds: the remainder is certain, more is possible."""
    points = [(0, 0, CARRY, 10), (10, 10, READ, 30)]
    ((_, _, value, more),) = parts(series(NFSD, "read_bytes", points, bits32=["read_bytes"]), "read_bytes")
    assert value == 20
    assert more >= 2**32


def test_an_end_without_a_final_reading_is_bounded_by_the_link():
    """Nothing is certain of the last seconds; no more than the link's rate times the time is possible."""
    points = [(0, 0, CARRY, 100), (10, 10, READ, 150), (14, 14, LOST, 0)]
    got = parts(series(LINKS, "sent_bytes", points), "sent_bytes")
    assert got[0] == (0, 10, 50, 0)
    assert got[1][:3] == (10, 14, 0)
    assert got[1][3] == 4 * 1000 + 1


def test_an_end_of_what_counts_the_whole_host_is_bounded_by_no_one_link():
    """Where nfsd counts every server in one number, that number may grow faster than any one's link carries."""
    readings = series(NFSD, "read_bytes", [(0, 0, CARRY, 100), (10, 10, LOST, 0)])
    (host,) = (replace(s, keys={"server": None}) for s in readings.subjects)
    (row,) = account(replace(readings, subjects=[host]), "n", TERMS).to_pylist()
    per_s = NFSD.measures[NFSD.index["read_bytes"]].per_s
    assert row["read_bytes"] == 0
    assert 10 * per_s <= row["read_bytes_more"] <= 10.1 * per_s


def test_the_bound_covers_what_is_cut_off_of_the_times():
    """Times are kept in whole microseconds, in which a link of 10 Gbit/s carries more than a kilobyte."""
    readings = series(LINKS, "sent_bytes", [(0, 0, CARRY, 100), (1, 1, LOST, 0)])
    readings.wall[1] += 999
    readings.boot[1] += 999
    (row,) = account(readings, "n", Terms(10 * SECOND, link_bytes_s=1_250_000_000)).to_pylist()
    assert row["sent_bytes_more"] >= 1_250_000_000 + 1_250_000_000 * 999 // SECOND


def test_the_bound_covers_a_clock_that_was_slowed_down():
    """A wall clock that went back by less than is called a step makes no row shorter than it was."""
    points = [(0, 0, CARRY, 100), (9.91, 10, LOST, 0)]
    ((_, _, _, more),) = parts(series(LINKS, "sent_bytes", points), "sent_bytes")
    assert 10 * 1000 <= more <= 10 * 1000 + 2


def test_a_final_reading_is_exact():
    """The last reading of an epoch counts like any other."""
    points = [(0, 0, CARRY, 100), (10, 10, HELD, 100), (14, 14, FINAL, 190)]
    assert parts(series(NFSD, "read_bytes", points), "read_bytes") == [(0, 10, 0, 0), (10, 14, 90, 0)]


def test_parts_are_cut_at_five_minute_edges_and_add_up():
    """A short row's parts are exact; they are floors of the growth by time, whose sum is the growth."""
    got = parts(series(NFSD, "read_bytes", [(296, 296, CARRY, 0), (306, 306, READ, 101)]), "read_bytes")
    assert got == [(296, 300, 40, 0), (300, 306, 61, 0)]


def test_parts_of_a_long_row_are_bounded_by_all_of_it():
    """After a gap nobody knows in which bucket the growth was; the row's total stays exact."""
    table = account(series(NFSD, "read_bytes", [(0, 0, CARRY, 0), (600, 600, READ, 1000)]), "n", TERMS).to_pylist()
    assert [(r["read_bytes"], r["read_bytes_more"], r["whole"]) for r in table] == [(500, 500, True)] * 2
    assert [(r["before_us"], r["after_us"]) for r in table] == [(0, 300_000_000), (300_000_000, 0)]


def test_a_stepped_clock_moves_rows_but_no_byte():
    """The length comes from CLOCK_BOOTTIME when the wall clock jumped, in either direction."""
    for step in (-3600, 3600):
        points = [(0, 0, CARRY, 0), (10, 10, READ, 5), (20 + step, 20, READ, 12), (30 + step, 30, READ, 20)]
        got = parts(series(NFSD, "read_bytes", points), "read_bytes")
        assert sum(g[2] for g in got) == 20
        assert all(g[1] > g[0] and g[1] - g[0] <= 10 for g in got)
        assert got[-2][1] == 20 + step


def test_an_absent_counter_is_made_good_when_it_returns():
    """A line missing from one reading hides nothing: one row reaches from where it was last seen to its return."""
    points = [(0, 0, CARRY, 10), (10, 10, READ, ABSENT), (20, 20, READ, 25), (30, 30, READ, ABSENT)]
    assert parts(series(NFSD, "read_bytes", points), "read_bytes") == [(0, 20, 15, 0), (20, 30, None, None)]


def test_stored_readings_give_the_same_usage_again():
    """All that the ledger was given is in the table: births, holds, ends, widths and cycles too."""
    points = [
        (0, 0, ZERO, 0),
        (0.0004, 0.0004, READ, 7),
        (10, 10, HELD, 7),
        (20, 20, READ, 2**32 - 5),
        (30, 30, READ, 1),
    ]
    points += [(34, 34, LOST, 0)]
    for measure, bits32 in (("read_bytes", ["read_bytes", "calls"]), ("read_bytes", []), ("rpc_calls", [])):
        readings = series(NFSD, measure, points, bits32=bits32)
        table = readings.table("n")
        assert table.schema.equals(readings_schema(NFSD))
        again = Readings.of_table(NFSD, table)
        assert account(again, "n", TERMS).equals(account(readings, "n", TERMS))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 40)), min_size=1, max_size=8), st.integers(1, 3), st.data())
def test_slices_are_the_same_usage_in_the_order_of_segments(lives, few, data):
    """However little is made at once: subjects stay together, by key and epoch, NULL last; and of a span its parts."""
    subjects = [
        Subject("nfsd", {"server": None if key == 9 else f"srv{key}"}, f"boot/{i}") for i, (key, _) in enumerate(lives)
    ]
    who = np.repeat(np.arange(len(lives), dtype=np.int32), 2)
    minutes = np.array([[0, length] for _, length in lives], np.int64).reshape(-1)
    values = np.zeros((len(who), NFSD.width), np.int64)
    values[:, NFSD.index["read_bytes"]] = minutes * 17
    wall, kinds = NOON + minutes * 60 * SECOND, np.tile(np.array([CARRY, READ], np.uint8), len(lives))
    readings = Readings(NFSD, subjects, who, wall, minutes * 60 * SECOND, kinds, np.zeros(len(who), np.int64), values)
    order = [(name, "ascending") for name in ("server", "epoch", "t0")]
    whole = account(readings, "n", TERMS)
    with mock.patch.object(cutting, "VALUES", few * len(usage_schema(NFSD))):
        made = list(accounts(readings, "n", TERMS))
    assert pa.concat_tables(made).equals(whole.sort_by(order))
    assert uncut(readings, TERMS).pieces.sum() == len(whole)
    since = data.draw(st.integers(-1, 45)) * 60_000_000 + NOON // 1000
    until = since + data.draw(st.integers(1, 45)) * 60_000_000
    inside = [r for r in whole.to_pylist() if us(r["t0"]) // 300_000_000 * 300_000_000 < until]
    inside = [r for r in inside if us(r["t0"]) // 300_000_000 * 300_000_000 + 300_000_000 > since]
    assert cutting.cut(uncut(readings, TERMS), "n", (since, until)).to_pylist() == inside


def test_a_clock_that_is_wrong_by_decades_makes_no_parts_of_them():
    """A total stays exact, at its end; an end that was not read has no bound, and is told where it was read last."""
    decades = 40 * 366 * 86_400
    one = series(NFSD, "read_bytes", [(0, 0, CARRY, 0), (10, 10, READ, 7), (decades, decades, READ, 1000)])
    assert parts(one, "read_bytes") == [(0, 10, 7, 0), (decades, decades, 993, 0)]
    lost = series(NFSD, "read_bytes", [(0, 0, CARRY, 0), (10, 10, READ, 7), (decades, decades, LOST, 0)])
    assert parts(lost, "read_bytes") == [(0, 10, 7, 0), (10, 10, 0, None)]


def test_gauges_are_not_subtracted():
    """A gauge's usage row has the later reading's value."""
    assert parts(series(DISKS, "in_flight", [(0, 0, CARRY, 7), (10, 10, READ, 3)]), "in_flight") == [(0, 10, 3, None)]


@pytest.mark.parametrize("last", [2**62, 2**63 - 1])
def test_huge_counters_are_cut_exactly(last):
    """Integers larger than a product of two int64 may be are cut without a float."""
    got = parts(series(NFSD, "read_bytes", [(0, 0, CARRY, 1), (900, 900, READ, last)]), "read_bytes")
    assert sum(g[2] for g in got) == last - 1
    assert len(got) == 3


@given(
    st.lists(st.tuples(st.integers(1, 2_000_000), st.integers(0, 10**12)), min_size=1, max_size=20),
    st.integers(0, 10**9),
)
def test_whatever_the_rhythm_the_parts_add_up(steps, start):
    """For any distances (in ms) and growths, all parts sum to last minus first, tile the time and lie in buckets."""
    t, value = start / 1000, 17
    points = [(t, t, CARRY, value)]
    for gap, growth in steps:
        t, value = t + gap / 1000, value + growth
        points.append((t, t, READ, value))
    got = parts(series(NFSD, "read_bytes", points), "read_bytes")
    assert sum(g[2] for g in got) == value - 17
    for earlier, later in pairwise(got):
        assert earlier[1] == later[0]
    for begin, end, _, _ in got:
        assert begin // 300 == (end - 1e-6) // 300 or begin == end


@pytest.mark.parametrize("since_boot", [100 * SECOND, None])
def test_a_birth_is_told_by_the_clock_that_is_not_stepped(since_boot):
    """Listed 30 s ago and never read; the clock was set back by two hours since, and the server is gone.

    A journal of 0.1.0 does not tell when it was listed by that clock: then it may have lived since the boot.
    """
    subject = Subject("nfsd", {"server": "srv1"}, "boot/1", sid=1, after=NOON, since_boot=since_boot)
    now = Instant(NOON - 7_170 * SECOND, 130 * SECOND)
    origin = Origin("n", "boot", "0" * 32, "6.12", "0", 10 * SECOND)
    gone = Frame(9, now, [Batch("nfsd", now, [], ended=[subject])], [])
    journal = Journal(
        "", 2, origin, 9, Instant(now.wall_ns - SECOND, now.boot_ns - SECOND), Standing({1: subject}), [gone]
    )
    rows = account(of_journal(journal)["nfsd"], "n", TERMS).to_pylist()
    most = sum(row["read_bytes"] + row["read_bytes_more"] for row in rows)
    assert 0 <= most - (30_000 if since_boot else 130_000) < 10
