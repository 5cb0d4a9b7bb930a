"""The inventory: what is known of members, VPSes, addresses and exports, from when on.

Nothing in it is ever changed, until a member is forgotten (`personal.py`).

    ROOT/inventory.jsonl

First `{"nasacct_inventory": 1}`, then a line for each statement, in the order in which they were told:

    {"kind": "export", "id": "123", "at": "2026-10-15T12:00:00Z", "told": "2026-10-15T12:03:11Z", "by": "vpsadmin",
     "is": {"server": "123", "dataset": "1001/photos", "member": "1001"}, "sum": "1f0c2a77"}

From `at` on (null: as long as anybody can ask) the thing `is` that, or is no more (null). Of two statements about the
same moment the one told later holds, so a mistake is mended by telling it right. What somebody tells by hand holds from
its moment on, whatever others tell of that moment or a later one, until somebody tells it otherwise. The sum is that of
`summed.py`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from nasacct.errors import DATA, NasacctError
from nasacct.store import cuts, summed
from nasacct.store.root import existing, hold, write_atomically
from nasacct.times import iso, of_us, us

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from nasacct.store.root import Lock

#: The version of the file, and its name.
FORMAT = 1
FILE = "inventory.jsonl"
_KEY = "nasacct_inventory"

#: Who told what a file says that somebody wrote.
BY_HAND = "hand"
Kind = Literal["member", "vps", "address", "export", "server", "dataset"]
#: What is known of a thing: the names of its properties, of which each may be missing.
PROPERTIES: dict[Kind, tuple[str, ...]] = {
    "member": ("name", "into"),
    "vps": ("name", "member", "node"),
    "address": ("vps", "name"),
    "export": ("server", "node", "dataset", "dataset_id", "snapshot", "address", "member"),
    # its id is NODE/NAME
    "server": ("dataset", "pool", "snapshot", "address"),
    # its id is NODE/GUID, as zfs calls it below its pool; or the number that vpsAdmin gave it, with its name there
    "dataset": ("name", "member"),
}
#: The properties that say whose a thing is, and what of it: when one changes, usage changes hands.
_OWNER: dict[Kind, tuple[str, ...]] = {
    "vps": ("member",),
    "address": ("vps",),
    "export": ("member", "server", "node"),
    "server": ("dataset",),
}
#: Before every moment that anybody can ask for, and after (µs of UTC).
EVER = (-(2**63), 2**63 - 1)
Properties = dict[str, str]


@dataclass(frozen=True, slots=True)
class Statement:
    """From `at` on (µs of UTC) the thing has these properties, None: it is no more.

    `told` in whole seconds of UTC, `by` a person or what was asked.
    """

    kind: Kind
    id: str
    at: int
    properties: Properties | None
    told: int
    by: str = BY_HAND

    @property
    def about(self) -> tuple[Kind, str, int]:
        """The thing and the moment."""
        return self.kind, self.id, self.at

    def encode(self) -> str:
        """Its line."""
        said = {
            "kind": self.kind,
            "id": self.id,
            "at": None if self.at == EVER[0] else iso(of_us(self.at)),
            "is": self.properties,
            "told": iso(datetime.fromtimestamp(self.told, UTC)),
            "by": self.by,
        }
        return summed.with_sum(said)

    @classmethod
    def decode(cls, line: str) -> Statement:
        """The statement of a line; ValueError, KeyError, TypeError when it is none."""
        said = summed.decoded(line)
        kind, properties = said["kind"], said["is"]
        at = EVER[0] if said["at"] is None else us(datetime.fromisoformat(said["at"]))
        made = cls(kind, said["id"], at, properties, us(datetime.fromisoformat(said["told"])) // 1_000_000, said["by"])
        made.check()
        return made

    def check(self) -> None:
        """ValueError when it is about nothing that an inventory knows."""
        if self.kind not in PROPERTIES:
            raise ValueError(f"{self.kind!r} is none of {', '.join(get_args(Kind))}")
        for name in self.properties or ():
            if name not in PROPERTIES[self.kind]:
                known = ", ".join(PROPERTIES[self.kind])
                raise ValueError(f"{self.kind} {self.id} has no {name!r}, but {known}")


class Interval(NamedTuple):
    """What a thing is from `since` to before `until` (µs of UTC; EVER's ends: without end)."""

    since: int
    until: int
    properties: Properties


class Inventory:
    """What statements make up."""

    def __init__(self, statements: Iterable[Statement] = ()) -> None:
        self.statements = tuple(statements)
        self._things: dict[Kind, dict[str, list[Interval]]] = {kind: {} for kind in PROPERTIES}
        #: What was told last of each thing and moment.
        self.said: dict[tuple[Kind, str, int], Statement] = {}
        by_hand: dict[tuple[Kind, str], int] = {}
        for statement in self.statements:
            known = self.said.get(statement.about)
            if known is None or statement.by == BY_HAND or known.by != BY_HAND:
                self.said[statement.about] = statement
            if statement.by == BY_HAND:
                thing = statement.kind, statement.id
                by_hand[thing] = min(statement.at, by_hand.get(thing, statement.at))
        self._of: dict[tuple[Kind, str], dict[int, Statement]] = {}
        for (kind, name, at), statement in self.said.items():
            if statement.by == BY_HAND or at < by_hand.get((kind, name), EVER[1]):
                self._of.setdefault((kind, name), {})[at] = statement
        for (kind, name), told in self._of.items():
            intervals = list(_intervals({at: statement.properties for at, statement in told.items()}))
            if intervals:
                self._things[kind][name] = intervals

    @cached_property
    def version(self) -> str:
        """Names this state of it: the first 16 hexadecimal digits of a sha256."""
        text = "\n".join(statement.encode() for statement in self.statements)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def things(self, kind: Kind) -> Mapping[str, list[Interval]]:
        """All things of a kind by their ids, each with its intervals in the order of time."""
        return self._things[kind]

    def at(self, kind: Kind, name: str, moment: int) -> Properties | None:
        """What a thing is at a moment (µs of UTC); None when it is not, or not known then."""
        for interval in self._things[kind].get(name, ()):
            if interval.since <= moment < interval.until:
                return interval.properties
        return None

    def told_by(self, kind: Kind, name: str, moment: int) -> str | None:
        """Who told what a thing is at a moment; None when nobody did."""
        told = self._of.get((kind, name), {})
        last = max((at for at in told if at <= moment), default=None)
        return None if last is None else told[last].by

    def news(self, seen: Statement) -> list[Statement]:
        """What is to be told of a thing that was seen: nothing where that is known, or others said so by hand.

        What was not known has always been so.
        """
        thing = seen.kind, seen.id
        if self.told_by(*thing, seen.at) == BY_HAND or self.at(*thing, seen.at) == seen.properties:
            return []
        return [seen if self._of.get(thing) else replace(seen, at=EVER[0])]

    def hands(self) -> set[int]:
        """The moments (µs of UTC) at which something came to somebody, or changed hands."""
        found: set[int] = set()
        for kind, owner in _OWNER.items():
            for intervals in self._things[kind].values():
                same = {a.until for a, b in pairwise(intervals) if a.until == b.since and _same(a, b, owner)}
                found.update({at for interval in intervals for at in interval[:2]} - same)
        return (found | self.merges()) - set(EVER)

    def merges(self) -> set[int]:
        """The moments at which a member became part of another one, or no more."""
        every = (i for intervals in self._things["member"].values() for i in intervals if "into" in i.properties)
        return {at for interval in every for at in interval[:2]}

    def member(self, name: str, moment: int) -> str:
        """Which member one is at a moment, after all merges."""
        met = {name}
        while (into := (self.at("member", name, moment) or {}).get("into", "")) and into not in met:
            met.add(name := into)
        return name


def read(root: Path) -> Inventory:
    """The inventory of a store, empty when there is none. As `decoded`; OSError when it cannot be read."""
    path = root / FILE
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return Inventory()
    return decoded(content, str(path))


def decoded(content: bytes, called: str) -> Inventory:
    """The inventory of a file's content, which is `called` so.

    NasacctError when it is of a newer version, and when a line of it is damaged: a wrong owner is worse than no answer.
    """
    head, *lines = content.decode(errors="replace").splitlines() or [""]
    try:
        version = json.loads(head)[_KEY]
    except (ValueError, KeyError, TypeError):
        raise _damaged(called, 1, "it is no head of an inventory") from None
    if version != FORMAT:
        raise NasacctError(f"{called} is of version {version}, this nasacct knows {FORMAT}; update it", DATA)
    found = []
    for number, line in enumerate(lines, 2):
        try:
            found.append(Statement.decode(line))
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise _damaged(called, number, str(error)) from None
    return Inventory(found)


def tell(root: Path, statements: Iterable[Statement]) -> Inventory:
    """Add statements, all or none, and have usage kept around the moments at which something changes hands.

    What is known already is left out. NasacctError when another process does so, or as for `read`; ValueError for a
    statement about nothing that an inventory knows; OSError when the disk does not take it.
    """

    def new(before: Inventory) -> Iterator[Statement]:
        said = dict(before.said)
        for statement in statements:
            statement.check()
            known = said.get(statement.about)
            if known is None or known.properties != statement.properties:
                # told later than what it mends, whatever the clock says: wherever both come, this one holds
                later = statement.told if known is None else max(statement.told, known.told + 1)
                said[statement.about] = replace(statement, told=later)
                yield said[statement.about]

    return _add(root, new)


def merge(root: Path, other: Inventory) -> Inventory:
    """Add what another store was told: in whichever order and how often stores learn of each other, all say the same.

    Of two statements about the same moment of a thing the one told by hand holds, else the one that was told later, of
    one second the one whose line is greater. Errors as those of `tell`.
    """

    def new(before: Inventory) -> Iterator[Statement]:
        for theirs in other.said.values():
            mine = before.said.get(theirs.about)
            if mine is None or _weight(mine) < _weight(theirs):
                yield theirs

    return _add(root, new)


def _weight(statement: Statement) -> tuple[bool, int, str]:
    return statement.by == BY_HAND, statement.told, statement.encode()


def _add(root: Path, new: Callable[[Inventory], Iterable[Statement]]) -> Inventory:
    """Add the statements that are new beside those before."""
    existing(root)
    with being_told(root):
        before = read(root)
        added = list(new(before))
        if not added:
            return before
        after = Inventory([*before.statements, *added])
        # first the cuts: of one too many nothing comes but a few rows that are kept
        cuts.know(root, after.hands())
        write(root, after.statements)
        return after


def being_told(root: Path) -> Lock:
    """The right to change the inventory. NasacctError when another process has it."""
    return hold(root / "inventory.lock", f"the inventory of {root} is being told already", "or wait until it has")


def write(root: Path, statements: Iterable[Statement]) -> None:
    """Write the inventory anew. For who may change it; OSError when the disk does not take it."""
    lines = [summed.line({_KEY: FORMAT}), *(statement.encode() for statement in statements)]
    write_atomically(root / FILE, "".join(f"{line}\n" for line in lines).encode())


def _intervals(said: Mapping[int, Properties | None]) -> Iterator[Interval]:
    edges = [*sorted(said), EVER[1]]
    since: int | None = None
    for at, end in pairwise(edges):
        properties = said[at]
        since = at if since is None else since
        if end == EVER[1] or said[end] != properties:
            if properties is not None:
                yield Interval(since, end, properties)
            since = None


def _same(one: Interval, other: Interval, owner: tuple[str, ...]) -> bool:
    return all(one.properties.get(name) == other.properties.get(name) for name in owner)


def _damaged(called: str, line: int, why: str) -> NasacctError:
    return NasacctError(f"line {line} of {called} is damaged: {why}; bring the file back from a copy", DATA)
