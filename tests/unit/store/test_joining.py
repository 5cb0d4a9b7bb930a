"""Many connections, one row of usage for each client: nothing is lost between the two, and nothing added."""

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasacct.store.frame import ABSENT, Subject
from nasacct.store.ledger import Terms, account, uncut
from nasacct.store.readings import CARRY, FINAL, LOST, READ, ZERO, Readings
from nasacct.store.stream import Measure, Stream, UsageMeasure

SECOND = 1_000_000_000
TERMS = Terms(interval_ns=10 * SECOND, link_bytes_s=1000)
NOON = 1_796_040_000 * SECOND
SINGLE = Stream(
    "connections",
    "connections",
    ("server", "client"),
    (Measure("received", "bytes"), Measure("segments", "packets")),
    (
        UsageMeasure("received", "bytes", ("received",), bounded=True),
        UsageMeasure("segments", "packets", ("segments",)),
    ),
)
JOINED = replace(SINGLE, joined=True)


def readings(stream, *connections):
    """Each: (client, epoch, [(s, kind, received), ...]); of a LOST one nothing is read; segments are a tenth."""
    subjects, who, seconds, kinds, values = [], [], [], [], []
    for client, epoch, points in connections:
        for at, kind, received in points:
            who.append(len(subjects))
            seconds.append(at)
            kinds.append(kind)
            absent = kind == LOST or received == ABSENT
            values.append([ABSENT, ABSENT] if absent else [received, received // 10])
        subjects.append(Subject(stream.source, {"server": "s", "client": client}, epoch))
    at = np.array(seconds, np.int64).reshape(-1) * SECOND
    return Readings(
        stream,
        subjects,
        np.array(who, np.int32),
        NOON + at,
        at,
        np.array(kinds, np.uint8),
        np.arange(len(who), dtype=np.int64),
        np.array(values, np.int64).reshape(-1, stream.width),
    )


def rows(table):
    """(client, epoch, from s, to s, received, more, segments) of each row."""
    return [
        (
            r["client"],
            r["epoch"],
            r["t0"].timestamp() - NOON / SECOND,
            r["t1"].timestamp() - NOON / SECOND,
            r["received"],
            r["received_more"],
            r["segments"],
        )
        for r in table.to_pylist()
    ]


def test_connections_of_one_client_are_one_row():
    """Whoever came and went in the same time is in the same row; another client, and another life, has its own."""
    found = readings(
        JOINED,
        ("a", "boot/9/1", [(0, CARRY, 100), (10, READ, 150)]),
        ("a", "boot/9/2", [(0, ZERO, 0), (10, FINAL, 70)]),
        ("a", "boot/9/3", [(0, ZERO, 0), (4, FINAL, 1000)]),
        ("b", "boot/9/4", [(0, CARRY, 0), (10, READ, 7)]),
        ("a", "boot/8/5", [(0, CARRY, 0), (10, READ, 20)]),
    )
    assert sorted(rows(account(found, "n", TERMS))) == [
        ("a", "boot/8", 0, 10, 20, 0, 2),
        ("a", "boot/9", 0, 4, 1000, 0, 100),
        ("a", "boot/9", 0, 10, 120, 0, 12),
        ("b", "boot/9", 0, 10, 7, 0, 0),
    ]


def test_ends_without_a_last_reading_are_bounded_by_their_link_together():
    """Three that vanished cannot have moved three times what the link carries; what others moved is not in that."""
    lost = [("a", f"boot/9/{i}", [(0, CARRY, 100), (10, LOST, 0)]) for i in range(3)]
    found = readings(JOINED, *lost, ("a", "boot/9/7", [(0, CARRY, 0), (10, READ, 4000)]))
    ((_, _, _, _, received, more, segments),) = rows(account(found, "n", TERMS))
    ((_, _, _, _, _, alone, _),) = rows(account(readings(JOINED, lost[0]), "n", TERMS))
    assert (received, segments) == (4000, None)
    assert alone - 4000 <= more <= alone


def test_what_fell_in_one_connection_leaves_the_others_certain():
    """The sum has no bound then, and says what is certain."""
    found = readings(
        JOINED,
        ("a", "boot/9/1", [(0, CARRY, 100), (10, READ, 50)]),
        ("a", "boot/9/2", [(0, CARRY, 0), (10, READ, 30)]),
    )
    assert rows(account(found, "n", TERMS)) == [("a", "boot/9", 0, 10, 30, None, None)]


def test_nothing_is_joined_of_nothing():
    """No readings, no rows."""
    assert len(account(readings(JOINED), "n", TERMS)) == 0


POINTS = st.lists(st.tuples(st.integers(1, 4), st.integers(0, 10_000)), min_size=1, max_size=5)
CONNECTIONS = st.lists(
    st.tuples(
        st.sampled_from("ab"), st.sampled_from(["boot/8", "boot/9"]), POINTS, st.sampled_from([READ, FINAL, LOST])
    ),
    max_size=12,
)


@given(connections=CONNECTIONS)
def test_every_row_is_the_sum_of_the_connections_rows(connections):
    """By client, life and time: what is certain adds up, and no bound is below that of the parts or above their sum."""
    made = []
    for i, (client, epoch, points, end) in enumerate(connections):
        at, value, series = 0, 0, [(0, CARRY, 0)]
        for n, (cycles, growth) in enumerate(points):
            at, value = at + 10 * cycles, value + growth
            series.append((at, end if n == len(points) - 1 else READ, value))
        made.append((client, f"{epoch}/{i}", series))
    parts = defaultdict(list)
    for client, epoch, *span, received, more, segments in rows(account(readings(SINGLE, *made), "n", TERMS)):
        parts[client, epoch.rpartition("/")[0], *span].append((received, more, segments))
    found = rows(account(readings(JOINED, *made), "n", TERMS))
    assert len({row[:4] for row in found}) == len(found) == len(parts)
    for *whose, received, more, segments in found:
        each = parts[tuple(whose)]
        assert received == sum(part[0] for part in each)
        assert max(part[1] for part in each) <= more <= sum(part[1] for part in each)
        missing = any(part[2] is None for part in each)
        assert segments == (None if missing else sum(part[2] for part in each))


def test_uncut_rows_keep_their_length():
    """A long row of a client is cut as a connection's would be."""
    found = uncut(readings(JOINED, ("a", "boot/9/1", [(0, CARRY, 0), (700, READ, 70)])), TERMS)
    assert found.pieces.tolist() == [3]


@pytest.mark.parametrize("epoch", ["boot/9/1", "boot/cookie 12/34"])
def test_the_last_part_of_an_epoch_tells_connections_apart(epoch):
    """What is before it is the server's."""
    found = uncut(readings(JOINED, ("a", epoch, [(0, CARRY, 0), (10, READ, 70)])), TERMS)
    assert [s.epoch for s in found.subjects] == [epoch.rpartition("/")[0]]
