"""What `nasacct top` shows people: each node with its disks above, below its servers, or the clients of one of them."""

import dataclasses
from typing import TYPE_CHECKING, Any

from nasacct.cli.answer import Column, table
from nasacct.cli.freshness import behind, is_copy
from nasacct.cli.naming import beside, named, whose
from nasacct.errors import NO_INPUT, NasacctError
from nasacct.plain import plain
from nasacct.times import render
from nasacct.units import in_bytes, in_bytes_per_s, in_count, in_duration, in_percent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from rich.console import RenderableType

    from nasacct.config import Config
    from nasacct.reports.now import ClientNow, NodeNow, ServerNow, Top

DISKS = (
    Column("device", "DISK"),
    Column("busy", "BUSY", in_percent),
    Column("read_bytes_s", "READ", in_bytes_per_s),
    Column("written_bytes_s", "WRITTEN", in_bytes_per_s),
    Column("requests_s", "REQUESTS/s", in_count),
    Column("wait_ms", "WAIT", lambda ms: in_duration(ms / 1000), absent="-"),  # without a request nothing waited
    Column("queue", "QUEUE", lambda length: f"{length:.1f}"),
)


def _rate(per_s: float) -> str:
    return f"{per_s:.1f}" if per_s < 99.95 else in_count(per_s)


#: Stands for the time of calls of which some waited for a thread nobody knows how long.
_FULL = "full"


def _time(us: float | str) -> str:
    return us if isinstance(us, str) else in_duration(us / 1e6)


SERVERS = (
    Column("server", "SERVER"),
    Column("read_bytes_s", "READ", in_bytes_per_s),
    Column("written_bytes_s", "WRITTEN", in_bytes_per_s),
    Column("received_bytes_s", "RECEIVED", in_bytes_per_s),
    Column("sent_bytes_s", "SENT", in_bytes_per_s),
    Column("calls_s", "CALLS/s", _rate),
)
#: Where the inside of nfsd is read, too: how long a call takes, and 95 of 100 at most; how many threads are busy. Both
#: times are "full" where there were too few threads: how long calls waited for one is not known.
INSIDE = (
    Column("mean_us", "MEAN", _time, absent="-"),
    Column("p95_us", "P95 <=", _time, absent="-"),
    Column("busy_threads", "BUSY", lambda threads: f"{threads:.2f}"),
)
CLIENTS = (
    Column("client", "CLIENT"),
    Column("received_bytes_s", "RECEIVED", in_bytes_per_s),
    Column("sent_bytes_s", "SENT", in_bytes_per_s),
)
NODE = Column("node", "NODE")
#: So many disks, the busiest, are shown to people; fewer on a small screen, where each takes a server's line.
_MOST_DISKS = 8
#: Lines of a table's head, and columns of a line.
_HEAD = 2
_LINE = 80
_NOBODY = "no NFS server was read in this time; `nasacct doctor` says what it finds"
_NO_CLIENT = "no connection of {} was read in this time: `nasacct doctor` says whether they can be"


