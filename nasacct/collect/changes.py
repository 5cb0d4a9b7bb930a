"""Which readings differ from those handed out before: a cycle holds only rows that changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nasacct.store.frame import ABSENT, Rows

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from nasacct.store.frame import Subject
    from nasacct.store.stream import Stream

#: Stands for "nothing was handed out yet": differs from every value and from ABSENT.
_NEVER = -2


class Changes:
    """The last reading of each subject of a source, over the measures of all its streams side by side."""

    def __init__(self, *streams: Stream) -> None:
        self._columns: dict[str, slice] = {}
        width = 0
        for stream in streams:
            self._columns[stream.name] = slice(width, width + stream.width)
            width += stream.width
        self._numbers: dict[int, int] = {}
        self._free: list[int] = []
        self._last: NDArray[np.int64] = np.full((16, width), _NEVER, np.int64)

    def rows(self, subjects: Sequence[Subject], values: NDArray[np.int64], *, final: bool = False) -> dict[str, Rows]:
        """By stream, the rows of int64[n, all measures] that differ from the subjects' last ones; if final, all.

        A row of a stream in which nothing is present is none, a stream without rows is not there.
        """
        if not subjects:
            return {}
        known = [s.sid for s in subjects]
        for sid in known:
            if sid not in self._numbers:
                self._meet(sid)
        numbers = np.array([self._numbers[sid] for sid in known], np.intp)
        sids = np.array(known, np.int32)
        differs = values != self._last[numbers]
        present = values != ABSENT
        self._last[numbers] = values
        found = {}
        for name, columns in self._columns.items():
            chosen = present[:, columns].any(axis=1)
            if not final:
                chosen &= differs[:, columns].any(axis=1)
            if chosen.any():
                found[name] = Rows(sids[chosen], values[chosen, columns], final)
        return found

    def forget_others(self, known: dict[Any, Subject], there: Collection[Subject]) -> None:
        """Let those of the `known` subjects go that are not there any more."""
        for key, subject in list(known.items()):
            if subject not in there:
                del known[key]
                self.forget(subject)

    def forget(self, subject: Subject) -> None:
        """Let the subject's last reading go."""
        number = self._numbers.pop(subject.sid, None)
        if number is not None:
            self._last[number] = _NEVER
            self._free.append(number)

    def _meet(self, sid: int) -> None:
        number = self._free.pop() if self._free else len(self._numbers)
        if number >= len(self._last):
            self._last = np.concatenate([self._last, np.full_like(self._last, _NEVER)])
        self._numbers[sid] = number
