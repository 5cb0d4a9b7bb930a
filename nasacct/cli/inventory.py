"""`nasacct inventory`: who owns what, and since when."""

from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nasacct.cli.allowed import allowed
from nasacct.cli.answer import Column, Form, form, show
from nasacct.cli.options import ConfigFile, Csv, Json, Root, Since, configured, content, moment
from nasacct.errors import (
    CONFIG,
    DATA,
    IO,
    NO_INPUT,
    OK,
    PERMISSION,
    TEMPORARY,
    UNAVAILABLE,
    USAGE,
    NasacctError,
    of_os,
)
from nasacct.times import of_us, render, us
from nasacct.units import in_bytes

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from nasacct.config import Config
    from nasacct.store.inventory import Inventory, Statement

EXAMPLES = {
    "nasacct inventory read inventory.toml": "tell the store who owns what, as a file written by hand says",
    "nasacct inventory sync": "tell it what vpsAdmin's API says now",
    "nasacct inventory merge 1001 1002": "from now on, what is of member 1001 is of 1002",
    "nasacct inventory show": "who owns what now",
    "nasacct inventory history export 123": "what is known of one export, from when on",
    "nasacct inventory missing --since yesterday": "who used the NAS and is not in it",
    "nasacct inventory allowed 123": "who may mount what a server here shows",
}
STATUSES = (OK, USAGE, DATA, NO_INPUT, UNAVAILABLE, IO, TEMPORARY, PERMISSION, CONFIG)
#: What may be known of a thing, in the order in which it is told.
_NAMES = ("name", "dataset", "dataset_id", "snapshot", "pool", "server", "address", "node", "vps", "member", "into")
#: For how long what is missing is looked for.
_RECENT = timedelta(days=30)
#: More than the inventory of ten thousand members.
_LIMIT = 64 << 20


class Action(Enum):
    """What is done."""

    read = "read"
    sync = "sync"
    merge = "merge"
    show = "show"
    history = "history"
    missing = "missing"
    allowed = "allowed"


def inventory(
    action: Annotated[
        Action, typer.Argument(metavar="ACTION", help="read, sync, merge, show, history, missing or allowed.")
    ],
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="WORD",
            help="Of read a file (-: standard input), of merge two members, of allowed servers, else a kind and an id.",
        ),
    ] = None,
    since: Since = None,
    remember: Annotated[
        list[str] | None,
        typer.Option("--remember", metavar="MEMBER", help="With read or sync: know a member again who was forgotten."),
    ] = None,
    root: Root = None,
    config: ConfigFile = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> int:
    """Say who owns what, and since when.

    It knows members, VPSes, their addresses, and exports. Nothing that was told is ever changed: what changes hands is
    told again from a moment on, and usage before and after is each one's. docs/inventory.md shows the file.
    A member who was forgotten is not told again unless --remember names them.
    `missing` lists the servers and addresses that used the NAS in the last 30 days, or since --since, but are nobody's
    that is known. `allowed` says whom the servers of this machine let mount their exports now, and whose those are.
    """
    shape = form(as_json=as_json, as_csv=as_csv)
    if since and action not in (Action.missing, Action.merge):
        raise NasacctError("--since goes with missing and merge alone; leave it out", USAGE)
    if remember and action not in (Action.read, Action.sync):
        raise NasacctError("--remember goes with read and sync alone; leave it out", USAGE)
    settings = configured(config, root)
    from nasacct.store import forgotten
    from nasacct.store import inventory as store
    from nasacct.store.personal import left_out
    from nasacct.store.root import existing

    zone, now, asked = settings.tz, datetime.now(UTC), words or []
    existing(settings.root)
    try:
        before = store.read(settings.root)
        found = None
        if action is Action.read:
            found = _read(asked, before, now, zone)
        elif action is Action.sync:
            found = _synced(asked, settings, before, now)
        elif action is Action.merge:
            found = _merged(asked, before, now, moment(since, zone, "--since") or now)
        if found is not None:
            if remember:
                _remembered(settings.root, remember, now)
            found, gone = left_out(found, before, forgotten.read(settings.root).keys())
            for member in sorted(gone):
                print(f"member {member} was forgotten and is left out; --remember {member} tells of them again")
            told = store.tell(settings.root, found)
            new = len(told.statements) - len(before.statements)
            print(f"{new} new statement{'s' * (new != 1)}" if new else "nothing is new")
            return OK
    except OSError as error:
        raise of_os(error, f"reading or writing the inventory of {settings.root}") from None
    if action is Action.allowed:
        allowed(settings, before, asked, shape)
        return OK
    if action is Action.missing:
        if asked:
            raise NasacctError("missing lists all there are; leave out what stands behind it", USAGE)
        _missing(settings.root, moment(since, zone, "--since") or now - _RECENT, shape)
        return OK
    if len(asked) > 2 or (asked and asked[0] not in store.PROPERTIES):
        raise NasacctError(f"name a kind ({', '.join(store.PROPERTIES)}), and then an id", USAGE)
    rows = _rows(before, asked, None if action is Action.history else us(now))
    if shape is Form.TABLE:
        rows = [row | {"is": _words(row)} for row in rows]

    def written(at: datetime) -> str:
        return render(at, zone)

    columns = [
        Column("kind", "KIND"),
        Column("id", "ID"),
        Column("is", "IS"),
        Column("since", "SINCE", written, absent="always", left=True),
    ]
    if action is Action.history:
        columns.append(Column("until", "UNTIL", written, absent="-", left=True))
    show(rows, columns, shape, "" if rows else "the inventory says nothing of that; `nasacct inventory read` tells it")
    return OK


