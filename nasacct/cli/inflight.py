"""`nasacct inflight`: who waits inside nfsd."""

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nasacct.cli.answer import Column, Form, form, show
from nasacct.cli.options import ConfigFile, Csv, Json, Root, Since, Until, configured, moment
from nasacct.errors import CONFIG, DATA, NO_INPUT, OK, UNAVAILABLE, USAGE
from nasacct.store.root import existing
from nasacct.units import in_count, in_duration, in_percent

if TYPE_CHECKING:
    from nasacct.reports.inflight import Waits

EXAMPLES = {
    "nasacct inflight --since -1h": "whose calls waited in the last hour, server by server",
    "nasacct inflight --server 103 --since today": "which clients of one server waited, and for what",
    "nasacct inflight --since yesterday --json": "the same for a program",
}
STATUSES = (OK, USAGE, DATA, NO_INPUT, UNAVAILABLE, CONFIG)

#: In the table: columns of what is a server's, or a client's.
_EMPTY = ""


def inflight(
    since: Since = None,
    until: Until = None,
    server: Annotated[str | None, typer.Option("--server", metavar="NAME", help="Only this server.")] = None,
    root: Root = None,
    config: ConfigFile = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Say who waits inside nfsd, for what and how long.

    By samples of the calls in flight, which the source `inflight` takes where the kernel lets it. WAITED is the time
    that calls were in flight, all of them together; it is of disks and locks, for a fast call is hardly ever seen.
    SHARE is a client's part of its server's, MEAN how many calls there were at a time, SEEN how many calls all samples
    showed: below 30, that is chance. JSON and CSV say also whose the client and the export are.

    Of each server, FULL is the part of the time in which all of its threads were busy. What waits for a thread is not
    in flight yet and falls on everybody: so LATENCY, the mean time of all calls, is then unknown.
    """
    shape = form(as_json=as_json, as_csv=as_csv)
    settings = configured(config, root)
    first, last = moment(since, settings.tz, "--since"), moment(until, settings.tz, "--until", end=True)
    existing(settings.root)
    from nasacct.reports.inflight import waits

    found = waits(settings.root, first, last, server, settings.store.ring_dir)
    rows: list[dict[str, Any]] = [dataclasses.asdict(one) for one in found]
    if shape is Form.TABLE:
        rows = [_shown(one) for one in found]
    columns = [
        *([Column("node", "NODE")] if len({one.node for one in found}) > 1 else []),
        Column("server", "SERVER"),
        Column("client", "CLIENT"),
        *([Column("vps", "VPS", absent=_EMPTY)] if any(one.vps for one in found) else []),
        Column("operation", "OPERATION"),
        Column("in_flight_us", "WAITED", _in_time),
        Column("share", "SHARE", in_percent, absent=_EMPTY),
        Column("mean", "MEAN", "{:.3g}".format, absent=_EMPTY),
        Column("sampled_calls", "SEEN", in_count),
        Column("full", "FULL"),
        Column("latency", "LATENCY"),
    ]
    if shape is Form.CSV:
        columns = [Column(field.name, field.name) for field in dataclasses.fields(_waits())]
    show(rows, columns, shape, _heading(found))


def _waits() -> "type[Waits]":
    from nasacct.reports.inflight import Waits

    return Waits


def _shown(one: "Waits") -> dict[str, Any]:
    """A row of the table: what is a server's stands once, before its clients."""
    row = dataclasses.asdict(one)
    if one.operation is None:
        full = "unknown" if one.full is None else in_percent(one.full)
        latency = "unknown" if one.latency_us is None else _in_time(one.latency_us)
        return row | {"client": "all", "operation": "all", "share": None, "full": full, "latency": latency}
    return row | {"server": "", "client": one.client or "unknown", "full": "", "latency": ""}


def _heading(found: "list[Waits]") -> str:
    sampled = [one.sampled for one in found if one.sampled is not None]
    if not sampled:
        return (
            "nothing was sampled in that time; `nasacct doctor` says whether it can be, and `inflight` must be enabled"
        )
    return f"time in flight, of {in_percent(sum(sampled) / len(sampled))} of the time, which was sampled"


def _in_time(us: float) -> str:
    return in_duration(us / 1_000_000)
