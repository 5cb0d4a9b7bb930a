"""Usage: who moved how much, by server, client or node, as a whole or step by step; see `usage_rows.py` for people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from nasacct.errors import USAGE, NasacctError
from nasacct.reports import breakdown, levels, operations, steps
from nasacct.reports.breakdown import MEASURES
from nasacct.reports.questions import question
from nasacct.reports.sums import added, judged
from nasacct.store.views import EVER
from nasacct.store.warehouse import Question
from nasacct.times import us

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import tzinfo

    import pyarrow as pa

    from nasacct.reports.breakdown import By
    from nasacct.store.views import Piece
    from nasacct.store.warehouse import Warehouse

#: The views of what is a server's; from when to when there are any is what an answer without ends tells.
VIEWS = tuple(MEASURES)
_TIMES = ("node", "server", "client", "epoch", "t0_us", "t1_us", "begun_us", "over_us", "whole")
#: Before and after everything that a store can hold.
_EVER = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def ask(
    warehouse: Warehouse,
    by: By = "server",
    since: datetime | None = None,
    until: datetime | None = None,
    step: str | None = None,
    zone: tzinfo = UTC,
    server: str | None = None,
) -> pa.Table:
    """Usage as a table with the columns of `sums.judged`: of each server or node, or of each of its steps.

    Steps are as long as `step` says (10s, 5m, 1h, 1d: days of the zone). Without `since` or `until` everything in the
    store counts; with `server`, only what is that one's. NasacctError when the span or the step is none.
    By `epoch` there is a row for each life of a server's counters; by `client`, `who` is a server and an id
    (`breakdown.pair`), or ''; by `operation`, one of all servers (`operations.protocol`).
    """
    begin, end = checked(since, until)
    asked = tuple(breakdown.views(by))
    length = steps.length_of(step) if step else None
    first, last = since, until
    if length or first is None or last is None:
        seen = _seen(warehouse, since, until)
        if seen is None:
            first = last = begin
        elif length:
            first, last = max(seen[0], begin), min(seen[1], end)
        else:
            first, last = first or seen[0], last or max(seen[1], seen[0] + timedelta(microseconds=1))
    if length:
        spans = steps.steps(first, last, length, zone, begin, end)
        views, cell_us = levels.stepped(warehouse, asked, [us(at) for span in spans for at in span])
        divided = steps.of_cells(spans, cell_us)
    else:
        lo, hi = us(since) if since else EVER[0], us(until) if until else EVER[1]
        views = levels.between(warehouse, asked, lo, hi)
        divided = steps.one(first, last, lo, hi)
    return of_steps(warehouse, divided, views, by, server)


def of_steps(
    warehouse: Warehouse,
    divided: steps.Steps,
    views: Mapping[str, Sequence[Piece]],
    by: By = "server",
    server: str | None = None,
) -> pa.Table:
    """The same for steps and for the views of their cells.

    What lies in a step is summed at once; what the edges of steps cut is looked at only where there is such.
    """
    if by == "operation":
        return operations.of_steps(warehouse, divided, views, server)
    told, measures = breakdown.order(by), breakdown.views(by)
    params = {"by": "server" if by == "client" else by, "server": server} | divided.params

    def cut(found: list[pa.Table]) -> list[Question]:
        if all(pc.all(table.column("inside")).as_py() is not False for table in found):
            return []
        columns = _columns(told, ("", "_more", "_unknown"))
        return [Question(breakdown.cut(by, divided), params, views, columns, divided.tables)]

    def filled(view: str) -> dict[str, str]:
        fits = divided.fits(views[view])
        return {view: divided.placed(view, fits=fits), "inside": divided.inside(fits=fits)}

    asked = [
        Question(
            question(f"usage_{view}", **filled(view)),
            params,
            {view: views[view]},
            _columns(names, ("", "_bounds", "_unknown")),
            divided.tables,
        )
        for view, names in measures.items()
    ]
    found = warehouse.answers(asked, then=cut)
    inside = [table.filter(table.column("inside")) for table in found[: len(asked)]]
    sums = added([*inside, *found[len(asked) :]], told)
    return judged(breakdown.by_client(sums, told) if by == "client" else sums, divided.spans, told)


def _columns(measures: Iterable[str], kinds: Sequence[str]) -> set[str]:
    """The columns that the questions name of views with these measures."""
    return {*_TIMES, *(f"{m}{kind}" for m in measures for kind in kinds)}


def checked(since: datetime | None, until: datetime | None) -> tuple[datetime, datetime]:
    """From when to when, where the question says no end before and after everything; NasacctError when that is none."""
    begin, end = since or _EVER[0], until or _EVER[1]
    if begin >= end:
        raise NasacctError("the time asked for ends before it begins; exchange --since and --until", USAGE)
    return begin, end


def _seen(warehouse: Warehouse, since: datetime | None, until: datetime | None) -> tuple[datetime, datetime] | None:
    """From when to when there is usage of servers between two moments, if there is any."""
    begin, end = since or _EVER[0], until or _EVER[1]

    def span(low: datetime, high: datetime) -> tuple[datetime | None, datetime | None]:
        params = {"since": begin, "until": end}
        views = levels.finest(warehouse, VIEWS, us(low), us(high))
        row = warehouse.query(question("span"), params, views=views).to_pylist()[0]
        return row["first"], row["last"]

    extent = warehouse.extent(VIEWS)
    if extent is None:
        return None
    oldest, newest = extent
    # the first and the last day tell, unless they hold nothing of servers
    day = timedelta(days=1)
    low, high = max(begin, oldest - day), min(end, newest + day)
    if low >= high:
        return None
    first, last = span(low, min(low + 2 * day, high))[0], span(max(high - 2 * day, low), high)[1]
    if first is None or last is None:
        first, last = span(low, high)
    return None if first is None or last is None else (first, last)
