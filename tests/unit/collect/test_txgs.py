"""Transaction groups as ZFS shows them, and what they add up to."""

import pytest
from damage import damaged
from hypothesis import given
from hypothesis import strategies as st
from zfs_life import REAL

from nasacct.collect import txgs
from nasacct.collect.lines import ParseError
from nasacct.collect.txgs import SUMMED, Committed, History, Txg

BUSY = (REAL / "busy" / "1-busy" / "tank" / "txgs").read_bytes()
TURNED = (REAL / "life" / "7-turned" / "tank" / "txgs").read_bytes()


def history(*groups):
    """Groups by number and state, of which each has written its number."""
    return History([Txg(txg, txg, state, tuple(txg for _ in SUMMED)) for txg, state in groups])


def test_a_real_history():
    """The last groups are the one that is synced and the open one."""
    found = txgs.parse(BUSY)
    assert [one.state for one in found.groups[-3:]] == ["C", "S", "O"]
    assert found.groups[-3] == Txg(
        10,
        64_701_182_199,
        "C",
        (4_210_688, 0, 3_483_648, 0, 60, 800_148_061, 17_225, 39_630, 1_006_784_484),
    )
    assert found.pending_ns(66_501_330_260) == 1_000_000_000
    assert txgs.parse(TURNED).pending_ns(10**15) == 0
    assert len(txgs.parse(TURNED).committed) == 99


def test_of_an_idle_pool_nothing_waits():
    """All that are not open are committed; of one that is synced its birth is told."""
    real = (REAL / "txgs").read_bytes()
    assert txgs.parse(real).pending_ns(10**15) == 0
    assert txgs.parse(real.replace(b"62631086286      C", b"62631086286      S")).pending_ns(62_631_086_299) == 13


def test_heads_of_older_versions_and_fields_of_newer_ones():
    """The former are skipped, the latter counted and kept out."""
    head, *rows = BUSY.splitlines()
    longer = [head + b" more", *(row + b" 7" for row in rows)]
    found = txgs.parse(b"15 0 0x01 10 1120 100 200\n" + b"\n".join(longer) + b"\n")
    assert (found.groups, found.surplus) == (txgs.parse(BUSY).groups, len(rows))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"", "the file is empty"),
        (BUSY[:-9], "no newline at its end"),
        (BUSY[:-40] + b"\n", "line 9: it has 9 fields under 12 headings: the line was cut"),
        (BUSY[BUSY.index(b"\n") + 1 :], "line 1: there are no headings txg birth state"),
        (BUSY.replace(b" S ", b" 7 "), "'7' stands where a state must"),
        (BUSY.replace(b"4210688", b"421068x"), "line 5: '421068x' is not a number"),
    ],
)
def test_what_was_cut_is_refused_with_a_sentence(text, sentence):
    """It is never half understood."""
    with pytest.raises(ParseError) as error:
        txgs.parse(text)
    assert sentence in str(error.value)


@given(damaged(BUSY))
def test_a_damaged_history_is_understood_or_refused(text):
    """Whatever was cut out of it or put into it."""
    try:
        found = txgs.parse(text)
    except ParseError:
        return
    assert all(len(one.numbers) == len(SUMMED) for one in found.groups)


def test_each_group_counts_once_when_it_is_committed():
    """Not while it is synced, nor again; those that nobody saw are counted as such."""
    done = Committed(5)
    done.look(history((4, "C"), (5, "C"), (6, "C"), (7, "S"), (8, "O")))
    assert (done.count, done.missed, done.sums[0], done.longest_ns) == (1, 0, 6, 6)
    done.look(history((6, "C"), (7, "C"), (8, "C"), (9, "O")))
    assert (done.count, done.missed, done.sums[0], done.longest_ns) == (3, 0, 21, 8)
    done.look(history((8, "C"), (9, "S")))
    assert (done.count, done.missed, done.longest_ns) == (3, 0, 0)
    done.look(history((20, "C"), (21, "C"), (22, "O")))
    assert (done.count, done.missed, done.sums[0]) == (5, 11, 62)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=20), st.integers(1, 30))
def test_what_is_seen_and_what_is_missed_is_all_there_was(steps, ring):
    """However many groups pass between two looks, and however few are kept."""
    done, now = Committed(0), 0
    for step in steps:
        now += step
        done.look(history(*((txg, "C") for txg in range(max(now - ring, 0) + 1, now + 1)), (now + 1, "O")))
        assert done.count + done.missed == now
    if max(steps) <= ring:
        assert (done.missed, done.sums[0]) == (0, now * (now + 1) // 2)
