"""`nasacct collect`: the daemon that reads counters into the journal."""

import json
import textwrap
from typing import TYPE_CHECKING, Annotated

import typer

from nasacct.cli.options import ConfigFile, Json, Root, configured, span
from nasacct.errors import CANT_CREATE, CONFIG, DATA, IO, OK, PERMISSION, TEMPORARY, USAGE, NasacctError

if TYPE_CHECKING:
    from nasacct.collect.rehearsal import Rehearsal
    from nasacct.config import Config

EXAMPLES = {
    "nasacct collect --dry-run --for 60s": "read for a minute, write nothing, print what was read and what it cost",
    "nasacct collect --root /tank/nasacct": "run in the foreground, for systemd, runit or a terminal",
}
STATUSES = (OK, USAGE, DATA, CANT_CREATE, IO, TEMPORARY, PERMISSION, CONFIG)


def collect(
    root: Root = None,
    config: ConfigFile = None,
    interval: Annotated[
        str | None, typer.Option("--interval", metavar="LENGTH", help="Time between two readings, 1s to 300s.")
    ] = None,
    volatile: Annotated[
        bool, typer.Option("--volatile", help="Allow a store on a file system that forgets at reboot (tmpfs).")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write nothing; at the end print what was read, its cost and its size.")
    ] = False,
    for_: Annotated[
        str | None, typer.Option("--for", metavar="LENGTH", help="With --dry-run: read for so long. [default: 60s]")
    ] = None,
    as_json: Json = False,
) -> int:
    """Read counters of NFS servers, links and disks into a store.

    Runs in the foreground until SIGTERM or SIGINT; SIGHUP reads the configuration again. Tells systemd that it is ready
    and alive where there is one. Writes only the journal: `nasacct keep` makes everything else of it.
    """
    for option, given in (("--for", for_ is not None), ("--json", as_json)):
        if given and not dry_run:
            raise NasacctError(f"{option} belongs to --dry-run; add --dry-run, or leave {option} out", USAGE)
    length = span(for_, "--for", least=1) or 60.0

    def settings() -> "Config":
        return configured(config, root, interval_s=span(interval, "--interval"))

    first = settings()
    from nasacct.collect import daemon

    if not dry_run:
        return daemon.run(first, volatile=volatile, reload=settings)
    _show(daemon.rehearse(first, length), as_json=as_json)
    return OK


def _show(found: "Rehearsal", *, as_json: bool) -> None:
    from nasacct.cli.answer import Column, Form, show
    from nasacct.plain import plain
    from nasacct.units import in_bytes, in_count, in_duration

    rows = [
        {
            "source": cost.source,
            "subjects": cost.subjects,
            "failed": cost.failed,
            "unknown_fields": cost.unknown_fields,
            "late_cycles": cost.late,
            "took_us": cost.median_took_us,
            "cpu_us": cost.median_cpu_us,
            "bytes_per_cycle": cost.bytes / max(cost.cycles, 1),
            "reasons": cost.reasons,
        }
        for cost in found.sources.values()
    ]
    if as_json:
        summary = {"cycles": found.cycles, "servers": found.servers, "bytes_per_day": found.bytes_per_day}
        print(json.dumps({**summary, "notes": found.notes, "sources": rows}, indent=2))
        return
    micro = lambda value: in_duration(value / 1e6)  # noqa: E731 - named so that the columns below fit a line each
    columns = [
        Column("source", "SOURCE"),
        Column("subjects", "READ", in_count),
        Column("failed", "FAILED", in_count),
        Column("unknown_fields", "UNKNOWN", in_count),
        Column("late_cycles", "LATE", in_count),
        Column("took_us", "TOOK", micro),
        Column("cpu_us", "CPU", micro),
        Column("bytes_per_cycle", "PER CYCLE", in_bytes),
    ]
    show(rows, columns, Form.TABLE, f"{found.cycles} cycles, {found.servers} servers; nothing was written")
    print(f"\nThe journal would grow by {in_bytes(found.bytes_per_day)} a day before it is compacted.")
    reasons = [
        f"{c.source}: {why} ({in_count(n)} times)" for c in found.sources.values() for why, n in c.reasons.items()
    ]
    for told in [*reasons, *found.notes]:
        print(textwrap.fill(plain(told), 80, subsequent_indent="  "))
