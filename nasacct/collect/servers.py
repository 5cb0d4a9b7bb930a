"""All servers of the host: what each way of discovery found, with nobody twice."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from nasacct.collect.exportfs import Exportfs
from nasacct.collect.machine import Listing, Server
from nasacct.collect.namespaces import Namespaces
from nasacct.collect.static import Static

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nasacct.config.tables import Servers as Settings

#: The name that osctl-exportfs gives a namespace for the moment until it is in it and takes the name away.
_PASSING = re.compile("[0-9a-f]{6}")


class Discovery(Protocol):
    """One way to find servers."""

    def read(self) -> Listing:
        """Who lives now. Never raises."""
        ...


class Servers:
    """Combines ways of discovery; the earlier one wins where two find the same namespace.

    Two servers of one name in different namespaces both stay: the later one's name gets the way it was found behind
    it, `123 (netns)`, so that neither is counted as the other.
    """

    def __init__(self, ways: Sequence[Discovery]) -> None:
        self._ways = ways

    def read(self) -> Listing:
        """Who lives now; complete only if every way was."""
        servers: dict[str, Server] = {}
        taken: set[object] = set()
        complete, notes = True, list[str]()
        for way in self._ways:
            listing = way.read()
            complete &= listing.complete
            notes += listing.notes
            for server in listing.servers:
                namespace = server.about.get("netns")
                if server.epoch in taken or (namespace is not None and namespace in taken):
                    continue
                taken |= {server.epoch, namespace}
                named = server
                if server.name in servers:
                    named = replace(server, name=f"{server.name} ({server.about.get('found')})")
                    notes.append(f"two servers are named {server.name}; one is listed as {named.name}")
                servers[named.name] = named
        return Listing(tuple(servers.values()), complete, tuple(notes))


def configured(boot_id: str, settings: Settings) -> Servers:
    """The ways of discovery that the configuration asks for; what osctl-exportfs says goes before all others."""
    ways: list[Discovery] = []
    state = settings.exportfs
    if state is not None:
        ways.append(Exportfs(boot_id, state))
    if settings.static:
        ways.append(Static(boot_id, settings.static, settings.counter))
    if settings.namespaces:

        def passing(name: str) -> bool:
            return _PASSING.fullmatch(name) is not None and state is not None and Path(state).is_dir()

        ways.append(Namespaces(boot_id, counter=settings.counter, passing=passing))
    return Servers(ways)
