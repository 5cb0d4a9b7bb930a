"""`nasacct member`: what is known of one member, given to them or forgotten."""

import os
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nasacct.cli.answer import Column, form, show
from nasacct.cli.options import ConfigFile, Csv, Json, Root, configured
from nasacct.errors import (
    CANT_CREATE,
    CONFIG,
    DATA,
    IO,
    NO_INPUT,
    OK,
    PERMISSION,
    TEMPORARY,
    USAGE,
    NasacctError,
    of_os,
)
from nasacct.units import in_count

if TYPE_CHECKING:
    from nasacct.store.forgetting import Plan
    from nasacct.store.tree import Tree

EXAMPLES = {
    "nasacct member export 1001 --out 1001.json": "everything that is known of member 1001, by month",
    "nasacct member export 1001 --step 1h": "the same by the hour, as long as there is any",
    "nasacct member forget 1001 --dry-run": "what would go if member 1001 were forgotten",
    "nasacct member forget 1001 --yes": "forget them without asking",
}
STATUSES = (OK, USAGE, DATA, NO_INPUT, CANT_CREATE, IO, TEMPORARY, PERMISSION, CONFIG)


class Action(Enum):
    """What is done."""

    export = "export"
    forget = "forget"


def member(
    action: Annotated[Action, typer.Argument(metavar="ACTION", help="export or forget.")],
    who: Annotated[str, typer.Argument(metavar="ID", help="The member's id in the inventory.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Export into this file. [default: standard output]")
    ] = None,
    step: Annotated[
        str | None, typer.Option("--step", metavar="LENGTH", help="Export usage by 5m, 1h, 1d. [default: by month]")
    ] = None,
    dry: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    root: Root = None,
    config: ConfigFile = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> int:
    """Export all that is known of a member, or forget them.

    `export` writes JSON: what the inventory says of them, and the usage of their exports and VPSes while those were
    theirs. `forget` erases their names, their VPSes, addresses and datasets, and every row of clients that were theirs
    alone. Sums of servers, and by member's number, stay what they were. docs/privacy.en.md says what stays, and why.
    `forget` is refused while a keeper runs. What a collector is writing just then goes when it begins its next file.
    """
    shape = form(as_json=as_json, as_csv=as_csv)
    settings = configured(config, root)
    if action is Action.export:
        if dry or yes:
            raise NasacctError("--dry-run and --yes go with forget; leave them out", USAGE)
        return _exported(settings, who, out, step)
    if out or step:
        raise NasacctError("--out and --step go with export; leave them out", USAGE)
    from nasacct.store import forgetting
    from nasacct.store.mentions import mentions

    try:
        todo = forgetting.plan(settings.root, who)
        for command in mentions(settings.root, who):
            print(f"words that may name them stay unless you erase them: {command}", file=sys.stderr)
        rows = _rows(settings.root, todo)
        show(
            rows,
            [Column("node", "NODE", absent="-"), Column("what", "WHAT"), Column("count", "COUNT", in_count)],
            shape,
        )
        if dry:
            return OK
        if not yes and not _agreed(who):
            raise NasacctError("nothing was forgotten; say --yes to have it done without a question", USAGE)
        _forget(settings.root, who)
    except OSError as error:
        raise of_os(error, f"forgetting member {who} in {settings.root}") from None
    return OK


def _rows(root: Path, todo: "Plan") -> list[dict[str, Any]]:
    """What is to go, and how much of it."""
    from nasacct.store import strikes, striking
    from nasacct.store.segments import SegmentError
    from nasacct.store.tree import trees

    rows: list[dict[str, Any]] = [{"node": None, "what": "statements of the inventory", "count": todo.changed}]
    for tree in trees(root):
        clients = todo.clients.get(tree.node, frozenset())
        clients |= {each for strike in strikes.ordered(tree.folder).values() for each in strike.clients}
        rows.append({"node": tree.node, "what": "addresses of clients", "count": len(clients)})
        try:
            found = striking.rows(tree, clients) if clients else {}
        except SegmentError as error:
            raise NasacctError(f"{error}; `nasacct check --repair` mends that", DATA) from None
        rows += [{"node": tree.node, "what": f"rows: {name}", "count": count} for name, count in found.items() if count]
    if todo.shared:
        rows.append({"node": None, "what": "addresses that stay: also another member's", "count": todo.shared})
    return rows


def _agreed(who: str) -> bool:
    """Whether whoever sits there wants it."""
    if not sys.stdin.isatty():
        return False
    return input(f"Forget member {who}? That cannot be undone. Write the id to go on: ").strip() == who


def _forget(root: Path, who: str) -> None:
    """Forget a member; every tree's lock is held before anything is written."""
    from nasacct.collect import logs
    from nasacct.store import forgetting, striking
    from nasacct.store.copies import copied
    from nasacct.store.expiry import clean
    from nasacct.store.newer import refuse_newer
    from nasacct.store.root import lock
    from nasacct.store.segments import SegmentError
    from nasacct.store.tree import trees

    logs.begin()
    mine: list[Tree] = trees(root)
    with ExitStack() as given_back:
        for tree in mine:
            refuse_newer(tree)
            role = "keep" if copied(tree.folder) is None else "pull"
            given_back.enter_context(lock(root, tree.node, role))
            clean(tree)
        forgetting.forget(root, who, datetime.now(UTC))
        waiting = []
        for tree in mine:
            try:
                waiting += [] if striking.strike(tree) else [tree.node]
            except SegmentError as error:
                raise NasacctError(
                    f"{error}; mend it with `nasacct check --repair`, then run this again to go on", DATA
                ) from None
    for node in waiting:
        print(
            f"node {node}: what is written to the journal just now goes when the next file of it is begun; `nasacct "
            "keep` does it, and until then nobody is shown it",
            file=sys.stderr,
        )


def _exported(settings: Any, who: str, out: Path | None, step: str | None) -> int:
    """Write everything that is known of a member."""
    from nasacct.reports.member import exported

    text = exported(settings.root, who, step, settings.tz, settings.store.ring_dir)
    if out is None:
        print(text)
        return OK
    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - of a descriptor: for nobody else to read
            file.write(text + "\n")
    except OSError as error:
        raise of_os(error, f"writing {out}") from None
    return OK
