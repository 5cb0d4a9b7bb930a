"""Usage against the readings that are kept: made again of them, it must be what it is.

Over each key and epoch the sum of usage is the growth between readings; a row more or less, or one that was changed, is
told even where the sum is the same. Bounds are looked at where all readings were taken on the same terms.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nasacct.store import journal
from nasacct.store.check.groups import Group, groups, slices
from nasacct.store.finding import Finding
from nasacct.store.journal_spans import Spans
from nasacct.store.ledger import Terms, account, accounts
from nasacct.store.readings import CARRY, FINAL, HELD, KINDS, READ, ZERO, Readings
from nasacct.store.schema import HEALTH
from nasacct.store.shelf import shelf
from nasacct.store.tables import readings_schema, usage_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from nasacct.store.segments import Footer
    from nasacct.store.stream import Stream
    from nasacct.store.tree import Tree

#: Of one group no more differences than this are told one by one.
_MOST = 20


def usage_findings(tree: Tree, stream: Stream, bad: Mapping[Path, str]) -> Iterator[Finding]:
    """Where usage is not what its readings give; `bad` files are left out. FileNotFoundError when one has gone."""
    usage, readings = (tree.relation(kind, stream) for kind in ("usage", "readings"))
    sides = [shelf(relation.folder, left_out=bad).visible for relation in (usage, readings)]
    for group in groups(sides):
        made, kept = group.journals(0), group.journals(1)
        if not kept:
            continue
        if lost := lost_usage(tree, group, made):
            folder = usage.folder
            what = f"lacks the usage of {len(lost)} journal files, {lost[0]} the first, of which there are readings"
            yield Finding("missing", folder, what)
        if made.covers(kept) and kept.covers(made) and any(f.rows for side in group.sides for f in side.values()):
            yield from compared(tree, stream, group)


def lost_usage(tree: Tree, group: Group, made: Spans) -> list[str]:
    """The journal files of which there are readings, but no usage, and that are gone themselves."""
    there = {path.name for path in journal.files(tree.journal)}
    names = {item.name for footer in group.sides[1].values() for item in footer.replaces}
    spans = ((name, Spans.of([name])) for name in sorted(names))
    return [name for name, span in spans if span and name not in there and not made.covers(span)]


def terms_of(footers: Iterable[Footer]) -> tuple[Terms, bool]:
    """On which terms readings are accounted, and whether all of them are.

    Of several, the shortest interval and the fastest link are taken, whose bounds hold for all.
    """
    told = {terms for footer in footers for terms in footer.terms}
    if not told:
        return Terms(interval_ns=1), False
    return Terms(min(interval for interval, _ in told), max(rate for _, rate in told)), len(told) == 1


def again(stream: Stream, readings: pa.Table, node: str, terms: Terms) -> pa.Table:
    """The usage of stored readings of any number of journal files."""
    return account(_ordered(stream, readings), node, terms)


def agains(stream: Stream, readings: pa.Table, node: str, terms: Terms) -> Iterator[pa.Table]:
    """The same in the order of epochs, in tables that are small."""
    return accounts(_ordered(stream, readings), node, terms)


def _ordered(stream: Stream, readings: pa.Table) -> Readings:
    # where files meet, the rows of one moment that the later file begins with come after those of the earlier one
    kind: Any = readings.column("kind")
    begins: Any = pc.or_(
        pc.equal(kind, pa.scalar(KINDS[CARRY])),
        pc.and_(pc.equal(kind, pa.scalar(KINDS[FINAL])), pc.less(readings.column("cycle"), pa.scalar(0, pa.int32()))),
    )
    by = [*stream.keys, "epoch", "boot_us", "begins"]
    placed = readings.append_column("begins", begins.cast(pa.int8())).sort_by([(name, "ascending") for name in by])
    ordered = placed.drop_columns(["begins"])
    return _by_file(Readings.of_table(stream, ordered))


def _by_file(readings: Readings) -> Readings:
    """The same with each journal file's rows as a subject of their own: no growth lies between them.

    A file's rows begin with what was read before it or, of an epoch that was not read before, with its birth; else they
    are known by their cycles, which only grow within a file. Only what was read between two cycles has the number of
    the one before: so has a baseline after a life that was of nobody and never used, and therefore has no end. How
    sources fared has nothing between cycles.
    """
    if not len(readings.who):
        return readings
    nobodys = np.array([s.keys.get("server") is None for s in readings.subjects], bool)
    unused = nobodys[readings.who] & ~(readings.values > 0).any(axis=1)
    begins = np.isin(readings.kind, (CARRY, ZERO))
    begins[0] = True
    begins[1:] |= readings.who[1:] != readings.who[:-1]
    read = np.isin(readings.kind, (READ, HELD))
    grows = read[1:] & read[:-1] & unused[:-1] | (readings.stream is HEALTH)
    begins[1:] |= readings.cycle[1:] < readings.cycle[:-1] + grows
    runs = np.cumsum(begins).astype(np.int32) - 1
    return replace(readings, who=runs, subjects=[readings.subjects[who] for who in readings.who[begins].tolist()])


def compared(tree: Tree, stream: Stream, group: Group) -> Iterator[Finding]:
    """Where the usage of a group is not what all its readings give; the finding names one of the usage's files."""
    path = min(group.sides[0], key=lambda s: s.name).path
    schemas = usage_schema(stream), readings_schema(stream)
    sides = [(list(segments), schema, None) for segments, schema in zip(group.sides, schemas, strict=True)]
    on, same = terms_of(group.sides[1].values())
    told = 0
    for usage, readings in slices(stream, sides, 2):
        found = _by_epoch(stream, usage, bounds=same)
        expected = _by_epoch(stream, again(stream, readings, tree.node, on), bounds=same)
        for whose in sorted(found.keys() | expected.keys(), key=str):
            if found.get(whose) != expected.get(whose):
                told += 1
                if told <= _MOST:
                    what = _difference(stream, found.get(whose), expected.get(whose))
                    yield Finding(
                        "telescoping", path, f"is not what its readings give: {_named(stream, whose)}: {what}"
                    )
    if told > _MOST:
        yield Finding("telescoping", path, f"is not what its readings give: and {told - _MOST} more")


