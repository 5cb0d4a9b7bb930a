"""`nasacct record`: what the collector would read, as a file to replay elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from nasacct.cli.options import ConfigFile, Root, configured, span
from nasacct.errors import CANT_CREATE, CONFIG, IO, OK, PERMISSION, USAGE
from nasacct.units import in_bytes, in_count

EXAMPLES = {
    "nasacct record --for 10m nas.jsonl.zst": "ten minutes of this machine's counters",
    "nasacct replay nas.jsonl.zst --root DIR": "and the same way through the store as if they were live",
}
STATUSES = (OK, USAGE, CANT_CREATE, IO, PERMISSION, CONFIG)


def record(
    recording: Annotated[Path, typer.Argument(metavar="FILE", help="The recording to write, FILE.jsonl.zst.")],
    root: Root = None,
    config: ConfigFile = None,
    for_: Annotated[
        str | None, typer.Option("--for", metavar="LENGTH", help="How long to record. [default: until it is stopped]")
    ] = None,
    interval: Annotated[
        str | None, typer.Option("--interval", metavar="LENGTH", help="Time between two readings, 1s to 300s.")
    ] = None,
) -> None:
    """Write this machine's counters to a file, to replay elsewhere.

    The counter files are kept as they are, line for line. A recording holds server names, addresses and paths of this
    machine. docs/recording.md describes the format.
    """
    length = span(for_, "--for", least=1)
    settings = configured(config, root, interval_s=span(interval, "--interval"))
    from nasacct.collect import record as recorder

    lines = recorder.record(settings, recording, length)
    print(f"recorded {in_count(lines)} lines, {in_bytes(recording.stat().st_size)}, in {recording}")
