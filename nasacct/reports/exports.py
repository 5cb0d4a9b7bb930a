"""Exports: which dataset a server showed at each moment, and whose it was.

What somebody told of an export, by hand or vpsAdmin's API, says it first; where nobody did, what osctl-exportfs's
configuration says of the server. People follow the dataset: an export is a dataset, whichever servers and nodes showed
it, under whichever numbers, itself or a snapshot of it. Exports of one number are one, and so are those of one dataset:
of one id that vpsAdmin gave it, else of one name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nasacct.store.inventory import Interval, Inventory, Properties

#: An export by its number, or a dataset by its id or name.
_Vertex = tuple[str, str]


class Shown(NamedTuple):
    """What a server shows: the export's number, what is known of it, and whether anybody told so."""

    export: str
    properties: Properties
    told: bool


class Titled(NamedTuple):
    """What people call an export: the number under which it was shown last, its dataset, its member."""

    export: str
    dataset: str | None
    member: str | None


class Exports:
    """Tells what each server of each node showed, as an inventory knows."""

    def __init__(self, known: Inventory) -> None:
        self._known = known
        self._told: dict[str, list[tuple[Interval, str]]] = {}
        for name, intervals in known.things("export").items():
            for interval in intervals:
                self._told.setdefault(interval.properties.get("server", ""), []).append((interval, name))
        self._found = known.things("server")
        self._named: dict[str, list[Interval]] = {}
        for name, intervals in self._found.items():
            self._named.setdefault(name.partition("/")[2], []).extend(intervals)

    def at(self, node: str, server: str, moment: int) -> Shown | None:
        """What the server showed at a moment (µs of UTC), None where that is not known; of several the latest."""
        told = [(i, name) for i, name in self._told.get(server, ()) if i.since <= moment < i.until and _on(i, node)]
        found = self._known.at("server", f"{node}/{server}", moment)
        if told:
            interval, name = max(told, key=lambda each: each[0].since)
            return Shown(name, {**(found or {}), **interval.properties}, told=True)
        return Shown(server, found, told=False) if found is not None else None

    def member(self, node: str, server: str, moment: int) -> str:
        """Whose it was, after all merges; '' where that is not known."""
        shown = self.at(node, server, moment)
        name = shown.properties.get("member", "") if shown else ""
        return self._known.member(name, moment) if name else ""

    def edges(self, node: str, server: str) -> set[int]:
        """The moments (µs of UTC) at which it may have come to show something else."""
        told = [i for i, _ in self._told.get(server, ())]
        return {at for i in (*told, *self._found.get(f"{node}/{server}", ())) for at in i[:2]}

    def every(self) -> Iterator[tuple[Interval, Shown]]:
        """All exports that were told or found, each while it was so."""
        for server, told in self._told.items():
            # what nobody told of its dataset the server's configuration may tell
            more = next((i.properties for i in self._named.get(server, ())), {})
            for interval, name in told:
                yield interval, Shown(name, {**more, **interval.properties}, told=True)
        for server, found in self._named.items():
            for interval in found:
                yield interval, Shown(server, interval.properties, told=False)


class Folded:
    """Exports as people follow them; each has a key that says nothing."""

    def __init__(self, exports: Exports) -> None:
        every = list(exports.every())
        ids: dict[str, set[str]] = {}
        for _, shown in every:
            if "dataset_id" in shown.properties:
                ids.setdefault(shown.properties.get("dataset", ""), set()).add(shown.properties["dataset_id"])
        self._ids = {name: found.pop() for name, found in ids.items() if len(found) == 1}
        self._above: dict[_Vertex, _Vertex] = {}
        for _, shown in every:
            if shown.told:
                self._join(("export", shown.export), self._dataset(shown))
        self._of: dict[_Vertex, list[tuple[Interval, Shown]]] = {}
        for interval, shown in every:
            self._of.setdefault(self._top(self._vertex(shown)), []).append((interval, shown))

    def key(self, shown: Shown) -> str:
        """Equal for what is one export."""
        return "\0".join(self._top(self._vertex(shown)))

    def title(self, key: str, moment: int) -> Titled:
        """What the export of that key is called at a moment (µs of UTC): itself before its snapshots."""
        kind, _, name = key.partition("\0")

        def rank(each: tuple[Interval, Shown]) -> tuple[bool, bool, bool, int]:
            interval, shown = each
            there = interval.since <= moment < interval.until
            return there, "snapshot" not in shown.properties, shown.told, interval.since

        begun = [each for each in self._of[kind, name] if each[0].since <= moment]
        _, shown = max(begun or self._of[kind, name], key=rank)
        return Titled(shown.export, shown.properties.get("dataset"), shown.properties.get("member"))

    def _vertex(self, shown: Shown) -> _Vertex:
        # numbers that nobody told may be given on each node
        return ("export", shown.export) if shown.told else self._dataset(shown)

    def _dataset(self, shown: Shown) -> _Vertex:
        name = shown.properties.get("dataset")
        number = shown.properties.get("dataset_id") or self._ids.get(name or "")
        if number:
            return "id", number
        return ("name", name) if name else ("export", shown.export)

    def _join(self, one: _Vertex, other: _Vertex) -> None:
        low, high = sorted((self._top(one), self._top(other)))
        if low != high:
            self._above[high] = low

    def _top(self, vertex: _Vertex) -> _Vertex:
        path = []
        while vertex in self._above:
            path.append(vertex)
            vertex = self._above[vertex]
        self._above.update(dict.fromkeys(path, vertex))
        return vertex


def _on(interval: Interval, node: str) -> bool:
    """Whether it is said of that node, or of every one."""
    return interval.properties.get("node") in (None, node)
