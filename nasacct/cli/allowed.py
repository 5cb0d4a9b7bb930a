"""Allowed: who may mount what, by what osctl-exportfs's configuration says here and now; nothing of it is kept."""

import dataclasses
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasacct.cli.answer import Column, Form, show
from nasacct.errors import NO_INPUT, NasacctError
from nasacct.times import us

if TYPE_CHECKING:
    from nasacct.collect.machine import Listing
    from nasacct.config import Config
    from nasacct.store.inventory import Inventory


def allowed(settings: "Config", known: "Inventory", names: list[str], shape: Form) -> None:
    """Print whom the servers of these names (none: all) let mount their exports, and whose those are.

    NasacctError when no such server lives here.
    """
    from nasacct.collect import servers

    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    listing = servers.configured(boot_id, settings.servers).read()
    lacking = set(names) - {server.name for server in listing.servers}
    if lacking:
        raise NasacctError(f"no server {min(lacking)} lives here; `nasacct doctor` says what is found", NO_INPUT)
    found = list(rows(listing, settings.node, known, names, us(datetime.now(UTC))))
    columns = [
        Column("server", "SERVER"),
        Column("path", "EXPORT"),
        Column("host", "ALLOWED"),
        Column("access", "ACCESS"),
        Column("vps", "VPS", absent=""),
        Column("consumer", "CONSUMER", absent=""),
        Column("owner", "OWNER", absent=""),
    ]
    heading = "no server here says whom it lets mount; osctl-exportfs's are read (servers.exportfs)"
    show(found, columns, shape, heading if not found else "as osctl-exportfs's configuration says now")


def rows(
    listing: "Listing", node: str, known: "Inventory", names: Collection[str], now_us: int
) -> Iterator[dict[str, Any]]:
    """What each export of servers of these names (none: all) allows to whom, and whose it is now (µs of UTC)."""
    from nasacct.reports.whose import Clients

    clients = Clients(known)
    for server in listing.servers:
        for export in server.exports if not names or server.name in names else ():
            options = export.options.split(",")
            access = next((each for each in ("rw", "ro") if each in options), None)
            said = {"server": server.name, "path": export.path, "host": _host(export.host), "access": access}
            yield said | dataclasses.asdict(clients.of(node, server.name, str(said["host"]), now_us))


def _host(text: str) -> str:
    """One address without the length of its prefix; what is none, as it is."""
    try:
        network = ip_network(text)
    except ValueError:
        return text
    return str(network.network_address) if network.num_addresses == 1 else text
