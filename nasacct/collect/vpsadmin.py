"""vpsAdmin's API: who its members are, which VPSes, addresses and exports are theirs.

HaveAPI over HTTP: `GET URL/exports?export[limit]=N&export[from_id]=LAST` is answered with
`{"status": true, "response": {"exports": [...]}}`, or with `"status": false` and a `message`. Rows come in the order of
their ids; another resource in a row is `{"id": 7, "name": ...}` or null. (github.com/vpsfreecz/vpsadmin,
api/lib/vpsadmin/api/resources)
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from datetime import datetime
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

from nasacct.errors import CONFIG, DATA, UNAVAILABLE, NasacctError, of_os
from nasacct.store.inventory import BY_HAND, EVER, PROPERTIES, Statement
from nasacct.store.inventory_file import network
from nasacct.times import us

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from nasacct.store.inventory import Inventory, Kind, Properties

#: Who tells what is told from here, and what it calls the addresses of exports' servers.
BY, EXPORTS = "vpsadmin", "exports"
#: Rows of a page; how long an answer may take; how often a page is asked for, and how long to wait in between.
_PAGE, _TIMEOUT_S, _TRIES, _PAUSE_S = 500, 30.0, 3, 2.0
#: More rows than there are of anything.
_ALL = 1_000_000
#: More than any page has.
_MOST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Seen:
    """What a thing is now, and since when it is there (µs of UTC) if that is known."""

    properties: Properties
    since: int | None = None


@dataclass(slots=True)
class Api:
    """The API at `url`, asked with the token that stands in a file."""

    url: str
    token_file: Path | None = None
    pause: Callable[[float], None] = time.sleep
    page: int = _PAGE
    _token: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        parts = urllib.parse.urlsplit(self.url)
        if parts.scheme not in ("http", "https"):
            raise NasacctError(f"{self.url!r} is no address of an API; say vpsadmin.url, such as https://...", CONFIG)
        if self.token_file is None:
            return
        if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
            raise NasacctError(f"the token would be heard by everybody on the way to {self.url}; say https://", CONFIG)
        try:
            if self.token_file.stat().st_mode & 0o007:
                raise NasacctError(
                    f"everybody may read the token {self.token_file}; chmod o= {self.token_file}", CONFIG
                )
            self._token = self.token_file.read_text("ascii").strip()
        except UnicodeDecodeError:
            raise NasacctError(f"{self.token_file} holds no token; it is one line of text", CONFIG) from None
        except OSError as error:
            raise of_os(error, f"reading the token {self.token_file}") from None

    def every(self, resource: str, name: str) -> Iterator[dict[str, Any]]:
        """All rows of a resource, one of which is called `name`. NasacctError when not all can be had."""
        last = 0
        while True:
            query = urllib.parse.urlencode({f"{name}[limit]": self.page, f"{name}[from_id]": last})
            where = f"{self.url.rstrip('/')}/{resource}"
            rows = self._answer(f"{where}?{query}", where).get(resource)
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise NasacctError(f"{where} answers without a list of {resource}; is that vpsAdmin's API?", DATA)
            for row in rows:
                number = row.get("id")
                if not isinstance(number, int) or number <= last:
                    raise NasacctError(f"{where} answers with id {number!r} after {last}; nothing was told", DATA)
                last = number
                yield row
            if not rows:
                return

    def at_once(self, resource: str, name: str, **asked: str) -> list[dict[str, Any]]:
        """All rows of a resource that is not in the order of its ids, those that are `asked` for. As `every`."""
        said = {f"{name}[{key}]": value for key, value in asked.items()}
        query = urllib.parse.urlencode({f"{name}[limit]": _ALL, **said})
        where = f"{self.url.rstrip('/')}/{resource}"
        rows = self._answer(f"{where}?{query}", where).get(resource)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows) or len(rows) >= _ALL:
            raise NasacctError(f"{where} answers without a list of all {resource}; is that vpsAdmin's API?", DATA)
        return rows

    def _answer(self, address: str, where: str) -> dict[str, Any]:
        """The response of a page, asked for a few times; NasacctError."""
        why = ""
        for attempt in range(_TRIES):
            if attempt:
                self.pause(_PAUSE_S * attempt)
            try:
                return self._ask(address, where)
            except urllib.error.HTTPError as error:
                error.close()
                why = f"HTTP {error.code}"
                if error.code in (401, 403):
                    mend = f"is the token in {self.token_file} right?" if self.token_file else "say vpsadmin.token_file"
                    raise NasacctError(f"{where} refuses to answer ({why}); {mend}", CONFIG) from None
                if error.code < 500 and error.code != 429:
                    raise NasacctError(f"{where} cannot be asked ({why}); is vpsadmin.url right?", DATA) from None
            except (OSError, HTTPException) as error:
                why = str(getattr(error, "reason", error)) or type(error).__name__
        raise NasacctError(f"{where} cannot be asked ({why}); try again later", UNAVAILABLE)

    def _ask(self, address: str, where: str) -> dict[str, Any]:
        headers = {"Accept": "application/json", "User-Agent": "nasacct"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        request = urllib.request.Request(address, headers=headers)  # noqa: S310 - http and https alone, see above
        with _OPENER.open(request, timeout=_TIMEOUT_S) as stream:
            content = stream.read(_MOST_BYTES + 1)
        try:
            said: Any = json.loads(content) if len(content) <= _MOST_BYTES else None
            if said["status"] is not True:
                raise NasacctError(f"{where} refuses: {said.get('message')}; nothing was told", DATA)
            response = said["response"]
            response.items()
        except (ValueError, TypeError, KeyError, AttributeError):
            raise NasacctError(f"{where} answers what is no answer of HaveAPI; is vpsadmin.url right?", DATA) from None
        return dict(response)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Goes nowhere else: whoever answered there would be given the token."""

    def redirect_request(self, *_: Any) -> None:
        """Nothing: the redirection is the answer, and an error."""


