"""What the inventory knows of one member, and what is left of it when they are forgotten.

Theirs are their own name; VPSes while they are the member's, with their names and addresses; the datasets of exports
while those are. Left is what sums by member are made of: which servers' exports were whose, by numbers, and merges.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from functools import cached_property
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from nasacct.store.inventory import EVER, Inventory, Statement

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

    from nasacct.store.inventory import Interval, Kind, Properties

    #: A thing of the inventory: its kind and id.
    Thing = tuple[Kind, str]


#: The things that are members' and have a dataset's name, and where it stands in them.
_CALLED: dict[Kind, str] = {"export": "dataset", "dataset": "name"}


@dataclass(frozen=True)
class Personal:
    """What is known of a member in an inventory."""

    known: Inventory
    member: str

    @cached_property
    def things(self) -> set[Thing]:
        """Everything that says anything of them: themselves, VPSes, addresses and exports that were theirs once."""
        found: set[Thing] = {("member", self.member)} if self._said("member", self.member) else set()
        for kind in ("vps", "address", "export", "dataset"):
            found |= {(kind, name) for name in self.known.things(kind) if self.member in self._owners(kind, name)}
        return found

    def spans(self, kind: Kind, name: str, interval: Interval) -> list[tuple[int, int]]:
        """From when to when (µs of UTC) a thing was the member's in one of its intervals."""
        if kind == "address":
            vps = self.known.things("vps").get(interval.properties.get("vps", ""), ())
            mine = [i for i in vps if i.properties.get("member") == self.member]
            both = [(max(i.since, interval.since), min(i.until, interval.until)) for i in mine]
            return [(since, until) for since, until in both if since < until]
        theirs = name == self.member if kind == "member" else interval.properties.get("member") == self.member
        return [interval[:2]] if theirs else []

    def paths(self, paths: Iterable[str]) -> set[str]:
        """Of these paths those of datasets that were theirs."""
        ends = tuple(f"/{dataset}" for dataset in self._datasets)
        return {path for path in paths if path.startswith("/") and path.removesuffix("/private").endswith(ends)}

    def addresses(self, addresses: Iterable[str]) -> tuple[set[str], set[str]]:
        """Of these addresses those that were theirs alone, and those that were another member's at another time."""
        mine: set[str] = set()
        ours: set[str] = set()
        for address in addresses:
            owners = self._owners_of(address)
            if self.member in owners:
                (ours if owners - {self.member} else mine).add(address)
        return mine, ours

    def left(self, others: Collection[str] = (), gone: Collection[str] = ()) -> list[Statement]:
        """The statements without what is theirs, and without what is told of the addresses that are `gone`.

        `others` are addresses that stay known. A prefix with one of these stays, but as nobody's, or that one would be
        taken for somebody's to whom a shorter prefix belongs.
        """
        alone = {thing for thing in self.things if thing[0] in ("vps", "address") and self._alone(*thing)}
        alone |= {("address", str(ip_network(address))) for address in gone}
        return list(self._left(alone, [ip_address(address) for address in others]))

    def _left(self, alone: set[Thing], others: Collection[IPv4Address | IPv6Address]) -> Iterator[Statement]:
        for statement in self.known.statements:
            kind, name, said = statement.kind, statement.id, statement.properties
            keeps = (kind, name) in self.things and kind == "address" and any(a in ip_network(name) for a in others)
            if (kind, name) in alone and not keeps:
                continue
            if said is not None and self._goes(statement):
                if kind == "member":
                    said = {key: said[key] for key in ("into",) if key in said}
                elif kind in ("export", "server"):
                    said = {key: value for key, value in said.items() if key != "dataset"}
                elif kind == "dataset":
                    continue
                else:
                    said = {} if keeps else None
            yield replace(statement, properties=said)

    def _goes(self, statement: Statement) -> bool:
        """Whether a statement says what is the member's, and nothing of another's."""
        kind, said = statement.kind, statement.properties or {}
        if kind == "member":
            return statement.id == self.member
        if kind == "server":
            return self._showed(statement)
        if kind == "dataset":
            mine = said.get("member") == self.member
            return mine or any(_within(said.get("name", ""), dataset) for dataset in self._datasets)
        if kind == "address":
            moments = self._moments[kind, statement.id]
            until = moments[bisect_right(moments, statement.at)]
            return self._vps_owners(said.get("vps"), statement.at, until) == {self.member}
        return said.get("member") == self.member

    def _showed(self, statement: Statement) -> bool:
        """Whether a server showed an export of theirs at any moment of which it is said."""
        moments = self._moments["server", statement.id]
        until = moments[bisect_right(moments, statement.at)]
        node, _, server = statement.id.partition("/")
        return any(
            interval.since < until and interval.until > statement.at and said.get("node", node) == node
            for intervals in self.known.things("export").values()
            for interval in intervals
            if (said := interval.properties).get("member") == self.member and said.get("server") == server
        )

    def _alone(self, kind: Kind, name: str) -> bool:
        """Whether a VPS or an address was never another member's, also by what was mended since."""
        told = [s for s in self.known.statements if (s.kind, s.id) == (kind, name) and s.properties]
        if kind == "vps":
            return {(s.properties or {}).get("member", self.member) for s in told} == {self.member}
        vpses = {(s.properties or {}).get("vps") for s in told}
        return all(self._vps_owners(vps, *EVER) <= {self.member} for vps in vpses)

    def _owners(self, kind: Kind, name: str) -> set[str]:
        return {owner for interval in self.known.things(kind)[name] for owner in self._of(kind, interval)}

    def _of(self, kind: Kind, interval: Interval) -> set[str]:
        """The members whose a thing was in an interval."""
        if kind == "address":
            return self._vps_owners(interval.properties.get("vps"), interval.since, interval.until)
        return {interval.properties["member"]} if "member" in interval.properties else set()

    def _vps_owners(self, vps: str | None, since: int, until: int) -> set[str]:
        """The members whose a VPS was between two moments."""
        intervals = self.known.things("vps").get(vps, ()) if vps is not None else ()
        return {
            interval.properties["member"]
            for interval in intervals
            if interval.since < until and interval.until > since and "member" in interval.properties
        }

    def _owners_of(self, address: str) -> set[str]:
        """The members whose an address ever was: of prefixes the longest counts."""
        try:
            found = ip_address(address)
        except ValueError:
            return set()
        covering = [(net, intervals) for net, intervals in self._prefixes if found in net]
        edges = {EVER[0]} | {i.since for _, intervals in covering for i in intervals}
        edges |= {i.until for _, intervals in covering for i in intervals}
        owners: set[str] = set()
        ordered = sorted(edges)
        for since, until in zip(ordered, [*ordered[1:], EVER[1]], strict=True):
            said = next((i.properties for _, all_ in covering for i in all_ if i.since <= since < i.until), None)
            owners |= self._vps_owners(said.get("vps"), since, until) if said else set()
        return owners

    @cached_property
    def _datasets(self) -> set[str]:
        """What datasets were called that, themselves or exports of them, were theirs alone, also by what was mended."""
        named = list(map(_named, self.known.statements))
        others = {name for name, member in named if member not in (None, self.member)}
        return {name for name, member in named if name and member == self.member} - others

    @cached_property
    def _prefixes(self) -> list[tuple[IPv4Network | IPv6Network, list[Interval]]]:
        """The prefixes that are known, the longest first."""
        every = [(ip_network(prefix), intervals) for prefix, intervals in self.known.things("address").items()]
        return sorted(every, key=lambda item: -item[0].prefixlen)

    @cached_property
    def _moments(self) -> dict[Thing, list[int]]:
        """Of each thing when something was told of it, ascending, and the end of time."""
        found: dict[Thing, list[int]] = {}
        for kind, name, at in self.known.said:
            found.setdefault((kind, name), [EVER[1]]).append(at)
        return {thing: sorted(moments) for thing, moments in found.items()}

    def _said(self, kind: Kind, name: str) -> bool:
        return any((s.kind, s.id) == (kind, name) for s in self.known.statements)


