"""`nasacct usage`: who moved how much."""

import logging
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from nasacct.cli.answer import UNKNOWN, Column, Form, form, show
from nasacct.cli.freshness import freshness
from nasacct.cli.naming import named, whose
from nasacct.cli.options import ConfigFile, Csv, Json, Root, Since, Until, configured, moment
from nasacct.errors import CONFIG, DATA, NO_INPUT, OK, UNAVAILABLE, USAGE, NasacctError
from nasacct.store.root import existing
from nasacct.times import render
from nasacct.units import in_bytes, in_count, in_duration

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from nasacct.cli.answer import Row

log = logging.getLogger(__name__)

EXAMPLES = {
    "nasacct usage --by server --since yesterday": "what each server moved since midnight of yesterday",
    "nasacct usage --by client --server 103 --since today": "which addresses used one server, and how much",
    "nasacct usage --by member --from 2026-10 --to 2026-11": "October by member, each export as long as it was theirs",
    "nasacct usage --by operation --server 103 --since today": "what one server was asked for, and how often",
    "nasacct usage --by node --since -2h --step 5m": "the last two hours in steps of five minutes",
    "nasacct usage --explain --server 103 --since yesterday": "the readings behind one server's figures",
    "nasacct usage --by server --from 2026-10 --to 2026-11 --csv": "October, for a spreadsheet",
}
STATUSES = (OK, USAGE, DATA, NO_INPUT, UNAVAILABLE, CONFIG)


class By(Enum):
    """What a row is about."""

    server = "server"
    client = "client"
    vps = "vps"
    export = "export"
    member = "member"
    node = "node"
    operation = "operation"


#: What stands for None in the column of what a row is about.
_NOBODY = {By.client: "not per client", By.vps: "not per client", By.export: "none known", By.member: "nobody known"}
#: By what is told whose a client is.
_OF_CLIENTS = (By.client, By.vps)


