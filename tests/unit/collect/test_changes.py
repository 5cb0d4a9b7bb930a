"""Only what changed is handed out."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nasacct.collect.changes import Changes
from nasacct.store.frame import ABSENT, Subject
from nasacct.store.stream import Measure, Stream

LEFT = Stream("left", "s", (), (Measure("a", "x"), Measure("b", "x")), ())
RIGHT = Stream("right", "s", (), (Measure("c", "x"),), ())
SUBJECTS = [Subject("s", {"n": str(i)}, f"e{i}", sid=i) for i in range(40)]

READINGS = st.dictionaries(st.sampled_from(range(40)), st.tuples(*[st.sampled_from([ABSENT, 0, 1])] * 3))


@given(st.lists(st.tuples(READINGS, st.sets(st.sampled_from(range(40)), max_size=3)), max_size=6))
def test_rows_are_those_that_differ_from_the_last_ones(cycles):
    """Over any readings and forgotten subjects: per stream, present rows that differ from the subject's last."""
    changes = Changes(LEFT, RIGHT)
    last = {}
    for readings, forgotten in cycles:
        values = np.array(list(readings.values()), np.int64).reshape(-1, 3)
        rows = changes.rows([SUBJECTS[i] for i in readings], values)
        for name, columns in (("left", slice(0, 2)), ("right", slice(2, 3))):
            expected = {
                i: list(row[columns])
                for i, row in readings.items()
                if set(row[columns]) != {ABSENT} and (i not in last or last[i][columns] != row[columns])
            }
            found = rows.get(name)
            got = {} if found is None else dict(zip(found.sids.tolist(), found.values.tolist(), strict=True))
            assert got == expected
        last |= readings
        for i in forgotten:
            changes.forget(SUBJECTS[i])
            last.pop(i, None)


def test_a_last_row_is_handed_out_though_it_is_the_same():
    """It carries the flag that ends its epoch."""
    changes = Changes(LEFT)
    values = np.array([[1, 2]], np.int64)
    changes.rows(SUBJECTS[:1], values)
    assert changes.rows(SUBJECTS[:1], values) == {}
    final = changes.rows(SUBJECTS[:1], values, final=True)["left"]
    assert final.final
    assert final.values.tolist() == [[1, 2]]
