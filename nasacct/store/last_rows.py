"""The last reading of each subject in one stream, however many have come and gone before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nasacct.store.frame import ABSENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nasacct.store.frame import Instant

#: A table of fewer rows is not made smaller.
_LEAST = 64


class LastRows:
    """A table by sid, ascending, of which some rows are dropped ones until they are as many as the others.

    Of each subject: the measures (int64[width]), and `wall` and `boot` (ns), when it was last seen to be so, which for
    an idle one is later than its last change. Stale ones may have changed since, in frames that are lost: nothing holds
    until they are read again.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self._sids: NDArray[np.int32] = np.zeros(0, np.int32)
        self._have: NDArray[np.bool_] = np.zeros(0, bool)
        self._stale: NDArray[np.bool_] = np.zeros(0, bool)
        self._wall: NDArray[np.int64] = np.zeros(0, np.int64)
        self._boot: NDArray[np.int64] = np.zeros(0, np.int64)
        self._values: NDArray[np.int64] = np.full((0, width), ABSENT, np.int64)

    def put(self, sids: NDArray[np.int32], at: Instant, values: NDArray[np.int64]) -> None:
        """Take these rows (int64[n, width]) as the last readings of their subjects."""
        self.restore(sids, at.wall_ns, at.boot_ns, values)

    def restore(
        self,
        sids: NDArray[np.int32],
        wall: NDArray[np.int64] | int,
        boot: NDArray[np.int64] | int,
        values: NDArray[np.int64],
    ) -> None:
        """The same, each with the times at which it was last seen to be so (ns)."""
        if not len(sids):
            return
        rows, known = self._find(sids)
        if not known.all():
            self._make_room(np.unique(sids[~known]))
            rows, _ = self._find(sids)
        self._have[rows], self._stale[rows] = True, False
        self._wall[rows], self._boot[rows] = wall, boot
        self._values[rows] = values

    def hold(self, at: Instant, missed: Sequence[int]) -> None:
        """All but the missed were read again at this instant and had not changed."""
        held = self._boot < at.boot_ns
        held &= self._have
        held &= ~self._stale
        if missed:
            rows, known = self._find(np.array(missed, np.int32))
            held[rows[known]] = False
        np.copyto(self._wall, at.wall_ns, where=held)
        np.copyto(self._boot, at.boot_ns, where=held)

    def lose_sight(self) -> None:
        """Frames are lost: all may have changed since."""
        self._stale[:] = True

    def drop(self, sids: Sequence[int]) -> None:
        """Forget these subjects' readings."""
        if not len(self._sids) or not sids:
            return
        rows, known = self._find(np.array(sids, np.int32))
        self._have[rows[known]] = False
        if len(self._have) > _LEAST and 2 * np.count_nonzero(self._have) < len(self._have):
            self._take(self._have.copy())

    def sids(self) -> NDArray[np.int32]:
        """The subjects that have a reading, ascending."""
        return self._sids[self._have]

    def of(self, sids: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """The times `wall`, `boot` and the values of subjects that have a reading."""
        rows, _ = self._find(sids)
        return self._wall[rows], self._boot[rows], self._values[rows]

    def _find(self, sids: NDArray[np.int32]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Where the subjects stand, and whether they do."""
        rows = np.searchsorted(self._sids, sids)
        rows[rows == len(self._sids)] = 0
        known = self._sids[rows] == sids if len(self._sids) else np.zeros(len(sids), bool)
        return rows, known

    def _make_room(self, new: NDArray[np.int32]) -> None:
        """Rows for subjects that have none."""
        count = len(new)
        sids = np.concatenate([self._sids, new])
        self._have = np.concatenate([self._have, np.zeros(count, bool)])
        self._stale = np.concatenate([self._stale, np.zeros(count, bool)])
        self._wall = np.concatenate([self._wall, np.zeros(count, np.int64)])
        self._boot = np.concatenate([self._boot, np.zeros(count, np.int64)])
        self._values = np.concatenate([self._values, np.full((count, self.width), ABSENT, np.int64)])
        in_order = len(self._sids) == 0 or new[0] > self._sids[-1]
        self._sids = sids
        if not in_order:
            self._take(np.argsort(sids))

    def _take(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> None:
        self._sids, self._have, self._stale = self._sids[chosen], self._have[chosen], self._stale[chosen]
        self._wall, self._boot, self._values = self._wall[chosen], self._boot[chosen], self._values[chosen]