def _read(asked: list[str], before: "Inventory", now: datetime, zone: "ZoneInfo") -> "list[Statement]":
    from nasacct.store.inventory_file import statements

    if len(asked) != 1:
        raise NasacctError("name one file to read, or - for standard input", USAGE)
    named, read = content(Path(asked[0]), _LIMIT, "is longer than any inventory; name another file")
    try:
        return statements(read.decode(), named, before, now, zone)
    except UnicodeDecodeError as error:
        raise NasacctError(f"{named} is not UTF-8 text at byte {error.start}; an inventory is TOML", DATA) from None


def _synced(asked: list[str], settings: "Config", before: "Inventory", now: datetime) -> "list[Statement]":
    from nasacct.collect import vpsadmin

    if asked:
        raise NasacctError("sync asks for everything; leave out what stands behind it", USAGE)
    if settings.vpsadmin.url is None:
        raise NasacctError("nobody is there to ask; say vpsadmin.url in the configuration", CONFIG)
    api = vpsadmin.Api(settings.vpsadmin.url, settings.vpsadmin.token_file)
    return vpsadmin.statements(before, vpsadmin.seen(api), now)


def _merged(asked: list[str], before: "Inventory", now: datetime, since: datetime) -> "list[Statement]":
    from nasacct.store.inventory import Statement

    if len(asked) != 2:
        raise NasacctError("name two members, the second of which both are from then on", USAGE)
    at = us(since)
    known = [before.at("member", name, at) for name in asked]
    for name, properties in zip(asked, known, strict=True):
        if properties is None:
            raise NasacctError(f"no member {name} is known then; `nasacct inventory show member` lists them", USAGE)
    if before.member(asked[1], at) == asked[0]:
        raise NasacctError(f"{asked[1]} is part of {asked[0]}; name another member", USAGE)
    return [Statement("member", asked[0], at, {**(known[0] or {}), "into": asked[1]}, int(now.timestamp()))]


def _remembered(root: Path, members: list[str], now: datetime) -> None:
    """Note that these members may be known again."""
    from nasacct.store import forgotten
    from nasacct.store.inventory import being_told

    with being_told(root):
        known = forgotten.read(root)
        for member in members:
            if member not in known:
                raise NasacctError(f"member {member} was not forgotten; leave --remember {member} out", USAGE)
            forgotten.note(root, member, now.replace(microsecond=0), remembered=True)


def _missing(root: Path, since: datetime, shape: Form) -> None:
    from nasacct.reports.missing import missing

    rows = missing(root, since)
    columns = [Column("kind", "KIND"), Column("id", "ID"), Column("node", "NODE"), Column("bytes", "MOVED", in_bytes)]
    show(rows, columns, shape, "" if rows else "of all that used the NAS since then somebody is known")


def _words(row: dict[str, Any]) -> str:
    """What a thing is, for people."""
    said = [f"{name.replace('_', ' ')} {row[name]}" for name in _NAMES if row[name] is not None]
    if row["kind"] == "address" and row["vps"] is None:
        said.insert(0, "shared")
    return ", ".join(said) or "-"


def _rows(known: "Inventory", asked: list[str], moment: int | None) -> list[dict[str, Any]]:
    """What is known of the things asked for: of a moment (µs of UTC), or of all times."""
    from nasacct.store.inventory import EVER, PROPERTIES

    found = []
    for kind in PROPERTIES:
        for name, intervals in sorted(known.things(kind).items()):
            if asked and asked != [kind, name][: len(asked)]:
                continue
            found += [
                {
                    "kind": kind,
                    "id": name,
                    **{key: interval.properties.get(key) for key in _NAMES},
                    "since": None if interval.since == EVER[0] else of_us(interval.since),
                    "until": None if interval.until == EVER[1] else of_us(interval.until),
                }
                for interval in intervals
                if moment is None or interval.since <= moment < interval.until
            ]
    return found
