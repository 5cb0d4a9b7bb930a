"""`nasacct usage`: who moved how much."""

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from nasacct.cli.answer import Column, form, show
from nasacct.cli.options import ConfigFile, Csv, Json, Root, Since, Until, configured, moment
from nasacct.errors import CONFIG, DATA, NO_INPUT, OK, UNAVAILABLE, USAGE
from nasacct.store.root import existing
from nasacct.times import render
from nasacct.units import in_bytes, in_count

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from nasacct.cli.answer import Row

EXAMPLES = {
    "nasacct usage --by server --since yesterday": "what each server moved since midnight of yesterday",
    "nasacct usage --by node --since -2h --step 5m": "the last two hours in steps of five minutes",
    "nasacct usage --by server --from 2026-10 --to 2026-11 --csv": "October, for a spreadsheet",
}
STATUSES = (OK, USAGE, DATA, NO_INPUT, UNAVAILABLE, CONFIG)


class By(Enum):
    """What a row is about."""

    server = "server"
    node = "node"


def usage(
    by: Annotated[By, typer.Option("--by", metavar="WHAT", help="A row for each: server or node.")] = By.server,
    since: Since = None,
    until: Until = None,
    step: Annotated[
        str | None,
        typer.Option("--step", metavar="LENGTH", help="A row for each step: 10s, 5m, 1h, 1d (days of the zone)."),
    ] = None,
    root: Root = None,
    config: ConfigFile = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Say who moved how much: a row for each server or node.

    READ and WRITTEN are the files' bytes, as the NFS server counts them; RECEIVED and SENT are all bytes on its link.
    `65.0 .. 65.2 MB`: between these, where something could not be read or lies on the edge of a step.
    """
    shape = form(as_json=as_json, as_csv=as_csv)
    settings = configured(config, root)
    zone = settings.tz
    first, last = moment(since, zone, "--since"), moment(until, zone, "--until", end=True)
    existing(settings.root)  # told before anything slow is loaded
    from nasacct.reports.usage import usage as ask

    rows = ask(settings.root, by.value, first, last, step, zone)
    columns = [Column(by.value, by.value.upper())]
    if by is By.server and len({row["node"] for row in rows}) > 1:
        columns.insert(0, Column("node", "NODE"))
    if step:
        columns.insert(0, _from(rows, zone))
    columns += [
        Column("read_bytes", "READ", in_bytes, bounded=True),
        Column("written_bytes", "WRITTEN", in_bytes, bounded=True),
        Column("received_bytes", "RECEIVED", in_bytes, bounded=True),
        Column("sent_bytes", "SENT", in_bytes, bounded=True),
        Column("calls", "CALLS", in_count, bounded=True),
    ]
    mend = "leave --since and --until out" if since or until else "`nasacct doctor` says what it finds"
    heading = f"no {by.value} was read in that time; {mend}"
    if rows:
        heading = f"from {render(min(r['from'] for r in rows), zone)} to {render(max(r['to'] for r in rows), zone)}"
    show(rows, columns, shape, heading)


def _from(rows: "Sequence[Row]", zone: "ZoneInfo") -> Column:
    """The column of the steps' beginnings: what all have in common is not repeated in each."""
    shown = [render(row["from"], zone) for row in rows]
    offsets = {text[20:] for text in shown}
    length = 16 if all(text[16:19] == ":00" for text in shown) else 19
    if len(offsets) != 1:
        return Column("from", "FROM", lambda at: render(at, zone), left=True)
    return Column("from", f"FROM ({offsets.pop()})", lambda at: render(at, zone)[:length], left=True)
