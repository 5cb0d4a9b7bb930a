"""Usage: who moved how much, by server or node, as a whole or step by step."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from nasacct.errors import USAGE, NasacctError
from nasacct.reports import levels, steps
from nasacct.reports.questions import question
from nasacct.store.journal_ring import RING
from nasacct.store.views import EVER
from nasacct.store.warehouse import Warehouse

if TYPE_CHECKING:
    from datetime import tzinfo
    from pathlib import Path

    import pyarrow as pa

log = logging.getLogger(__name__)

By = Literal["server", "node", "epoch"]
VIEWS = ("nfsd", "links")
#: Before and after everything that a store can hold.
_EVER = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def usage(
    root: Path,
    by: By = "server",
    since: datetime | None = None,
    until: datetime | None = None,
    step: str | None = None,
    zone: tzinfo = UTC,
    server: str | None = None,
    ring: Path | None = RING,
) -> list[dict[str, Any]]:
    """Rows with the key `by`, `from`, `to` (UTC), and of every measure M `M`, `M_max`, `M_unknown` and `M_quality`.

    `M_unknown` is how many parts have no value or no bound, `quality` the worst one, `as_of` up to when what is here of
    the row's node reaches.

    The measures are read_bytes, written_bytes, received_bytes, sent_bytes, calls. One row for each server or node, or
    with `step` (10s, 5m, 1h, 1d: days of the zone) for each step from its first to its last. None is unknown.
    Without `since` or `until`, everything in the store counts; with `server`, only what is that one's. What cannot be
    read is told in the log.
    NasacctError when there is no store, or the span or the step is none.
    """
    warehouse = Warehouse(root, ring=ring)
    table = ask(warehouse, by, since, until, step, zone, server)
    reached = warehouse.up_to()
    for trouble in warehouse.trouble:
        log.warning("%s", trouble)
    keys = ("server", "node") if by == "server" else ("node",)
    names = {"server": "who", "node": "node"}
    rest = [n for n in table.column_names if n not in ("node", "who")]
    return [
        {k: row[names[k]] for k in keys} | {n: row[n] for n in rest} | {"as_of": reached.get(row["node"])}
        for row in table.to_pylist()
    ]


def ask(
    warehouse: Warehouse,
    by: By = "server",
    since: datetime | None = None,
    until: datetime | None = None,
    step: str | None = None,
    zone: tzinfo = UTC,
    server: str | None = None,
) -> pa.Table:
    """The same as a table with the columns of sql/usage.sql, for whoever keeps a warehouse open.

    By `epoch` there is a row for each life of a server's counters.
    """
    begin, end = checked(since, until)
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
        views, cell_us = levels.stepped(warehouse, VIEWS, [steps.us(at) for span in spans for at in span])
        divided = steps.table(spans, cell_us)
    else:
        lo, hi = steps.us(since) if since else EVER[0], steps.us(until) if until else EVER[1]
        views = levels.between(warehouse, VIEWS, lo, hi)
        divided = steps.one(first, last, lo, hi)
    params: dict[str, Any] = {"since": begin, "until": end, "by": by, "server": server, "cell_us": divided.cell_us}
    return warehouse.query(question("usage"), params, views=views, tables={"steps": divided.table})


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
        views = levels.finest(warehouse, VIEWS, steps.us(low), steps.us(high))
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
