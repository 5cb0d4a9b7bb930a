"""Breakdowns: by what usage is told, which measures that has, and of which views they are.

By client, there is a row for each server of a client, and a node has one without, for what its servers' links moved
besides the payload of clients: headers, other protocols, and connections that nobody saw. While some may have been,
each of a server's clients may have moved more, but never more than the server's link did beside the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from nasacct.reports import operations
from nasacct.reports.questions import question
from nasacct.reports.sums import column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nasacct.reports.steps import Steps

By = Literal["server", "node", "epoch", "client", "operation"]
#: What is asked of which view.
MEASURES = {"nfsd": ("read_bytes", "written_bytes", "calls"), "links": ("received_bytes", "sent_bytes")}
#: What stands in `who` between a server and its client, whose id has none.
_BETWEEN = "\0"
_OF_CLIENTS = {"clients": ("received_bytes", "sent_bytes"), "links": ("received_bytes", "sent_bytes")}
#: The measures as they are told.
ORDER = ("read_bytes", "written_bytes", "received_bytes", "sent_bytes", "calls")
#: Rows of a view as `usage_cut.sql` wants them, one for each measure.
_ROWS = """SELECT node, server, {client} AS client, epoch, t0_us, t1_us, begun_us, over_us, whole,
           '{m}' AS measure, {m} AS m, {m}_more AS more, {m}_unknown AS unknown
    FROM {view} WHERE {counts}"""
#: A server in one step.
_STEP = ("node", "who", "lo")
_SUMS = """max(m) FILTER (measure = '{m}') AS {m},
       max(more) FILTER (measure = '{m}') AS {m}_more,
       max(unknown) FILTER (measure = '{m}') AS {m}_unknown"""


def views(by: By) -> Mapping[str, Sequence[str]]:
    """The measures that are told, by the view that has them."""
    if by == "operation":
        return dict.fromkeys(operations.COUNTED, operations.MEASURES)
    return _OF_CLIENTS if by == "client" else MEASURES


def order(by: By) -> tuple[str, ...]:
    """The measures that are told, each once."""
    if by == "operation":
        return operations.MEASURES
    told = {m for measures in views(by).values() for m in measures}
    return tuple(m for m in ORDER if m in told)


def cut(by: By, divided: Steps) -> str:
    """The question `usage_cut` of these views and measures."""
    rows = [
        _ROWS.format(
            view=view,
            m=m,
            client="coalesce(client, '')" if view == "clients" else "CAST(NULL AS VARCHAR)",
            # counters of nfsd that are no server's are the whole node's; interfaces that are no server's are nobody's
            counts="true" if view == "nfsd" else "server IS NOT NULL",
        )
        for view, measures in views(by).items()
        for m in measures
    ]
    sums = [_SUMS.format(m=m) for m in order(by)]
    filled = {"rows": "\n    UNION ALL\n    ".join(rows), "sums": ",\n       ".join(sums)}
    return question("usage_cut", parts=divided.placed("parts"), **filled)


def pair(who: str) -> tuple[str, str]:
    """The server and the client of a row by client."""
    server, _, client = who.rpartition(_BETWEEN)
    return server, client


def server(who: str) -> str:
    """The server of a row by server or by client."""
    return who.rpartition(_BETWEEN)[0] or who


def by_client(sums: pa.Table, measures: Sequence[str]) -> pa.Table:
    """The sums of `sums.added` by server and client with both in `who` (`pair`), and of what is no client's ('').

    What is certain of the latter is, of each server, what its link moved at least, less what clients moved at most; and
    what is possible, the opposite. A server whose link is not known has no part in it. The client '' of `sums` is what
    may have been anybody's: each client of its server may have that beside its own.
    """
    names = [f"{m}{kind}" for m in measures for kind in ("", "_more", "_unknown")]
    someone: Any = pc.is_valid(sums.column("client"))
    clients, links = sums.filter(someone), sums.filter(pc.invert(someone)).drop_columns(["client"])
    anybodys: Any = pc.equal(clients.column("client"), pa.scalar(""))
    of_server = _summed(clients, _STEP, names)
    rest = _rest(links.join(of_server, list(_STEP), right_suffix="_of_clients"), measures)
    rest = _summed(rest, ("node", "lo"), names)
    rest = rest.append_column("who", pa.array([""] * len(rest), pa.string()))
    doubts = clients.filter(anybodys).drop_columns(["client"])
    each = clients.filter(pc.invert(anybodys))
    for there, suffix in ((of_server, "_of_all"), (doubts, "_in_doubt"), (links, "_of_link")):
        each = each.join(there, list(_STEP), right_suffix=suffix)
    bounded = _bounded(each, measures)
    both: Any = pc.binary_join_element_wise(column(bounded, "who"), column(bounded, "client"), _BETWEEN)
    bounded = bounded.set_column(bounded.column_names.index("who"), "who", both)
    found = _summed(bounded, ("node", "who", "lo"), names)
    return pa.concat_tables([found, rest.select(found.column_names).cast(found.schema)])


def _rest(both: pa.Table, measures: Sequence[str]) -> pa.Table:
    """What links moved beside clients, of servers' links and sums of clients (`_of_clients`)."""
    found: dict[str, Any] = {name: both.column(name) for name in _STEP}
    for m in measures:
        link, unknown = column(both, m), column(both, f"{m}_unknown")
        moved, more, endless = (_known(both, f"{m}{kind}_of_clients") for kind in ("", "_more", "_unknown"))
        least = pc.subtract(pc.subtract(link, moved), more)
        least = pc.if_else(pc.greater(endless, pa.scalar(0)), pa.scalar(0), least)
        least = pc.if_else(pc.is_valid(link), pc.max_element_wise(least, pa.scalar(0)), None)
        most = pc.subtract(pc.add(link, _known(both, f"{m}_more")), moved)
        most = pc.max_element_wise(most, least, skip_nulls=False)
        found |= {m: least, f"{m}_more": pc.subtract(most, least), f"{m}_unknown": unknown}
    return pa.table(found)