_OPENER = urllib.request.build_opener(_NoRedirect)


def seen(api: Api) -> dict[tuple[Kind, str], Seen]:
    """Everything that the API knows now. NasacctError when not all can be had, or a row is none."""
    found: dict[tuple[Kind, str], Seen] = {}
    try:
        for row in api.every("users", "user"):
            found["member", str(row["id"])] = Seen(_said(name=row.get("login")))
        for row in api.every("vpses", "vps"):
            said = _said(name=row.get("hostname"), member=_id(row, "user"), node=_node(row.get("node")))
            found["vps", str(row["id"])] = Seen(said, _us(row.get("created_at")))
        vpses = {row["id"]: _id(row, "vps") for row in api.every("network_interfaces", "network_interface")}
        for row in api.every("nodes", "node"):
            if row.get("ip_addr"):
                found["address", network(row["ip_addr"])] = Seen(_said(name=_node(row)))
        for row in api.every("networks", "network"):
            if row.get("purpose") == "export":
                # servers' own addresses: nobody's but where a longer prefix is a VPS's
                found["address", network(f"{row['address']}/{row['prefix']}")] = Seen({"name": EXPORTS})
        for row in api.every("ip_addresses", "ip_address"):
            vps = vpses.get((row.get("network_interface") or {}).get("id"))
            if vps is not None:
                found["address", network(f"{row['addr']}/{row['prefix']}")] = Seen({"vps": vps})
        for row in api.every("exports", "export"):
            found["export", str(row["id"])] = Seen(_export(row), _us(row.get("created_at")))
        # those that members have on a NAS, in the order of their names
        for row in api.at_once("datasets", "dataset", role="primary"):
            found["dataset", str(row["id"])] = Seen(_said(name=row.get("name"), member=_id(row, "user")))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise NasacctError(f"{api.url} answers with a row that is none ({error!r}); nothing was told", DATA) from None
    return found


def statements(before: Inventory, now_seen: dict[tuple[Kind, str], Seen], now: datetime) -> list[Statement]:
    """What is to be told so that the inventory says what was seen now.

    What is new has been so since it was made, or for ever; what differs, and what is no more, is so from now on. What
    somebody told by hand stays until somebody tells it otherwise.
    """
    at, told = us(now), int(now.timestamp())
    found = []
    for (kind, name), thing in now_seen.items():
        known_by = before.told_by(kind, name, at)
        if known_by == BY_HAND or before.at(kind, name, at) == thing.properties:
            continue
        since = at if known_by else min(thing.since if thing.since is not None else EVER[0], at)
        found.append(Statement(kind, name, since, thing.properties, told, BY))
    for kind in PROPERTIES:
        for name in before.things(kind):
            there = before.at(kind, name, at) is not None
            if there and (kind, name) not in now_seen and before.told_by(kind, name, at) == BY:
                found.append(Statement(kind, name, at, None, told, BY))
    return found


def _export(row: dict[str, Any]) -> Properties:
    """What an export is; its server has its id for a name."""
    dataset, snapshot, address = (row.get(name) or {} for name in ("dataset", "snapshot", "host_ip_address"))
    return _said(
        server=row["id"],
        dataset=dataset.get("name"),
        dataset_id=dataset.get("id"),
        snapshot=snapshot.get("created_at", snapshot.get("id")),
        address=address.get("addr"),
        member=_id(row, "user"),
    )


def _node(row: dict[str, Any] | None) -> str | None:
    """What people call a node."""
    return None if row is None else row.get("domain_name") or row.get("name") or str(row["id"])


def _said(**properties: Any) -> Properties:
    return {name: str(value) for name, value in properties.items() if value is not None}


def _id(row: dict[str, Any], resource: str) -> str | None:
    """The id of another resource that a row names."""
    said = row.get(resource)
    return None if said is None else str(said["id"])


def _us(text: str | None) -> int | None:
    """A time of the API in µs of UTC."""
    return None if text is None else us(datetime.fromisoformat(text))
