"""Owners: whose something was at each moment, by what the inventory says.

The *owner* of what was moved is the member of the export, the *consumer* the member of the VPS that moved it.
"""

from __future__ import annotations

import json
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, NamedTuple, Protocol

from nasacct.reports.breakdown import pair
from nasacct.reports.exports import Exports, Folded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nasacct.store.inventory import Interval, Inventory

#: What an address is: a VPS's, nobody's as a hypervisor's own, or one that nobody is known of.
VPS, SHARED, ADDRESS = "vps", "shared", "address"


class Owners(Protocol):
    """Tells whose a node's server, or what a client moved, is."""

    def of(self, node: str, who: str, moment: int) -> str:
        """Its owner at a moment (µs of UTC), as a key of the answer; '' where nobody is known."""
        ...

    def changes(self, node: str, who: str, lo: int, hi: int) -> list[int]:
        """The moments between `lo` and `hi` at which it came to another one, in their order."""
        ...


class ByMember:
    """The members whose exports servers showed; of a member that was merged into another one, that one."""

    def __init__(self, known: Inventory) -> None:
        self._exports, self._merges = Exports(known), known.merges()

    def of(self, node: str, who: str, moment: int) -> str:
        """See `Owners.of`."""
        return self._exports.member(node, who, moment)

    def changes(self, node: str, who: str, lo: int, hi: int) -> list[int]:
        """See `Owners.changes`."""
        return changed(self, (node, who), (lo, hi), self._exports.edges(node, who) | self._merges)


class ByExport:
    """The exports that servers showed, as people follow them (`exports.Folded`), by their keys."""

    def __init__(self, known: Inventory) -> None:
        self._exports = Exports(known)
        self.folded = Folded(self._exports)

    def of(self, node: str, who: str, moment: int) -> str:
        """See `Owners.of`."""
        shown = self._exports.at(node, who, moment)
        return self.folded.key(shown) if shown else ""

    def changes(self, node: str, who: str, lo: int, hi: int) -> list[int]:
        """See `Owners.changes`."""
        return changed(self, (node, who), (lo, hi), self._exports.edges(node, who))


class Whose(NamedTuple):
    """Whose an address is: its `kind` (VPS, SHARED, ADDRESS), the VPS, and the VPS's member as far as known."""

    kind: str
    vps: str | None = None
    consumer: str | None = None


class Addresses:
    """Tells whose an address is: of prefixes that somebody is known of then, the longest counts."""

    def __init__(self, known: Inventory) -> None:
        self._known = known
        self._prefixes: dict[tuple[int, int], dict[int, Sequence[Interval]]] = {}
        for prefix, intervals in known.things("address").items():
            net = ip_network(prefix)
            beyond = net.max_prefixlen - net.prefixlen
            self._prefixes.setdefault((net.version, beyond), {})[int(net.network_address) >> beyond] = intervals
        self._spans: dict[str, list[tuple[int, int, str | None]]] = {}

    def at(self, address: str, moment: int) -> Whose:
        """Whose it is at a moment (µs of UTC)."""
        spans = (span for span in self._of(address) if span[0] <= moment < span[1])
        _, _, vps = next(spans, (0, 0, ""))
        if not vps:
            return Whose(ADDRESS if vps == "" else SHARED)
        member = (self._known.at("vps", vps, moment) or {}).get("member")
        return Whose(VPS, vps, self._known.member(member, moment) if member else None)

    def edges(self, address: str) -> set[int]:
        """The moments (µs of UTC) at which it, or its VPS, may have come to somebody else, but for members' merges."""
        spans = self._of(address)
        vpses = {vps for _, _, vps in spans if vps}
        return {at for span in spans for at in span[:2]} | {
            at for vps in vpses for i in self._known.things("vps").get(vps, ()) for at in i[:2]
        }

    def _of(self, address: str) -> list[tuple[int, int, str | None]]:
        """Since when, until when and of which VPS the prefixes with the address are, the longest first."""
        if address not in self._spans:
            try:
                found = ip_address(address)
            except ValueError:
                # an id whose address is forgotten
                return []
            # by the length of what is beyond the prefix: a thousand addresses are not compared with as many prefixes
            self._spans[address] = [
                (since, until, said.get("vps"))
                for (version, beyond), prefixes in sorted(self._prefixes.items())
                if version == found.version
                for since, until, said in prefixes.get(int(found) >> beyond, ())
            ]
        return self._spans[address]


class ByConsumer:
    """Who moved something over whose export: the client if it is to be told (`clients`), its VPS, both members.

    `addresses` are those of each node by their ids. '' is what is no client's.
    """

    def __init__(self, known: Inventory, addresses: Mapping[str, Mapping[str, str]], *, clients: bool) -> None:
        self._exports, self._owners, self._merges = Exports(known), Addresses(known), known.merges()
        self._addresses, self._clients = addresses, clients

    def of(self, node: str, who: str, moment: int) -> str:
        """See `Owners.of`; `told` reads it."""
        if not who:
            return ""
        server, client = pair(who)
        address = self.address(node, client)
        whose = self._owners.at(address, moment)
        told = client if self._clients else address if whose.kind == ADDRESS else ""
        return json.dumps([told, *whose, self._exports.member(node, server, moment) or None])

    def changes(self, node: str, who: str, lo: int, hi: int) -> list[int]:
        """See `Owners.changes`."""
        if not who:
            return []
        server, client = pair(who)
        edges = self._owners.edges(self.address(node, client)) | self._exports.edges(node, server) | self._merges
        return changed(self, (node, who), (lo, hi), edges)

    def address(self, node: str, client: str) -> str:
        """The client's address, its id where that is not known."""
        return self._addresses.get(node, {}).get(client, client)


def told(key: str) -> tuple[str, Whose, str | None]:
    """The client or address that a key of `ByConsumer` tells, '' none; whose it is; and the owner of the export."""
    if not key:
        return "", Whose(""), None
    who, kind, vps, consumer, owner = json.loads(key)
    return who, Whose(kind, vps, consumer), owner


def changed(owners: Owners, thing: tuple[str, str], span: tuple[int, int], edges: Iterable[int]) -> list[int]:
    """Those of the edges in the span at which the thing of a node changes hands."""
    return [at for at in sorted(edges) if span[0] < at < span[1] and owners.of(*thing, at) != owners.of(*thing, at - 1)]
