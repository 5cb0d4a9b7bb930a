"""Explain: the readings behind a figure of `usage`, counter by counter and life by life.

A figure is the growth between two readings of one epoch, or of several. Each row names both readings, how the epoch
began and ended, and what was counted of it; the rows of a server add up to its figure.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from nasacct.reports import levels
from nasacct.reports.questions import question
from nasacct.reports.usage import VIEWS, ask, checked
from nasacct.store.views import EVER, Piece
from nasacct.times import us

if TYPE_CHECKING:
    from datetime import datetime

    from nasacct.store.warehouse import Warehouse

#: The counters of each source, in the order of sql/explain.sql.
COUNTERS = {"nfsd": ("read_bytes", "written_bytes", "calls"), "links": ("received_bytes", "sent_bytes")}
#: The files of so long before and after a span are looked at: each journal file begins with the last readings before
#: it, and is written for an hour at most.
_AROUND = 2 * 3600 * 1_000_000


def explain(
    warehouse: Warehouse, since: datetime | None = None, until: datetime | None = None, server: str | None = None
) -> list[dict[str, Any]]:
    """A row for each counter of each epoch that has usage from `since` to `until`, of one server or of all.

    Keys: server, node, counter, epoch; from, from_kind, from_value and to, to_kind, to_value: the readings (None: none
    is kept); readings: how many were taken; counted, counted_max, quality: as `usage` counts it; note: `born` (counted
    from 0), `final` (read when it ended), `unread` (it ended without a last reading), `cut` (by time, at an edge of the
    span), `expired` (readings are kept no more, their usage is). NasacctError when the span is none.
    """
    begin, end = checked(since, until)
    figures = {(r["node"], r["who"]): r for r in ask(warehouse, "epoch", since, until, server=server).to_pylist()}
    lo, hi = us(begin) if since else EVER[0], us(end) if until else EVER[1]
    around = max(lo - _AROUND, EVER[0]), min(hi + _AROUND, EVER[1])
    views = dict(levels.finest(warehouse, VIEWS, lo, hi))
    views |= {name: [Piece(name, *around)] for name in ("readings_nfsd", "readings_links")}
    params = {"lo": lo, "hi": hi, "server": server}
    found = []
    for row in warehouse.query(question("explain"), params, views=views).to_pylist():
        figure = figures.get((row["node"], row["epoch"]), {})
        notes = _notes(row, begin, end)
        for i, counter in enumerate(COUNTERS[row["source"]]):
            found.append(_row(row, i, counter, figure, notes))
    return found


def _row(row: dict[str, Any], number: int, counter: str, figure: dict[str, Any], notes: list[str]) -> dict[str, Any]:
    first, last = row["first"], row["last"]
    return {
        "server": row["server"],
        "node": row["node"],
        "counter": counter,
        "epoch": row["epoch"],
        "from": first and first["t"],
        "from_kind": first and first["kind"],
        "from_value": first and first["v"][number],
        "to": last and last["t"],
        "to_kind": last and last["kind"],
        "to_value": last and last["v"][number],
        "readings": row["readings"],
        "counted": figure.get(counter),
        "counted_max": figure.get(f"{counter}_max"),
        "quality": figure.get(f"{counter}_quality", "unknown"),
        "note": ", ".join(notes),
    }


def _notes(row: dict[str, Any], begin: datetime, end: datetime) -> list[str]:
    first, last = row["first"], row["last"]
    if first is None:
        return ["expired"]
    told = []
    if row["rows_from"] < first["t"] - timedelta(seconds=1):
        told.append("expired")
    elif first["kind"] == "zero":
        told.append("born")
    if row["lost"] is not None:
        told.append("unread")
    elif last["kind"] == "final":
        told.append("final")
    if first["t"] < begin or last["t"] > end:
        told.append("cut")
    return told