def _named(stream: Stream, whose: tuple[Any, ...]) -> str:
    keys = [f"{key} {value}" for key, value in zip((*stream.keys, "epoch"), whose, strict=True) if value is not None]
    return ", ".join(keys)


def _difference(stream: Stream, found: tuple[Any, ...] | None, expected: tuple[Any, ...] | None) -> str:
    if found is None or expected is None:
        return "is there without readings" if expected is None else "is missing, though there are readings"
    for measure, one, other in zip(stream.usage, found[2:], expected[2:], strict=True):
        if one != other:
            return f"{measure.name} adds up to {one or 0}, by the readings to {other or 0}"
    return f"its {found[0]} rows add up to the same as by the readings, but are others"


def _by_epoch(stream: Stream, usage: pa.Table, *, bounds: bool) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Of each key and epoch: how many rows, a number that tells whether they are the same, and the measures' sums."""
    by = [*stream.keys, "epoch"]
    names = [measure.name for measure in stream.usage]
    table = usage.select([*by, *names]).append_column("rows", pa.array(_fingerprints(stream, usage, bounds=bounds)))
    asked: Any = [("rows", "count"), ("rows", "sum"), *((name, "sum") for name in names)]
    grouped: Any = table.group_by(by, use_threads=False).aggregate(asked)
    columns = [grouped.column(name).to_pylist() for name in (*by, *(f"{name}_{how}" for name, how in asked))]
    width = len(by)
    return {row[:width]: row[width:] for row in zip(*columns, strict=True)}


def _fingerprints(stream: Stream, usage: pa.Table, *, bounds: bool) -> NDArray[np.int64]:
    """A number for each row that depends on all that is compared; their sum does not depend on the rows' order."""
    made = np.full(len(usage), 0x9E3779B97F4A7C15, np.uint64)
    names = ["t0", "t1", "before_us", "after_us", "cycles", "whole", *(m.name for m in stream.usage)]
    names += [f"{m.name}_more" for m in stream.usage if m.bounded and bounds]
    for name in names:
        column: Any = usage.column(name).cast(pa.int64())
        values: Any = column.fill_null(-(2**62)).to_numpy()
        made = (made ^ values.astype(np.int64).view(np.uint64)) * np.uint64(0xBF58476D1CE4E5B9)
        made ^= made >> np.uint64(29)
    return made.view(np.int64)
