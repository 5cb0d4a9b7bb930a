"""Blame: the ledger of disk time over days and weeks, by who owned the servers, and what nobody's requests explain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nasacct.reports.components import meant
from nasacct.reports.owners import ByMember
from nasacct.reports.using import HOUR_S
from nasacct.reports.whose import called
from nasacct.store import inventory, judged
from nasacct.store.segments import SegmentError
from nasacct.store.tree import trees

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Whose disk time it was: `entity` member:ID, server:NAME where nobody knows the member, None: nobody's.

    `disk_s` are seconds of the median disk of the pool they were spent on, `share` is of all rows.
    """

    entity: str | None
    name: str | None
    disk_s: float
    share: float
    hours: int  #: in so many hours it used the disks


@dataclass(frozen=True, slots=True)
class Ledger:
    """Rows by disk time, what nobody's requests explain last; they add up to `disk_s`, all that was measured."""

    rows: tuple[Row, ...]
    disk_s: float
    since: int | None  #: the first and the last hour of which anything is told (Unix time), None: nothing is
    until: int | None
    trouble: tuple[str, ...]


def blame(root: Path, lo: int, hi: int, node: str | None = None, pool: str | None = None) -> Ledger:
    """The ledger of the hours that begin from `lo` to before `hi` (Unix time), as far as their days were judged.

    Each hour is its owner's of that hour's middle. NasacctError when a file is of a newer version; OSError.
    """
    known = inventory.read(root)
    owners = ByMember(known)
    sums: dict[str | None, float] = {}
    hours: dict[str | None, set[tuple[str, str, int]]] = {}
    seen: set[int] = set()
    trouble = []
    for tree in trees(root):
        if node not in {None, tree.node}:
            continue
        for file in judged.listed(tree):
            day = judged.start_of(file.day)
            if file.kind != "used" or not meant([file.pool], pool) or day >= hi or day + 24 * HOUR_S <= lo:
                continue
            try:
                table, _ = judged.read_table(file)
            except SegmentError as error:
                trouble.append(f"{error}; its day is missing")
                continue
            for hour, server, disk_s in zip(*(table.column(c).to_pylist() for c in table.column_names), strict=True):
                if not lo <= hour < hi:
                    continue
                who = None
                if server is not None:
                    member = owners.of(tree.node, server, (hour + HOUR_S // 2) * 1_000_000)
                    who = f"member:{member}" if member else f"server:{server}"
                sums[who] = sums.get(who, 0.0) + disk_s
                hours.setdefault(who, set()).add((tree.node, file.pool, hour))
                seen.add(hour)
    whole = sum(sums.values())

    def name(who: str | None) -> str | None:
        kind, _, of = (who or "").partition(":")
        return called(known, "member", of, min(hi, max(seen)) * 1_000_000) if kind == "member" else None

    order = sorted(sums, key=lambda who: (who is None, -sums[who], who or ""))
    rows = tuple(
        Row(
            entity=who,
            name=name(who),
            disk_s=sums[who],
            share=sums[who] / whole if whole else 0.0,
            hours=len(hours[who]),
        )
        for who in order
    )
    until = max(seen) + HOUR_S if seen else None
    return Ledger(rows, whole, min(seen, default=None), until, tuple(trouble))