def left_out(
    found: Iterable[Statement], before: Inventory, forgotten: Collection[str]
) -> tuple[list[Statement], set[str]]:
    """Of what is about to be told what may be, for nobody who is forgotten comes back so; and who would have."""
    told = list(found)
    vpses = {s.id: (s.properties or {}).get("member", "") for s in told if s.kind == "vps"}
    datasets = {name: member for name, member in map(_named, told) if name and member and member in forgotten}
    stay: list[Statement] = []
    gone: set[Thing] = set()
    met: set[str] = set()
    for statement in told:
        said = statement.properties or {}
        who = said.get("member", "")
        if statement.kind == "member":
            who = statement.id
        elif statement.kind == "address":
            who = vpses.get(said.get("vps", ""), "")
        elif statement.kind == "dataset" and not who:
            who = next((datasets[name] for name in datasets if _within(said.get("name", ""), name)), "")
        if statement.properties is None or who not in forgotten:
            stay.append(statement)
            continue
        kept = _opaque(statement)
        if kept is None:
            gone.add((statement.kind, statement.id))
        if kept != said:
            met.add(who)
        if kept is not None and before.at(statement.kind, statement.id, statement.at) != kept:
            stay.append(replace(statement, properties=kept))
    # that they are no more would name them, too
    return [s for s in stay if s.properties is not None or (s.kind, s.id) not in gone], met


def _named(statement: Statement) -> tuple[str | None, str | None]:
    """The name of a dataset that a statement has, and whose it is."""
    said = statement.properties or {}
    return said.get(_CALLED.get(statement.kind, "")), said.get("member")


def _within(name: str, dataset: str) -> bool:
    """Whether a name, with or without its pool, is that of a dataset or of one below it."""
    return f"/{dataset}/" in f"/{name}/"


def _opaque(statement: Statement) -> Properties | None:
    """What may be known of a thing of somebody who is forgotten; None: nothing."""
    said = statement.properties or {}
    if statement.kind == "member":
        return {key: said[key] for key in ("into",) if key in said}
    if statement.kind == "export":
        return {key: value for key, value in said.items() if key != "dataset"}
    return None