def usage(
    by: Annotated[
        By,
        typer.Option(
            "--by", metavar="WHAT", help="A row for each: server, client, vps, export, member, operation, node."
        ),
    ] = By.server,
    since: Since = None,
    until: Until = None,
    step: Annotated[
        str | None,
        typer.Option("--step", metavar="LENGTH", help="A row for each step: 10s, 5m, 1h, 1d (days of the zone)."),
    ] = None,
    server: Annotated[str | None, typer.Option("--server", metavar="NAME", help="Only this server.")] = None,
    explained: Annotated[
        bool, typer.Option("--explain", help="Show the readings behind the figures, a row for each counter.")
    ] = False,
    root: Root = None,
    config: ConfigFile = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Say who moved how much, by server, client or member.

    READ and WRITTEN are the files' bytes, as the NFS server counts them; RECEIVED and SENT are all bytes on its link.
    Of a client they are the payload of its TCP connections; `not per client` is what the links moved besides: headers,
    other protocols, connections that nobody saw. Of an export it is what servers moved while they showed it, itself or
    a snapshot of it, on whichever nodes; of a member that of their exports; of a VPS what its addresses moved, as the
    inventory says. OWNER is the member of the export, CONSUMER the member of the VPS that used it.
    By operation, TIME is for how long nfsd's threads worked on it, where the inside of nfsd is read; NFSv4's operations
    come in calls, the compounds, and only of these it is known.
    `65.0 .. 65.2 MB`: between these, where something could not be read or lies on the edge of a step.

    With --explain: what each life of a counter grew by, from which reading to which one. NOTE says born: it was counted
    from 0; final: it was read when it ended; unread: it ended without a last reading; cut: by time, at an edge of what
    was asked; expired: readings are kept no more, what was counted is.
    """
    shape = form(as_json=as_json, as_csv=as_csv)
    settings = configured(config, root)
    zone = settings.tz
    first, last = moment(since, zone, "--since"), moment(until, zone, "--until", end=True)
    existing(settings.root)  # told before anything slow is loaded
    if explained:
        if step:
            raise NasacctError(
                "--explain tells of one span; leave --step out, or name the step by --since and --until", USAGE
            )
        _explain(settings.root, first, last, server, shape, zone)
        return
    from nasacct.reports.usage_rows import usage as ask

    rows = ask(settings.root, by.value, first, last, step, zone, server, settings.store.ring_dir)
    columns = [Column(by.value, by.value.upper(), absent=_NOBODY.get(by, UNKNOWN))]
    if shape is Form.TABLE:
        columns += whose(rows, by.value)
        rows_shown: Sequence[Row] = [named(row, by.value) for row in rows]
    else:
        rows_shown = rows
    if by is not By.node and len(rows.reached) > 1:
        columns.insert(0, Column("node", "NODE"))
    if step:
        columns.insert(0, _from(rows, zone))
    measures = [
        Column("read_bytes", "READ", in_bytes, bounded=True),
        Column("written_bytes", "WRITTEN", in_bytes, bounded=True),
        Column("received_bytes", "RECEIVED", in_bytes, bounded=True),
        Column("sent_bytes", "SENT", in_bytes, bounded=True),
        Column("calls", "CALLS", in_count, bounded=True),
    ]
    if by is By.operation:
        columns.insert(-1, Column("protocol", "PROTOCOL"))
        measures = [
            Column("operations", "OPERATIONS", in_count, bounded=True),
            Column("thread_us", "TIME", lambda us: in_duration(us / 1e6), bounded=True),
        ]
    columns += measures[2:4] if by in _OF_CLIENTS else measures
    mend = "leave --since and --until out" if since or until else "`nasacct doctor` says what it finds"
    heading = f"no {by.value} was read in that time; {mend}"
    if rows:
        heading = f"from {render(min(r['from'] for r in rows), zone)} to {render(max(r['to'] for r in rows), zone)}"
    if by in _OF_CLIENTS and rows and not any(row["kind"] for row in rows):
        heading += "; no client was read in that time: `nasacct doctor` says whether they can be"
    show(rows_shown, columns, shape, heading, freshness(settings.root, rows.reached, zone))


def _explain(
    root: "Path",
    since: "datetime | None",
    until: "datetime | None",
    server: str | None,
    shape: "Form",
    zone: "ZoneInfo",
) -> None:
    from nasacct.reports.explain import explain
    from nasacct.store.warehouse import Warehouse

    warehouse = Warehouse(root)
    rows = explain(warehouse, since, until, server)
    for trouble in warehouse.trouble:
        log.warning("%s", trouble)
    several = len({row["node"] for row in rows}) > 1
    moments = [row[end] for row in rows for end in ("from", "to") if row[end]]
    days = len({render(at, zone)[:10] for at in moments}) > 1
    offsets = {render(at, zone)[20:] for at in moments}
    cut = slice(0 if days else 11, 19 if len(offsets) < 2 else None)

    def at(moment: "datetime") -> str:
        return render(moment, zone)[cut]

    columns = [
        *([Column("node", "NODE")] if several else []),
        Column("server", "SERVER"),
        Column("counter", "COUNTER", _short, left=True),
        Column("from", "FROM", at, absent="expired", left=True),
        Column("from_value", "READ", "{:,}".format, absent=""),
        Column("to", "TO", at, absent="expired", left=True),
        Column("to_value", "READ", "{:,}".format, absent=""),
        Column("counted", "COUNTED", "{:,}".format, bounded=True),
        Column("note", "NOTE", absent=""),
    ]
    where = f", {offsets.pop()}" if len(offsets) == 1 else ""
    heading = "no usage in that time"
    if moments and not days:
        heading = f"on {render(min(moments), zone)[:10]}{where}; bytes and calls as the kernel counted them"
    elif moments:
        heading = f"bytes and calls as the kernel counted them{where.replace(',', '; times in')}"
    reached = warehouse.up_to()
    show(rows, columns, shape, heading, freshness(root, {row["node"]: reached.get(row["node"]) for row in rows}, zone))


def _short(counter: str) -> str:
    return counter.removesuffix("_bytes")


def _from(rows: "Sequence[Row]", zone: "ZoneInfo") -> Column:
    """The column of the steps' beginnings: what all have in common is not repeated in each."""
    shown = [render(row["from"], zone) for row in rows]
    offsets = {text[20:] for text in shown}
    length = 16 if all(text[16:19] == ":00" for text in shown) else 19
    if len(offsets) != 1:
        return Column("from", "FROM", lambda at: render(at, zone), left=True)
    return Column("from", f"FROM ({offsets.pop()})", lambda at: render(at, zone)[:length], left=True)
