"""`nasacct exports`: who read and wrote which export."""

import dataclasses
from typing import Annotated

import typer

from nasacct.cli.answer import Column, form, show
from nasacct.cli.options import ConfigFile, Csv, Json, Root, Since, Until, configured, moment
from nasacct.errors import CONFIG, DATA, NO_INPUT, OK, UNAVAILABLE, USAGE
from nasacct.store.root import existing
from nasacct.units import in_bytes

EXAMPLES = {
    "nasacct exports --since today": "which client read and wrote how much below each path, at least",
    "nasacct exports --server 103 --json": "the same of one server, for a program",
}
STATUSES = (OK, USAGE, DATA, NO_INPUT, UNAVAILABLE, CONFIG)


def exports(
    since: Since = None,
    until: Until = None,
    server: Annotated[str | None, typer.Option("--server", metavar="NAME", help="Only this server.")] = None,
    root: Root = None,
    config: ConfigFile = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Say who read and wrote which export, at least how much.

    As the kernel's export_stats has it, which the source `export_stats` reads where it is enabled. Its entries begin
    anew every half hour or so and lose what they gained last: so every figure is a lower bound. `2.0 .. 2.3 MB`: the
    upper bound is what nfsd counted for the server, less what others moved for certain; `>=`: there is none. `not
    split` is what nfsd counted and no entry had.
    """
    shape = form(as_json=as_json, as_csv=as_csv)
    settings = configured(config, root)
    first, last = moment(since, settings.tz, "--since"), moment(until, settings.tz, "--until", end=True)
    existing(settings.root)
    from nasacct.reports.exported import exported

    found = exported(settings.root, first, last, server, settings.store.ring_dir)
    columns = [
        *([Column("node", "NODE")] if len({one.node for one in found}) > 1 else []),
        Column("server", "SERVER"),
        Column("export", "EXPORT", absent=""),
        Column("client", "CLIENT", absent="not split"),
        Column("read_bytes", "READ", in_bytes, bounded=True),
        Column("written_bytes", "WRITTEN", in_bytes, bounded=True),
    ]
    heading = "at least, by export_stats, up to what nfsd counted"
    if not found:
        heading = "no export_stats were read in that time; `export_stats` must be enabled"
    show([dataclasses.asdict(one) for one in found], columns, shape, heading)
