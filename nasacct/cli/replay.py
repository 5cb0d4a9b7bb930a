"""`nasacct replay`: a recording through the same code as live collection."""

from pathlib import Path
from typing import Annotated

import typer

from nasacct.cli.options import ConfigFile, Root, configured
from nasacct.errors import CANT_CREATE, CONFIG, DATA, IO, NO_INPUT, OK, TEMPORARY, USAGE
from nasacct.units import in_count, in_duration

EXAMPLES = {
    "nasacct replay nas.jsonl.zst --root DIR": "make a store of a recording",
    "nasacct usage --root DIR --by server": "and ask it",
}
STATUSES = (OK, USAGE, DATA, NO_INPUT, CANT_CREATE, IO, TEMPORARY, CONFIG)


def replay(
    recording: Annotated[Path, typer.Argument(metavar="FILE", help="The recording, FILE.jsonl.zst.")],
    root: Root = None,
    config: ConfigFile = None,
    node: Annotated[
        str | None, typer.Option("--node", metavar="NAME", help="The node it is stored as. [default: as recorded]")
    ] = None,
) -> None:
    """Put a recording into a store, as if it were collected now.

    The store is made if it does not exist, also on a file system that forgets: the recording remains.
    """
    from nasacct.collect import replay as player

    done = player.replay(recording, configured(config, root), node=node)
    length = in_duration((done.last_ns - done.first_ns) / 1e9)
    print(f"replayed {in_count(done.cycles)} cycles ({length}) of {done.servers} servers as node {done.node}")
