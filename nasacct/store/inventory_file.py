"""An inventory written by hand: a TOML or CSV file of members, VPSes, addresses and exports.

    [[member]]
    id = "1001"
    name = "..."

    [[vps]]
    id = "21"
    member = "1001"
    addresses = ["192.0.2.21", "2001:db8:0:21::/64"]
    since = 2026-10-15 12:00:00          # in the configured zone unless it says another

    [[address]]                          # of a hypervisor: nobody's
    id = "192.0.2.9"

    [[export]]
    id = "123"                           # `server` is called the same unless it says otherwise
    dataset = "1001/photos"
    member = "1001"

CSV has the columns kind and id, and any of the properties, since and until, as `nasacct inventory history --csv` shows
them; what is empty is not said.

Without `since` a thing that was not known has always been so, and one that was known is so from now on if it differs.
`until` says when it ended. What the file does not name stays as it is.
"""

from __future__ import annotations

import csv
import io
import tomllib
from datetime import date, datetime, time
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from nasacct.errors import DATA, NasacctError
from nasacct.store.inventory import EVER, PROPERTIES, Statement
from nasacct.times import us

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

    from nasacct.store.inventory import Inventory, Kind, Properties

_TIMES = ("since", "until")
#: With what a text begins that a spreadsheet would calculate.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class _WrongError(ValueError):
    """What is wrong with an entry."""


def statements(text: str, called: str, before: Inventory, now: datetime, zone: ZoneInfo) -> list[Statement]:
    """What the file tells beyond what is known `before`. NasacctError that names the entry which is wrong."""
    found: list[Statement] = []
    for kind, entries in (_csv(text, called) if text.lstrip().startswith("kind,") else _toml(text, called)).items():
        if kind not in PROPERTIES:
            raise NasacctError(f"{called}: there is no [[{kind}]]; write {_kinds()}", DATA)
        for number, entry in enumerate(entries if isinstance(entries, list) else [entries], 1):
            try:
                told = list(_of(kind, entry, zone))
            except _WrongError as error:
                raise NasacctError(f"{called}: {kind} number {number}: {error}", DATA) from None
            for one, name, properties, since, until in told:
                found += _told(before, (one, name), properties, (since, until), now)
    return found


def _toml(text: str, called: str) -> dict[str, Any]:
    """The entries by kind."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise NasacctError(f"{called} is not valid TOML: {error}; mend that line", DATA) from None


def _csv(text: str, called: str) -> dict[str, Any]:
    """The same of a table, where every field is a text."""
    found: dict[str, Any] = {}
    rows = csv.DictReader(io.StringIO(text.lstrip(), newline=""), strict=True)
    try:
        for row in rows:
            entry = {name: _plain(value) for name, value in _whole(row, rows.line_num).items() if value}
            kind = entry.pop("kind", "")
            found.setdefault(kind, []).append(entry | {name: _said_at(entry[name]) for name in _TIMES if name in entry})
    except (csv.Error, ValueError) as error:
        raise NasacctError(f"{called} is no table that can be read: {error}; mend that line", DATA) from None
    return found


def _whole(row: dict[Any, Any], line: int) -> dict[str, str]:
    """The row, if it has as many fields as there are columns; ValueError."""
    if None in row or None in row.values():
        raise ValueError(f"line {line} has not as many fields as there are columns")
    return row


def _plain(value: str) -> str:
    """A field without the apostrophe that keeps a spreadsheet from calculating it."""
    return value[1:] if value[:1] == "'" and value[1:2] in _FORMULA else value


def _said_at(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time; write it as 2026-10-15 12:00:00") from None


def network(text: str) -> str:
    """An address or prefix as it is known by: `192.0.2.7/32`, `2001:db8::/64`. ValueError when it is none."""
    return str(ip_network(text.strip()))


def _of(kind: Kind, entry: Any, zone: ZoneInfo) -> Iterator[tuple[Kind, str, Properties, int | None, int | None]]:
    """The things that an entry names, what they are, from when on and until when."""
    if not isinstance(entry, dict):
        raise _WrongError(f"it is no table; write [[{kind}]]")
    known = ("id", *PROPERTIES[kind], *(["addresses"] if kind == "vps" else []), *_TIMES)
    for name in entry:
        if name not in known:
            raise _WrongError(f"it has no {name!r}, but {', '.join(known)}")
    for name in entry.keys() - {"addresses", *_TIMES}:
        if not isinstance(entry[name], str) or not entry[name]:
            raise _WrongError(f"{name} = {entry[name]!r} is no text; write it in quotation marks")
    if "id" not in entry:
        raise _WrongError("it has no id")
    since, until = (_moment(entry.get(name), name, zone) for name in _TIMES)
    if since is not None and until is not None and since >= until:
        raise _WrongError("it ends before it begins; exchange since and until")
    name = _network(entry["id"]) if kind == "address" else entry["id"]
    properties = {n: entry[n] for n in PROPERTIES[kind] if n in entry}
    if kind == "export":
        properties.setdefault("server", name)
    yield kind, name, properties, since, until
    addresses = entry.get("addresses", [])
    if not isinstance(addresses, list):
        raise _WrongError('addresses is no list; write it as ["192.0.2.7"]')
    for address in addresses:
        yield "address", _network(address), {"vps": name}, since, until


def _told(
    before: Inventory,
    thing: tuple[Kind, str],
    properties: Properties,
    span: tuple[int | None, int | None],
    now: datetime,
) -> Iterator[Statement]:
    since, until = span
    told = int(now.timestamp())
    if since is None:
        since = EVER[0]
        if before.things(thing[0]).get(thing[1]):
            since = us(now)
            if before.at(*thing, since) == properties or (until is not None and until <= since):
                since = None
    if since is not None:
        yield Statement(*thing, since, properties, told)
    if until is not None:
        yield Statement(*thing, until, None, told)


def _network(text: Any) -> str:
    try:
        return network(str(text))
    except ValueError as error:
        raise _WrongError(f"{error}; write an address, or a prefix such as 2001:db8::/64") from None


def _moment(value: Any, name: str, zone: ZoneInfo) -> int | None:
    """The moment in µs of UTC that a date or time of TOML means."""
    if value is None:
        return None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if not isinstance(value, datetime):
        raise _WrongError(f"{name} = {value!r} is no time; write it as 2026-10-15 12:00:00, without quotation marks")
    at = value if value.tzinfo else value.replace(tzinfo=zone)
    return us(at)


def _kinds() -> str:
    return ", ".join(f"[[{kind}]]" for kind in PROPERTIES)
