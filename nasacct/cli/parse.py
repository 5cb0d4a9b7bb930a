"""`nasacct parse`: how a counter file is understood."""

import json
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from nasacct.cli.options import ConfigFile, Root, configured, content
from nasacct.errors import CONFIG, DATA, IO, NO_INPUT, OK, PERMISSION, USAGE, NasacctError

EXAMPLES = {
    "nasacct parse nfsd /proc/net/rpc/nfsd": "an NFS server's counters by their names",
    "nasacct parse diskstats - < saved.txt": "a file from elsewhere, on standard input",
}
STATUSES = (OK, USAGE, DATA, NO_INPUT, IO, PERMISSION, CONFIG)
#: Ten thousand devices or exports fit into it.
_LIMIT = 16 << 20


class Kind(Enum):
    """The kernel files that are understood, and what `zpool status` prints."""

    nfsd = "nfsd"
    diskstats = "diskstats"
    net_dev = "net_dev"
    export_stats = "export_stats"
    objset = "objset"
    txgs = "txgs"
    mdstat = "mdstat"
    zpool_status = "zpool_status"
    psi = "psi"


def parse(
    kind: Annotated[
        Kind,
        typer.Argument(
            metavar="KIND",
            help="nfsd, diskstats, net_dev, export_stats, objset, txgs, mdstat, zpool_status or psi.",
        ),
    ],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file, - for standard input.")],
    root: Root = None,
    config: ConfigFile = None,
) -> None:
    """Show as JSON how a counter file of the kernel is read.

    A broken file is refused with the line that is wrong, never guessed. No store is touched.
    """
    configured(config, root)
    from nasacct.collect.parse import ParseError, understand

    named, read = content(file, _LIMIT, "is longer than any counter file; name a file as the kernel shows it")
    try:
        understood = understand(kind.value, read)
    except ParseError as error:
        raise NasacctError(f"{named} is no {kind.value} file: {error}", DATA) from None
    print(json.dumps(understood, indent=2))
