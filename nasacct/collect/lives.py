"""Lives: which epochs were met in this run, since when each can have counted, and whether any of it was counted.

The same epoch may be met again: under other keys, as an interface that became another server's, or after it was missing
from a listing. What was counted of it must not be counted again, however long ago that was. So of those that are gone a
number of 64 bits is kept, and of those that cannot come back nothing: a connection that has ended, of which there are
thousands a day.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from nasacct.store.frame import Subject
    from nasacct.store.standing import Standing

#: From when on it can have counted: `Subject.after` and `since_boot`.
Since = tuple[int | None, int | None]
#: So many that are gone are held as they come before they are put in order with the others.
_RECENT = 4096


@dataclass(slots=True)
class _Life:
    """One epoch, and the subjects that it is now."""

    since: Since
    counted: bool = False
    sids: set[int] = field(default_factory=set)


class Lives:
    """Those of all sources; `standing` is what stood when the last run ended. Not to be used by two threads at once."""

    def __init__(self, standing: Standing) -> None:
        self._lives: dict[tuple[str, str], _Life] = {}
        self._of: dict[int, _Life] = {}
        self._uncounted: set[int] = set()
        self._gone = _Gone()
        for subject in standing.live.values():
            self._join(subject, self._lives.setdefault(_name(subject), _Life((subject.after, subject.since_boot))))
        for last in standing.rows.values():
            self.counted(last.sids())

    def again(self, subject: Subject) -> Since | None:
        """Since when an epoch that was met before counts, as this subject; None for one that is new."""
        name = _name(subject)
        life = self._lives.get(name)
        if life is None and name in self._gone:
            life = self._lives[name] = _Life((None, None), counted=True)
        if life is None:
            return None
        since: Since = (None, None) if life.counted else life.since
        self._join(subject, life)
        return since

    def begin(self, subject: Subject, since: Since) -> None:
        """Meet a new epoch."""
        life = self._lives[_name(subject)] = _Life(since)
        self._join(subject, life)

    def counted(self, sids: NDArray[np.int32]) -> None:
        """These subjects have readings."""
        if not self._uncounted:
            return
        found = self._uncounted.intersection(sids.tolist())
        for sid in found:
            self._of[sid].counted = True
        self._uncounted -= found

    def ended(self, subjects: Iterable[Subject], *, for_good: bool) -> None:
        """These are no more; `for_good`: their epochs cannot be met again."""
        for subject in subjects:
            life = self._of.pop(subject.sid, None)
            if life is None:
                continue
            self._uncounted.discard(subject.sid)
            life.sids.remove(subject.sid)
            if life.sids:
                continue
            name = _name(subject)
            del self._lives[name]
            # one that nobody read counts from the listing in which it is missing now, if not from before all of them
            if not for_good and (life.counted or life.since[0] is None):
                self._gone.add(name)

    def _join(self, subject: Subject, life: _Life) -> None:
        life.sids.add(subject.sid)
        self._of[subject.sid] = life
        if not life.counted:
            self._uncounted.add(subject.sid)


class _Gone:
    """A set of names that are gone, in 8 bytes each: that two of a million have the same is as likely as 1 to 10**7."""

    def __init__(self) -> None:
        self._recent: set[int] = set()
        self._ordered: NDArray[np.uint64] = np.zeros(0, np.uint64)

    def add(self, name: tuple[str, str]) -> None:
        self._recent.add(_digest(name))
        if len(self._recent) >= _RECENT:
            recent = np.fromiter(self._recent, np.uint64, len(self._recent))
            self._ordered = np.union1d(self._ordered, recent)
            self._recent.clear()

    def __contains__(self, name: tuple[str, str]) -> bool:
        if not self._recent and not len(self._ordered):
            return False
        digest = _digest(name)
        if digest in self._recent:
            return True
        at = int(np.searchsorted(self._ordered, np.uint64(digest)))
        return at < len(self._ordered) and int(self._ordered[at]) == digest


def _name(subject: Subject) -> tuple[str, str]:
    return subject.source, subject.epoch


def _digest(name: tuple[str, str]) -> int:
    return int.from_bytes(hashlib.blake2b("\0".join(name).encode(), digest_size=8).digest(), "little")
