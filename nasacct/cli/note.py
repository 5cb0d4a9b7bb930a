"""`nasacct note`: what happened beside the load, such as that a disk was replaced."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nasacct.cli.answer import Column, Form, form, show
from nasacct.cli.options import ConfigFile, Csv, Json, Root, Since, Until, configured, moment
from nasacct.errors import CONFIG, DATA, IO, NO_INPUT, OK, PERMISSION, TEMPORARY, USAGE, NasacctError, of_os
from nasacct.times import of_us, render, us

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from nasacct.store.notes import Note

EXAMPLES = {
    'nasacct note "replaced sdc" --from 14:00 --to 14:20': "what was done to the NAS just then",
    'nasacct note "backups moved to the night" --pool tank': "from a moment on something is different",
    "nasacct note --list --since -7d": "what was noted of the last week",
    "nasacct note --remove 2a4f09c1": "take a note back",
}
_NAMES = ("id", "from", "to", "nodes", "pool", "text", "by", "told", "removed", "removed_by")
STATUSES = (OK, USAGE, DATA, NO_INPUT, IO, TEMPORARY, PERMISSION, CONFIG)


def note(
    text: Annotated[str | None, typer.Argument(metavar="TEXT", help="What happened, in a few words.")] = None,
    since: Since = None,
    until: Until = None,
    node: Annotated[
        str | None, typer.Option("--node", metavar="NODE", help="Of this node. [default: all that the store has]")
    ] = None,
    pool: Annotated[
        str | None, typer.Option("--pool", metavar="POOL", help="Of this pool. [default: all of the node]")
    ] = None,
    by: Annotated[str | None, typer.Option("--by", metavar="WHO", help="Who says so. [default: not said]")] = None,
    listed: Annotated[
        bool, typer.Option("--list", help="Show what was noted, of the span and place if given.")
    ] = False,
    every: Annotated[bool, typer.Option("--all", help="With --list: also what was taken back.")] = False,
    remove: Annotated[
        str | None, typer.Option("--remove", metavar="ID", help="Take a note back; what it said stays in the store.")
    ] = None,
    erase: Annotated[
        str | None,
        typer.Option("--erase", metavar="ID", help="Erase a note's text for ever, as when it names somebody."),
    ] = None,
    root: Root = None,
    config: ConfigFile = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Note what happened beside the load, from when to when.

    Notes are drawn in graphs and quoted by `why`, and their time is left out of what is learnt to be normal. Without
    --from it happened now, without --to it was a moment. Nothing that was noted is changed: who was wrong takes the
    note back and writes another one. The text of one that names a person can be erased.
    """
    shape = form(as_json=as_json, as_csv=as_csv)
    if sum((text is not None, listed, remove is not None, erase is not None)) != 1:
        raise NasacctError("write what happened, or say --list, --remove ID or --erase ID; one of them", USAGE)
    if every and not listed:
        raise NasacctError("--all goes with --list; leave it out", USAGE)
    if (remove or erase) and (since or until or node or pool):
        raise NasacctError("--remove and --erase take an id alone; leave out from when, to when and where", USAGE)
    if by is not None and (listed or erase):
        raise NasacctError("--by says who notes or removes; leave it out", USAGE)
    settings = configured(config, root)
    from nasacct.store import notes

    zone, now = settings.tz, datetime.now(UTC)
    begin, end = moment(since, zone, "--from"), moment(until, zone, "--to", end=True)
    nodes = _nodes(settings.root, node)
    try:
        if text is not None:
            begin = begin or now.replace(microsecond=0)
            done, heading = (
                notes.tell(settings.root, text, (begin, end or begin), nodes, now, pool=pool, by=by),
                "noted",
            )
        elif remove is not None:
            done, heading = notes.remove(settings.root, remove, now, by), "removed"
        elif erase is not None:
            done, heading = notes.erase(settings.root, erase, now), "its text is erased"
        else:
            found = [n for n in notes.read(settings.root) if _asked(n, begin, end, nodes if node else None, pool)]
            _show([n for n in found if every or n.removed is None], shape, zone)
            return
    except OSError as error:
        raise of_os(error, f"reading the notes of {settings.root}") from None
    _show([done], shape, zone, heading)


def _nodes(root: Path, node: str | None) -> list[str]:
    """The nodes that are meant; NasacctError when the store has none, or not that one."""
    from nasacct.store.root import existing
    from nasacct.store.tree import trees

    known = [tree.node for tree in trees(existing(root))]
    if not known:
        raise NasacctError(f"{root} has no node yet; start `nasacct collect` with this --root", NO_INPUT)
    if node is not None and node not in known:
        raise NasacctError(f"{root} has no node {node!r}; it has {', '.join(known)}", USAGE)
    return known if node is None else [node]


def _asked(
    one: "Note", begin: datetime | None, end: datetime | None, nodes: list[str] | None, pool: str | None
) -> bool:
    """Whether a note is of what was asked for."""
    when = (begin is None or one.end > us(begin)) and (end is None or one.since < us(end))
    where = nodes is None or bool(set(nodes) & set(one.nodes))
    return when and where and (pool is None or one.pool in (None, pool))


def _show(found: "list[Note]", shape: Form, zone: "ZoneInfo", heading: str = "") -> None:
    rows = [_row(one) for one in found]
    columns = [Column(name, name) for name in _NAMES]
    if shape is Form.TABLE:
        rows = [
            row | {"when": _when(row["from"], row["to"], zone), "nodes": ", ".join(row["nodes"]), "text": _words(row)}
            for row in rows
        ]

        def written(at: datetime) -> str:
            return render(at, zone)

        columns = [
            Column("id", "ID"),
            Column("when", "WHEN"),
            *([Column("nodes", "NODE")] if len({row["nodes"] for row in rows}) > 1 else []),
            *([Column("pool", "POOL", absent="all")] if any(row["pool"] for row in rows) else []),
            Column("text", "TEXT"),
            *([Column("by", "BY", absent="")] if any(row["by"] for row in rows) else []),
            *([Column("removed", "REMOVED", written, absent="", left=True)] if any(r["removed"] for r in rows) else []),
        ]
    show(rows, columns, shape, heading or ("" if rows else "nothing was noted of that"))


def _row(one: "Note") -> dict[str, Any]:
    values = (one.id, of_us(one.since), of_us(one.until), list(one.nodes), one.pool, one.text, one.by, one.told)
    return dict(zip(_NAMES, (*values, one.removed, one.removed_by), strict=True))


def _when(begin: datetime, end: datetime, zone: "ZoneInfo") -> str:
    """A moment, or from when to when: `2026-11-23 14:00:00 .. 14:20:00 +01:00`."""
    first, last = render(begin, zone), render(end, zone)
    if first == last:
        return first
    same = first[:10] == last[:10] and first[19:] == last[19:]
    return f"{first[:19]} .. {last[11:]}" if same else f"{first} .. {last}"


def _words(row: dict[str, Any]) -> str:
    """A note's text in a table: line breaks are blanks there."""
    return "(erased)" if row["text"] is None else re.sub(r"\s+", " ", row["text"])
