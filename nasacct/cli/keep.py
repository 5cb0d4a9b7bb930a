"""`nasacct keep`: the daemon that makes segments and rollups of the journal."""

from typing import Annotated

import typer

from nasacct.cli.options import ConfigFile, Root, configured
from nasacct.errors import CONFIG, DATA, IO, NO_INPUT, OK, PERMISSION, TEMPORARY, USAGE

EXAMPLES = {
    "nasacct keep --root /tank/nasacct": "run in the foreground, for systemd, runit or a terminal",
    "nasacct keep --once": "do what is to be done now and end",
}
STATUSES = (OK, USAGE, DATA, NO_INPUT, IO, TEMPORARY, PERMISSION, CONFIG)


def keep(
    root: Root = None,
    config: ConfigFile = None,
    once: Annotated[bool, typer.Option("--once", help="Do what is to be done now, then end.")] = False,
) -> int:
    """Make usage and rollups of what was collected.

    Deletes what is older than configured, and judges the episodes of days that are over, where nasacct[reports] is
    installed. Runs beside `nasacct collect`, at the lowest CPU and I/O priority; stopping
    it loses nothing.
    """
    settings = configured(config, root)
    from nasacct.cli.chores import Chores
    from nasacct.collect import logs
    from nasacct.store.keep import idle, run

    logs.begin()
    idle()
    return run(settings, once=once, chores=Chores(settings, watch=not once))
