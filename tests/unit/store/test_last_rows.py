"""Last readings by subject."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nasacct.store.frame import Instant
from nasacct.store.last_rows import LastRows

OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.lists(st.integers(1, 300), min_size=1, max_size=9, unique=True)),
        st.tuples(st.just("drop"), st.lists(st.integers(1, 300), max_size=200)),
        st.tuples(st.just("hold"), st.lists(st.integers(1, 300), max_size=5)),
        st.tuples(st.just("lose sight"), st.just([])),
    ),
    max_size=40,
)


@given(operations=OPERATIONS)
def test_last_rows_are_what_a_dictionary_would_have(operations):
    """In whatever order subjects come, go and come again."""
    rows, plain, stale = LastRows(2), {}, set()
    for now, (what, sids) in enumerate(operations, 1):
        if what == "put":
            values = [[now, sid] for sid in sids]
            rows.put(np.array(sids, np.int32), Instant(now, now + 1), np.array(values, np.int64))
            plain |= {sid: (now, now + 1, value) for sid, value in zip(sids, values, strict=True)}
            stale -= set(sids)
        elif what == "drop":
            rows.drop(sids)
            plain = {sid: row for sid, row in plain.items() if sid not in sids}
        elif what == "hold":
            rows.hold(Instant(now, now + 1), sids)
            held_now = plain.keys() - stale - set(sids)
            plain |= {sid: (now, now + 1, plain[sid][2]) for sid in held_now}
        else:
            rows.lose_sight()
            stale |= plain.keys()
        there = rows.sids()
        assert there.tolist() == sorted(plain)
        found = zip(*(column.tolist() for column in rows.of(there)), strict=True)
        assert [tuple(row) for row in found] == [plain[sid] for sid in sorted(plain)]
