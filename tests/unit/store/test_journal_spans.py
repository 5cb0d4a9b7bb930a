"""Spans of journal files: a few words for many names, and never one name too many."""

from hypothesis import given
from hypothesis import strategies as st

from nasacct.store.journal_spans import Spans


def name(number, minute, run="00000000"):
    """A journal file's name."""
    return f"{number:08d}-20261123T{minute // 60:02d}{minute % 60:02d}00Z-{run}.journal"


def test_files_in_a_row_are_one_span():
    """Whatever order they are named in; other names are passed over."""
    spans = Spans.of([name(3, 45), name(1, 15), name(2, 30), "part-x.parquet"])
    assert spans.encode() == [[name(1, 15), name(3, 45)]]
    assert spans.count == 3
    assert spans == Spans.decode(spans.encode())


def test_spans_join_where_they_meet():
    """Sums of two days that follow each other are of one span."""
    assert (Spans.of([name(1, 1), name(2, 2)]) | Spans.of([name(3, 3)])).encode() == [[name(1, 1), name(3, 3)]]
    assert len((Spans.of([name(1, 1)]) | Spans.of([name(3, 3)])).names) == 2


def test_a_number_used_again_is_another_file():
    """Whoever empties the journal's folder lets numbers begin at 1: what was begun later is in no span of before."""
    spans = Spans.of([name(i, 10 * i) for i in range(1, 6)])
    again = Spans.of([name(2, 600)])
    assert spans.covers(Spans.of([name(2, 20)]))
    assert not spans.covers(again)
    assert not spans.meets(again)
    assert (spans | again).covers(again)


def test_a_clock_that_was_set_back_ends_a_span():
    """Else a file with a number between would be looked for at the wrong time."""
    spans = Spans.of([name(1, 600), name(2, 10), name(3, 20)])
    assert [list(pair) for pair in spans.names] == [[name(1, 600)] * 2, [name(2, 10), name(3, 20)]]
    assert all(spans.covers(Spans.of([n])) for n in (name(1, 600), name(2, 10), name(3, 20)))


FILES = st.sets(st.integers(1, 30))


@given(FILES, FILES)
def test_spans_are_sets(one, other):
    """Covering and meeting are what they are for sets of names."""
    names = [{name(i, 10 * i) for i in numbers} for numbers in (one, other)]
    first, second = (Spans.of(n) for n in names)
    assert first.covers(second) == (names[1] <= names[0])
    assert first.meets(second) == bool(names[0] & names[1])
    assert first | second == Spans.of(names[0] | names[1])
    assert first.count == len(one)
