"""`nasacct top`: who uses the NAS now."""

import dataclasses
import json
import signal
import sys
import time
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nasacct.cli.answer import Column, Form, form, in_csv, plain, table, values
from nasacct.cli.freshness import behind, is_copy
from nasacct.cli.options import ConfigFile, Csv, Json, Root, configured, span
from nasacct.errors import CONFIG, DATA, NO_INPUT, OK, UNAVAILABLE, USAGE, NasacctError
from nasacct.store.root import existing
from nasacct.times import render
from nasacct.units import in_bytes, in_bytes_per_s, in_count, in_duration, in_percent

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from rich.console import RenderableType

    from nasacct.config import Config
    from nasacct.reports.top import NodeNow, Top

EXAMPLES = {
    "nasacct top": "watch, until Ctrl-C",
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
    server = "server"


_DISKS = (
    Column("device", "DISK"),
    Column("busy", "BUSY", in_percent),
    Column("read_bytes_s", "READ", in_bytes_per_s),
    Column("written_bytes_s", "WRITTEN", in_bytes_per_s),
    Column("requests_s", "REQUESTS/s", in_count),
    Column("wait_ms", "WAIT", lambda ms: in_duration(ms / 1000), absent="-"),  # without a request nothing waited
    Column("queue", "QUEUE", lambda length: f"{length:.1f}"),
)
_SERVERS = (
    Column("server", "SERVER"),
    Column("read_bytes_s", "READ", in_bytes_per_s),
    Column("written_bytes_s", "WRITTEN", in_bytes_per_s),
    Column("received_bytes_s", "RECEIVED", in_bytes_per_s),
    Column("sent_bytes_s", "SENT", in_bytes_per_s),
    Column("calls_s", "CALLS/s", lambda rate: f"{rate:.1f}" if rate < 99.95 else in_count(rate)),
)
_NODE = Column("node", "NODE")
#: So many disks, the busiest, are shown to people.
_MOST_DISKS = 8


def top(
    once: Annotated[bool, typer.Option("--once", help="Look once; so it does when the output is no terminal.")] = False,
    sort: Annotated[
        By,
        typer.Option("--sort", metavar="BY", help="The first servers have most bytes, read, written, calls; server."),
    ] = By.bytes,
    window: Annotated[
        str, typer.Option("--window", metavar="LENGTH", help="Rates are of so long before the newest reading.")
    ] = "60s",
    every: Annotated[str, typer.Option("--every", metavar="LENGTH", help="Look again after so long.")] = "5s",
    node: Annotated[str | None, typer.Option("--node", metavar="NAME", help="Only this node.")] = None,
    root: Root = None,
    config: ConfigFile = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Show who uses the NAS now, and how busy its disks are.

    "Now" is the newest reading in the store: of a replayed recording, its last minute.
    """
    shape = form(as_json=as_json, as_csv=as_csv)
    window_s, every_s = span(window, "--window", least=1) or 60.0, span(every, "--every", least=1) or 5.0
    settings = configured(config, root)
    existing(settings.root)
    from nasacct.reports.top import ask
    from nasacct.store.warehouse import Warehouse

    warehouse = Warehouse(settings.root, node, ring=settings.store.ring_dir)

    def look() -> "Top":
        return ask(warehouse, window_s=window_s, sort=sort.value)

    if shape is Form.JSON:
        print(json.dumps(_as_json(look()), indent=1))
    elif shape is Form.CSV:
        sys.stdout.write(in_csv([dataclasses.asdict(server) for server in look().servers], [_NODE, *_SERVERS]))
    else:
        _watch(look, settings, once=once, every_s=every_s)


def _as_json(found: "Top") -> dict[str, Any]:
    return {
        "as_of": values({"as_of": found.as_of})["as_of"],
        **{
            name: [values(dataclasses.asdict(row)) for row in getattr(found, name)]
            for name in ("nodes", "disks", "servers")
        },
        "trouble": found.trouble,
    }


def _watch(look: Any, settings: "Config", *, once: bool, every_s: float) -> None:
    from rich.console import Console
    from rich.live import Live

    console = Console(highlight=False)
    if once or not console.is_terminal:
        console.print(_screen(look(), settings))
        return
    # whoever started this in the background of a script ignores Ctrl-C, and so would this
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with Live(console=console, screen=True, auto_refresh=False) as live:
            while True:
                live.update(_screen(look(), settings, lines=console.height), refresh=True)
                time.sleep(every_s)
    except KeyboardInterrupt:
        return


def _screen(found: "Top", settings: "Config", lines: int | None = None) -> "RenderableType":
    """Nodes with their disks above, servers below; on a screen of so many lines as many servers as fit."""
    from rich.console import Group
    from rich.text import Text

    if found.as_of is None:
        raise NasacctError("the store holds no reading yet; wait for the collector's second cycle", NO_INPUT)
    parts: list[RenderableType] = []
    used = 0
    several = len(found.nodes) > 1
    for node in found.nodes:
        disks = [
            {**dataclasses.asdict(disk), "requests_s": _sum(disk.reads_s, disk.writes_s)}
            for disk in sorted(found.disks, key=lambda disk: -(disk.busy or 0))
            if disk.node == node.node
        ]
        parts += [Text(_about(node, settings.tz, late=several or is_copy(settings.root, node.node))), Text("")]
        parts += [table(disks[:_MOST_DISKS], _DISKS), *_more(len(disks) - _MOST_DISKS, "less busy"), Text("")]
        used += min(len(disks), _MOST_DISKS) + 7
    room = len(found.servers) if lines is None else max(lines - used - 4, 3)
    servers = [dataclasses.asdict(server) for server in found.servers[:room]]
    if servers:
        parts.append(table(servers, [_NODE, *_SERVERS] if len(found.nodes) > 1 else _SERVERS))
    else:
        parts.append(Text("no NFS server was read in this time; `nasacct doctor` says what it finds"))
    parts += [*_more(len(found.servers) - room, "after them"), *(Text(plain(trouble)) for trouble in found.trouble)]
    return Group(*parts)


def _more(number: int, which: str) -> "list[RenderableType]":
    from rich.text import Text

    return [Text(f"and {in_count(number)} {which}")] if number > 0 else []


def _about(node: "NodeNow", zone: "ZoneInfo", *, late: bool) -> str:
    """One line about a machine, `late`: with the age of its data, one about what is known of its state."""
    state = [
        f"load {node.load1:.2f}" if node.load1 is not None else "",
        f"CPU {in_percent(node.cpu_busy)}" if node.cpu_busy is not None else "",
        f"waiting for I/O {in_percent(node.io_some)} of the time" if node.io_some is not None else "",
        f"{in_bytes(node.memory_available_bytes)} memory left" if node.memory_available_bytes is not None else "",
    ]
    told = ", ".join(part for part in state if part) or "nothing is known of its load"
    age = behind(node.as_of) if late else ""
    return plain(f"{node.node} at {render(node.as_of, zone)}{age}, the last {in_duration(node.window_s)}") + "\n" + told


def _sum(*numbers: float | None) -> float | None:
    return None if None in numbers else sum(n for n in numbers if n is not None)