def screen(
    found: "Top", settings: "Config", *, server: str | None = None, lines: int | None = None, marked: int | None = None
) -> "RenderableType":
    """All that was found; on a screen of so many `lines` as much as fits, with the row `marked` in sight.

    The rows are servers, or the clients of one `server`. NasacctError when there is no reading yet.
    """
    from rich.console import Group
    from rich.text import Text

    if found.as_of is None:
        raise NasacctError("the store holds no reading yet; wait for the collector's second cycle", NO_INPUT)
    parts: list[RenderableType] = []
    several = len(found.nodes) > 1
    room = lines - _HEAD - len(found.trouble) - (0 if server is None else 3) if lines is not None else None
    disks = _MOST_DISKS if lines is None else max(min(_MOST_DISKS, (lines - 10) // (3 * len(found.nodes))), 0)
    for node in found.nodes:
        late = several or is_copy(settings.root, node.node)
        shown, used = _node(node, found, settings.tz, late=late, most=disks)
        parts += shown
        room = room - used if room is not None else None
    rows: Sequence[ServerNow | ClientNow] = found.servers if server is None else found.clients
    begin, end = _window(len(rows), room, marked)
    columns = servers_of(found) if server is None else clients_of(found)
    if server is not None:
        parts += [Text(_server(server, found)), Text(_operations(found)), Text("")]
    if rows:
        shown_rows = [_row(row) if server is None else _client(row) for row in rows[begin:end]]
        mark = None if marked is None else marked - begin
        parts.append(table(shown_rows, [NODE, *columns] if several else columns, marked=mark))
    else:
        parts.append(Text(_NOBODY if server is None else plain(_NO_CLIENT.format(server))))
    parts += [*_more(len(rows) - end, "after them"), *(Text(plain(trouble)) for trouble in found.trouble)]
    return Group(*parts)


def _row(one: "ServerNow | ClientNow") -> dict[str, Any]:
    """A server's or client's values; where all threads were busy that is said in the place of times."""
    row = dataclasses.asdict(one)
    return row | {"mean_us": _FULL, "p95_us": _FULL} if getattr(one, "exhausted", False) else row


def servers_of(found: "Top") -> "tuple[Column, ...]":
    """The columns of servers: where their inside is known, that instead of what went over their links."""
    if not any(one.busy_threads is not None for one in found.servers):
        return SERVERS
    return (*(column for column in SERVERS if column.key not in ("received_bytes_s", "sent_bytes_s")), *INSIDE)


def clients_of(found: "Top") -> "tuple[Column, ...]":
    """The columns of clients: also whose they are, as far as anything is known; the owner is the server's."""
    known = whose([dataclasses.asdict(one) for one in found.clients], "client")
    return (CLIENTS[0], *(column for column in known if column.key != "owner"), *CLIENTS[1:])


def _client(one: "ServerNow | ClientNow") -> dict[str, Any]:
    """A client's row: of its VPS there is room for the number alone."""
    row = dataclasses.asdict(one)
    return named(row | {"vps_name": None}, "client")


def _server(server: str, found: "Top") -> str:
    """The server whose clients are shown, and whose its export is."""
    owners = {beside(one.owner, one.owner_name) for one in found.clients if one.owner is not None}
    return plain(f"server {server}" + (f", owner {', '.join(sorted(filter(None, owners)))}" if owners else ""))


def _operations(found: "Top") -> str:
    """The most frequent operations, as far as a line of 80 columns has room for them."""
    told = "operations: none"
    for i, one in enumerate(found.operations):
        longer = f"{told}, " if i else "operations: "
        longer += f"{one.operation} {_rate(one.operations_s)}/s"
        longer += f" of {_time(one.mean_us)}" if one.mean_us is not None else ""
        if len(longer) > _LINE:
            break
        told = longer
    return plain(told)


def _window(count: int, room: int | None, marked: int | None) -> tuple[int, int]:
    """From which row to which one is shown, so that the marked one is."""
    if room is None:
        return 0, count
    # one line says how many more there are
    fit = max(room - (room < count), 3)
    begin = max(min((marked or 0) - fit + 1, count - fit), 0) if marked is not None else 0
    return begin, min(begin + fit, count)


def _node(
    node: "NodeNow", found: "Top", zone: "ZoneInfo", *, late: bool, most: int
) -> "tuple[list[RenderableType], int]":
    """A node's lines and its busiest disks, and how many lines they are."""
    from rich.text import Text

    disks: list[dict[str, Any]] = [
        {**dataclasses.asdict(disk), "requests_s": _sum(disk.reads_s, disk.writes_s)}
        for disk in sorted(found.disks, key=lambda disk: -(disk.busy or 0))
        if disk.node == node.node
    ]
    parts: list[RenderableType] = [Text(_about(node, zone, late=late)), Text("")]
    if not most:
        return parts, 3
    more = _more(len(disks) - most, "less busy")
    parts += [table(disks[:most], DISKS), *more, Text("")]
    return parts, min(len(disks), most) + len(more) + _HEAD + 4


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
