"""`nasacct top`: who uses the NAS now."""

import dataclasses
import json
import sys
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nasacct.cli.answer import Form, form, in_csv, values
from nasacct.cli.options import ConfigFile, Csv, Json, Root, configured, span
from nasacct.cli.top_screen import CLIENTS, INSIDE, NODE, SERVERS, screen
from nasacct.errors import CONFIG, DATA, NO_INPUT, OK, UNAVAILABLE, USAGE
from nasacct.store.root import existing

if TYPE_CHECKING:
    from nasacct.reports.now import Sort, Top

EXAMPLES = {
    "nasacct top": "watch, until q; Enter shows the clients and operations of a server",
    "nasacct top --once --server 103": "one look, with the clients and operations of one server",
    "nasacct top --once --sort calls": "one look, the busiest by calls first",
    "nasacct top --once --json": "the same for a program: nodes, disks, servers",
}
STATUSES = (OK, USAGE, DATA, NO_INPUT, UNAVAILABLE, CONFIG)


class By(Enum):
    """By what servers are sorted."""

    bytes = "bytes"
    read = "read"
    written = "written"
    calls = "calls"
    time = "time"
    server = "server"


def top(
    once: Annotated[bool, typer.Option("--once", help="Look once; so it does when the output is no terminal.")] = False,
    sort: Annotated[
        By,
        typer.Option(
            "--sort",
            metavar="BY",
            help="The first servers have most bytes, read, written, calls, time; or server.",
        ),
    ] = By.bytes,
    window: Annotated[
        str, typer.Option("--window", metavar="LENGTH", help="Rates are of so long before the newest reading.")
    ] = "60s",
    every: Annotated[str, typer.Option("--every", metavar="LENGTH", help="Look again after so long.")] = "5s",
    server: Annotated[
        str | None,
        typer.Option("--server", metavar="NAME", help="Clients and operations of this server instead of all servers."),
    ] = None,
    node: Annotated[str | None, typer.Option("--node", metavar="NAME", help="Only this node.")] = None,
    root: Root = None,
    config: ConfigFile = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Show who uses the NAS now, and how busy its disks are.

    "Now" is the newest reading in the store: of a replayed recording, its last minute.

    On a terminal, b r w c t n sort by bytes, read, written, calls, time of nfsd's threads, name; Up and Down choose a
    server, Enter shows its clients and operations, Esc goes back to the servers, and q ends it.
    """
    shape = form(as_json=as_json, as_csv=as_csv)
    window_s, every_s = span(window, "--window", least=1) or 60.0, span(every, "--every", least=1) or 5.0
    settings = configured(config, root)
    existing(settings.root)
    from nasacct.reports.top import ask
    from nasacct.store.warehouse import Warehouse

    warehouse = Warehouse(settings.root, node, ring=settings.store.ring_dir)

    def look(by: "Sort", of: str | None) -> "Top":
        return ask(warehouse, window_s=window_s, sort=by, server=of)

    if shape is Form.JSON:
        print(json.dumps(_as_json(look(sort.value, server), server), indent=1))
    elif shape is Form.CSV:
        found = look(sort.value, server)
        rows = [dataclasses.asdict(row) for row in (found.servers if server is None else found.clients)]
        sys.stdout.write(in_csv(rows, [NODE, *((*SERVERS, *INSIDE) if server is None else CLIENTS)]))
    else:
        from rich.console import Console

        console = Console(highlight=False)
        if once or not console.is_terminal:
            console.print(screen(look(sort.value, server), settings, server=server))
            return
        from nasacct.cli.top_watch import Shown, watch

        watch(look, settings, console, Shown(sort.value, server), every_s)


def _as_json(found: "Top", server: str | None) -> dict[str, Any]:
    return {
        "as_of": values({"as_of": found.as_of})["as_of"],
        **{
            name: [values(dataclasses.asdict(row)) for row in getattr(found, name)]
            for name in ("nodes", "disks", "servers", *(() if server is None else ("clients", "operations")))
        },
        "trouble": found.trouble,
    }
