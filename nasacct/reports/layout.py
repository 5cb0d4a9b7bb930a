"""Layout: which disks make up which pool of a node, and whose exports lie on it.

What is not known is not guessed. Where nobody told of any pool, the disk that was busiest is taken for one, with every
server that was asked anything: beside it idle disks of the system would only hide that it was full. A server of which
nobody told where its exports lie may use any pool, and is among the servers of each.

Disks of a pool that serve it in different ways, for its data or its log, are told apart, for each may be full while the
others are not: its special, dedup and log disks are pools of their own here, beside that of its data (`components.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from nasacct.reports import components
from nasacct.reports.attribution.scene import DATA, LOG
from nasacct.reports.questions import question
from nasacct.store.schema import SYNCS
from nasacct.store.warehouse import Question
from nasacct.times import of_us

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from nasacct.store.warehouse import Warehouse

ACTIVE = ("disks", "nfsd")
#: What was so at the last look before a time is so for that long.
BACK = timedelta(hours=2)
#: What is more is told of first: who shares disks with it belongs to it.
_KINDS = ("zfs", "md", "disk")
_DISABLED = SYNCS.index("disabled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Disks that serve the same exports, over some time.

    `disks` are those of its `component`, those that hold its data, as the stream `disks` calls their devices; `others`
    those of other roles by these (special, dedup, log, cache, spare); `beside` those of its data that rotate, of a
    component that does not. `rotational`: whether any of `disks` is, None: unknown. `transactional`:
    writes reach its disks with the next transaction group, which is begun each `txg_timeout_s` (None: unknown).
    `servers` are those whose exports lie on it, and the `unplaced`, of which nobody told where theirs lie. Not `known`:
    nobody told of any pool, and its one disk is the busiest. `ids` are its keys in the streams `layout`, `scans`
    and `pools`, several where pools share their disks; `guid` is that of ZFS. `datasets` are those of each server there
    by their ids in the stream `datasets`; `unsynced` are servers whose datasets there all have sync=disabled, so that
    no commit of theirs waits for the disks; of a log, they are not among its servers.
    """

    name: str
    kind: Literal["zfs", "md", "disk"]
    disks: tuple[str, ...]
    rotational: bool | None
    transactional: bool
    txg_timeout_s: int | None
    servers: tuple[str, ...]
    known: bool
    others: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    guid: str | None = None
    ids: tuple[str, ...] = ()
    datasets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unsynced: tuple[str, ...] = ()
    unplaced: tuple[str, ...] = ()
    component: str = DATA
    beside: tuple[str, ...] = ()

    @property
    def whole(self) -> str:
        """The name of the pool that this is all or a part of."""
        return components.parted(self.name)[0]

    @property
    def components(self) -> tuple[str, ...]:
        """The classes of disks of the whole pool."""
        return (DATA, *(each for each in components.OTHERS if each in self.others))


