"""Layout: which disks make up which pool of a node, and whose exports lie on it.

What is not known is not guessed: then all disks that were busy are one pool, with every server that was asked anything,
and it is not `known`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from nasacct.reports.questions import question

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nasacct.store.warehouse import Warehouse

ACTIVE = ("disks", "nfsd")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Disks that serve the same exports, over some time.

    `disks` are those that hold its data, as the stream `disks` calls their devices; `others` those of other classes by
    these (special, dedup, log, cache, spare). `rotational`: whether any of `disks` is, None: unknown. `transactional`:
    writes reach its disks with the next transaction group, which is begun each `txg_timeout_s` (None: unknown).
    `servers` are those whose exports lie on it. Not `known`: nobody told, and it is all disks that were busy. `guid`:
    its key in the stream `pools`.
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


def layout(warehouse: Warehouse, lo: int, hi: int) -> tuple[Pool, ...]:
    """The pools of a warehouse's node from `lo` to `hi` (µs of UTC), by name; none where no disk was busy."""
    rows = warehouse.query(question("layout_active"), {"lo": lo, "hi": hi}, views=ACTIVE).to_pylist()
    disks = tuple(row["device"] for row in rows if row["device"] is not None)
    servers = tuple(row["server"] for row in rows if row["server"] is not None)
    return (_unknown(str(warehouse.node), disks, servers),) if disks else ()


def scans(warehouse: Warehouse, lo: int, hi: int) -> pa.Table:
    """What scrubs and resilvers read from `lo` to `hi` (µs of UTC): t0_us, t1_us, pool (its name), bytes.

    A row is what all disks of the pool read for it between two looks. Nothing is known of them yet.
    """
    del warehouse, lo, hi
    fields: list[pa.Field[Any]] = [pa.field("t0_us", pa.int64()), pa.field("t1_us", pa.int64())]
    fields += [pa.field("pool", pa.string()), pa.field("bytes", pa.int64())]
    return pa.schema(fields).empty_table()


def _unknown(name: str, disks: tuple[str, ...], servers: tuple[str, ...]) -> Pool:
    return Pool(
        name=name,
        kind="disk",
        disks=disks,
        rotational=None,
        transactional=False,
        txg_timeout_s=None,
        servers=servers,
        known=False,
    )
