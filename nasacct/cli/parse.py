"""`nasacct parse`: how a counter file is understood."""

import json
import sys
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from nasacct.errors import DATA, NO_INPUT, OK, PERMISSION, USAGE, NasacctError, of_os

EXAMPLES = {
    "nasacct parse nfsd /proc/net/rpc/nfsd": "an NFS server's counters by their names",
    "nasacct parse diskstats - < saved.txt": "a file from elsewhere, on standard input",
}
STATUSES = (OK, USAGE, DATA, NO_INPUT, PERMISSION)


class Kind(Enum):
    """The kernel files that are understood."""

    nfsd = "nfsd"
    diskstats = "diskstats"
    net_dev = "net_dev"
    export_stats = "export_stats"
    psi = "psi"


def parse(
    kind: Annotated[Kind, typer.Argument(metavar="KIND", help="nfsd, diskstats, net_dev, export_stats or psi.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file, - for standard input.")],
) -> None:
    """Show as JSON how a counter file of the kernel is read.

    A broken file is refused with the line that is wrong, never guessed.
    """
    from nasacct.collect.parse import understand

    try:
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise of_os(error, f"reading {file}") from None
    try:
        understood = understand(kind.value, content)
    except ValueError as error:
        raise NasacctError(f"{file} is no {kind.value} file: {error}", DATA) from None
    print(json.dumps(understood, indent=2))