def layout(warehouse: Warehouse, lo: int, hi: int) -> tuple[Pool, ...]:
    """The pools of a warehouse's node from `lo` to `hi` (µs of UTC), by name; none where no disk was busy.

    Disks that were part of a pool in any of that time are its own.
    """
    span: dict[str, Any] = {"lo": lo, "hi": hi}
    back = span | {"back": BACK // timedelta(microseconds=1)}
    found = warehouse.answers(
        [
            Question(question("layout_active"), span, ACTIVE, of_rows=True),
            Question(question("layout_parts"), back, ("layout",), of_rows=True),
            Question(question("layout_places"), back, ("places",), of_rows=True),
        ],
        of_us(lo) - BACK,
        of_us(hi),
    )
    active, parts, places = (table.to_pylist() for table in found)
    busy = [row["device"] for row in active if row["device"] is not None]
    asked = [row["server"] for row in active if row["server"] is not None]
    if not busy:
        return ()
    told = _merged(parts)
    of_pool: dict[Any, _Group] = {id_: group for group in told for id_ in group.ids}
    placed: set[str] = set()
    for row in places:
        if (below := of_pool.get(row["pool"])) is not None:
            below.servers.setdefault(row["server"], []).append((row["objset"], row["sync"]))
            placed.add(row["server"])
    lost = set(asked) - placed
    pools = [pool for group in told for pool in group.pools(lost)]
    rest = [device for device in busy if all(device not in group.all_disks() for group in told)]
    if not told or (lost and rest):
        pools.append(_untold(str(warehouse.node), rest[:1], lost, known=bool(told)))
    return tuple(sorted(pools, key=lambda pool: pool.name))


def scans(warehouse: Warehouse, lo: int, hi: int) -> pa.Table:
    """What scrubs, resilvers and checks read from `lo` to `hi` (µs of UTC): t0_us, t1_us, pool (its name), bytes.

    A row is what all disks of the pool read for one between two looks, in the order of time.
    """
    span = {"lo": lo, "hi": hi}
    rows = warehouse.query(question("scans"), span, views=["scans"], since=of_us(lo), until=of_us(hi))
    pools = layout(warehouse, lo, hi) if rows.num_rows else ()
    names = {id_: pool.whole for pool in pools for id_ in pool.ids}
    unknown = next((pool.name for pool in pools if not pool.ids), None)
    called = [names.get(id_, unknown or id_) for id_ in map(str, rows.column("pool").to_pylist())]
    table = rows.select(["t0_us", "t1_us"]).append_column("pool", pa.array(called, pa.string()))
    return table.append_column("bytes", rows.column("bytes").cast(pa.int64())).sort_by("t0_us")


@dataclass(slots=True)
class _Group:
    """Pools that share disks which hold data, as one."""

    name: str
    kind: Literal["zfs", "md", "disk"]
    ids: list[str]
    txg_timeout_s: int | None = None
    roles: dict[str, dict[str, int | None]] = field(default_factory=dict)
    #: of each server there, ids of its datasets, and how they sync
    servers: dict[str, list[tuple[str | None, int | None]]] = field(default_factory=dict)

    def data(self) -> Mapping[str, int | None]:
        """The disks that hold data, and whether they rotate."""
        return self.roles.get(DATA, {})

    def all_disks(self) -> set[str]:
        """Those of all roles."""
        return {device for disks in self.roles.values() for device in disks}

    def take(self, other: _Group) -> None:
        """Another one's disks are its own."""
        self.ids += other.ids
        for role, disks in other.roles.items():
            self.roles.setdefault(role, {}).update(disks)

    def pools(self, lost: set[str]) -> Iterator[Pool]:
        """The pool of its data and those of its other components; a disk of several is the first one's."""
        whole = self.pool(lost)
        yield whole
        taken = set(whole.disks)
        for component in components.OTHERS:
            disks = {device: kind for device, kind in self.roles.get(component, {}).items() if device not in taken}
            if disks:
                taken |= disks.keys()
                rotational = _rotate(disks.values())
                yield replace(
                    whole,
                    name=components.name_of(self.name, component),
                    component=component,
                    disks=tuple(sorted(disks)),
                    rotational=rotational,
                    beside=whole.disks if rotational is False and whole.rotational is not False else (),
                    servers=tuple(each for each in whole.servers if component != LOG or each not in whole.unsynced),
                )

    def pool(self, lost: set[str]) -> Pool:
        """The pool, with servers of which nobody knows where they belong."""
        return Pool(
            name=self.name,
            kind=self.kind,
            disks=tuple(sorted(self.data())),
            rotational=_rotate(self.data().values()),
            transactional=self.kind == "zfs",
            txg_timeout_s=self.txg_timeout_s,
            servers=tuple(sorted(self.servers.keys() | lost)),
            known=True,
            others={role: tuple(sorted(disks)) for role, disks in sorted(self.roles.items()) if role != DATA},
            guid=self.ids[0] if self.kind == "zfs" else None,
            ids=tuple(self.ids),
            datasets={name: ids for name, on in sorted(self.servers.items()) if (ids := _ids(on))},
            unsynced=tuple(sorted(name for name, on in self.servers.items() if all(s == _DISABLED for _, s in on))),
            unplaced=tuple(sorted(lost)),
        )


def _rotate(kinds: Iterable[int | None]) -> bool | None:
    """Whether any of these disks does."""
    known = set(kinds)
    return True if 1 in known else (False if known == {0} else None)


def _ids(on: Iterable[tuple[str | None, int | None]]) -> tuple[str, ...]:
    return tuple(sorted(id_ for id_, _ in on if id_ is not None))


def _merged(rows: Iterable[dict[str, Any]]) -> list[_Group]:
    """The pools of which disks are known, those as one that share disks."""
    groups: dict[str, _Group] = {}
    for row in sorted(rows, key=lambda row: _KINDS.index(row["system"])):
        group = groups.setdefault(row["pool"], _Group(row["name"], row["system"], [row["pool"]]))
        if row["device"] is None:
            group.txg_timeout_s = row["txg_timeout_s"]
        else:
            group.roles.setdefault(row["role"], {})[row["device"]] = row["rotational"]
    found: list[_Group] = []
    for group in groups.values():
        if not group.data():
            continue
        sharing = [other for other in found if other.data().keys() & group.data().keys()]
        for other in sharing[1:]:
            sharing[0].take(other)
            found.remove(other)
        if sharing:
            sharing[0].take(group)
        else:
            found.append(group)
    return found


def _untold(name: str, disks: Iterable[str], servers: Iterable[str], *, known: bool) -> Pool:
    """The busiest disk of no pool that anybody told of."""
    return Pool(
        name=name,
        kind="disk",
        disks=tuple(disks),
        rotational=None,
        transactional=False,
        txg_timeout_s=None,
        servers=tuple(sorted(servers)),
        known=known,
        unplaced=tuple(sorted(servers)),
    )