def _bounded(each: pa.Table, measures: Sequence[str]) -> pa.Table:
    """Servers' clients with their bounds, of what each, all (`_of_all`), anybody (`_in_doubt`) and the link moved."""
    found: dict[str, Any] = {name: each.column(name) for name in (*_STEP, "client")}
    for m in measures:
        moved = _known(each, m)
        more = pc.add(_known(each, f"{m}_more"), _known(each, f"{m}_more_in_doubt"))
        unknown = pc.add(_known(each, f"{m}_unknown"), _known(each, f"{m}_unknown_in_doubt"))
        link = pc.add(column(each, f"{m}_of_link"), _known(each, f"{m}_more_of_link"))
        room = pc.max_element_wise(pc.subtract(link, _known(each, f"{m}_of_all")), pa.scalar(0), skip_nulls=False)
        endless: Any = pc.greater(unknown, pa.scalar(0))
        bound: Any = pc.and_kleene(pc.is_valid(room), pc.equal(column(each, f"{m}_unknown_of_link"), pa.scalar(0)))
        most = pc.if_else(endless, room, pc.min_element_wise(more, room))
        found[m] = pc.if_else(pc.and_(bound, endless), moved, column(each, m))
        found[f"{m}_more"] = pc.if_else(bound, most, more)
        found[f"{m}_unknown"] = pc.if_else(bound, pa.scalar(0), unknown)
    return pa.table(found)


def _summed(table: pa.Table, keys: Sequence[str], names: Sequence[str]) -> pa.Table:
    sums = table.group_by(list(keys)).aggregate([(name, "sum") for name in names])
    return sums.rename_columns([name.removesuffix("_sum") for name in sums.column_names])


def _known(table: pa.Table, name: str) -> Any:
    """The column, 0 where it has nothing."""
    return pc.fill_null(column(table, name), 0)
