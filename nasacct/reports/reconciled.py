"""Reconciled: whether what clients moved fits what their server's link moved, and what nfsd says they read and wrote.

What a link carries beside the payload of TCP connections is headers and other protocols, so clients' sums are less than
it, and more than what was read and written over TCP. Where they are not, bytes were counted twice or connections were
not seen. The three are read one after the other in a cycle, so what is compared is what is certain on one side with
what is possible on the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from nasacct.reports.questions import question
from nasacct.times import us

if TYPE_CHECKING:
    from nasacct.store.warehouse import Warehouse

_VIEWS = ("nfsd", "links", "clients")
#: How far apart the sources of one cycle, and the cycles after lost ones, may be read.
_SLACK = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """One server's bytes, both directions together, as in sql/reconciled.sql; None is unknown."""

    node: str
    server: str
    link: int | None
    link_most: int | None
    clients: int | None
    clients_most: int | None
    nfs: int | None
    nfs_most: int | None

    @property
    def too_much(self) -> int:
        """Bytes that clients moved and the link did not: counted twice."""
        return _over(self.clients, self.link_most)

    @property
    def unseen(self) -> int:
        """Bytes that were read and written and are no known client's: of connections not seen, or not over TCP."""
        return _over(self.nfs, self.clients_most)


def reconciled(warehouse: Warehouse, window: timedelta = timedelta(hours=1)) -> list[Reconciled]:
    """Every server whose clients are known, over the last `window` of each node."""
    found = []
    for one in warehouse.by_node():
        until = one.newest(("clients",))
        if until is None:
            continue
        # the newest cycle's other streams may still be on their way
        until -= _SLACK
        since = until - window
        span = {"lo": us(since), "hi": us(until), "slack_us": _SLACK // timedelta(microseconds=1)}
        answer = one.query(question("reconciled"), span, views=_VIEWS, since=since - _SLACK, until=until + _SLACK)
        found += [Reconciled(**row) for row in answer.to_pylist()]
    return found


def _over(certain: int | None, most: int | None) -> int:
    return 0 if certain is None or most is None else max(certain - most, 0)
