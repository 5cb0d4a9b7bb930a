"""Rollups against the usage that they sum, as long as there is any, and each step against the next shorter one."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import reduce
from itertools import pairwise
from operator import or_
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from nasacct.store.check.groups import Group, groups, slices
from nasacct.store.compaction import DAY_S, day_of
from nasacct.store.finding import Finding
from nasacct.store.journal_spans import Spans
from nasacct.store.shelf import shelf
from nasacct.store.sums import added, summed
from nasacct.store.tables import TIME, usage_schema
from nasacct.store.tree import STEPS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from nasacct.store.segments import Footer, Segment
    from nasacct.store.stream import Stream
    from nasacct.store.tree import Relation, Tree

    Segments = dict[Segment, Footer]

#: Of one day or group no more differences than this are told one by one.
_MOST = 20
_DAY_US = DAY_S * 1_000_000


def rollup_findings(tree: Tree, stream: Stream, bad: Mapping[Path, str]) -> Iterator[Finding]:
    """Where sums are not those of usage, or of the shorter step; `bad` files are left out.

    FileNotFoundError when a file has gone.
    """
    usage: Segments = shelf(tree.relation("usage", stream).folder, left_out=bad).visible
    rolled: dict[Relation, Segments] = {r: shelf(r.folder, left_out=bad).visible for r in tree.rollups(stream)}
    summed_up = {relation: _journals(there) for relation, there in rolled.items()}
    found = [f for r, journals in summed_up.items() for f in _unsummed(r, usage, journals)]
    ready = {s: f for s, f in usage.items() if all(journals.covers(f.journals) for journals in summed_up.values())}
    if ready:
        held = _journals(ready)
        whole = all(held.covers(journals) for journals in summed_up.values())
        # usage before the oldest that is left was dropped for its age, and nobody knows any more what it was
        days = range(min(s.since // DAY_S if whole else day_of(s) + 1 for s in ready), max(map(day_of, ready)) + 1)
        for day in days:
            found += _of_day(stream, day, ready, rolled, whole=whole)
    yield from found
    blamed = {f.path for f in found}
    steps = list(rolled.items())
    for (shorter, one), (longer, other) in pairwise(steps):
        for group in groups([other, one]):
            # what is not the sum of usage agrees with no other step
            if not any(s.path in blamed for side in group.sides for s in side):
                yield from _against_shorter(longer, shorter, group)


def _journals(there: Segments) -> Spans:
    return reduce(or_, (footer.journals for footer in there.values()), Spans())


def _unsummed(relation: Relation, usage: Segments, journals: Spans) -> Iterator[Finding]:
    """Days of usage that are in no sums, or with a part of what they hold only."""
    for segment, footer in usage.items():
        if segment.level == "day" and not journals.covers(footer.journals):
            part = "a part of it" if journals.meets(footer.journals) else "it"
            yield Finding("missing", segment.path, f"is usage, but {part} is not in the sums by {relation.step}")


def _of_day(
    stream: Stream, day: int, usage: Segments, rolled: dict[Relation, Segments], *, whole: bool
) -> Iterator[Finding]:
    """Where the sums of a day are not those of its usage; unless all usage is `whole`, some may be gone."""
    if not any(footer.rows for there in (usage, *rolled.values()) for footer in there.values()):
        return
    sides = [(_reaching(usage, day), usage_schema(stream), _within("t0", day))]
    sides += [(_reaching(there, day), relation.schema, _within("bucket", day)) for relation, there in rolled.items()]
    wrong: dict[Relation, list[str]] = {relation: [] for relation in rolled}
    gone: set[str] = set()
    for rows, *sums in slices(stream, sides, 1):
        for relation, found in zip(rolled, sums, strict=True):
            assert relation.step is not None
            expected = added(summed(rows, stream, STEPS[relation.step] * 1_000_000), stream)
            for row, parts, of_usage in _differences(added(found, stream), expected, stream):
                if whole or parts <= of_usage:
                    wrong[relation].append(_named(stream, row))
                else:
                    gone.add(relation.step)
    for relation, names in wrong.items():
        path = min((s.path for s in _reaching(rolled[relation], day)), default=relation.folder)
        yield from _told(path, names, "is not the sum of usage")
    if gone:
        said = datetime.fromtimestamp(day * DAY_S, UTC)
        yield Finding(
            "missing", min(usage, key=lambda s: s.name).path.parent, f"lacks usage of {said:%Y-%m-%d} that was summed"
        )


def _reaching(segments: Iterable[Segment], day: int) -> list[Segment]:
    return [s for s in segments if s.since < (day + 1) * DAY_S and s.until >= day * DAY_S]


def _within(name: str, day: int) -> Any:
    begin, end = (pa.scalar(d * _DAY_US, pa.int64()).cast(TIME) for d in (day, day + 1))
    field: Any = pc.field(name)
    return (field >= begin) & (field < end)


def _differences(found: pa.Table, expected: pa.Table, stream: Stream) -> Iterator[tuple[dict[str, Any], int, int]]:
    """Rows that are not the same in both: the row, and how many parts of usage it has here and there."""
    if found.equals(expected):
        return
    by = [*stream.keys, "epoch", "bucket", "row_t0", "row_t1"]
    one, other = ({tuple(r[n] for n in by): r for r in table.to_pylist()} for table in (found, expected))
    for key in sorted(one.keys() | other.keys(), key=str):
        if not _same(one.get(key), other.get(key)):
            row = one.get(key) or other[key]
            yield row, one[key]["parts"] if key in one else 0, other[key]["parts"] if key in other else 0


def _same(found: dict[str, Any] | None, expected: dict[str, Any] | None) -> bool:
    """Whether the sums are the same; the highest rates of what 0.1.0 summed are not known."""
    if found is None or expected is None:
        return False
    low = {n: found[n] is None or found[n] <= (expected[n] or 0) for n in found if n.endswith("_peak")}
    return all(low.get(name) or value == expected[name] for name, value in found.items())


def _against_shorter(longer: Relation, shorter: Relation, group: Group) -> Iterator[Finding]:
    """What a step's rows add up to by day, where both steps were made of the same journal files."""
    mine, theirs = group.journals(0), group.journals(1)
    for there, gone, lacks in ((shorter, longer, not mine.covers(theirs)), (longer, shorter, not theirs.covers(mine))):
        if lacks:
            name = min(s.name for s in group.sides[0 if there is longer else 1])
            yield Finding("missing", gone.folder, f"lacks sums of what {name} holds by {there.step}")
    if not (mine.covers(theirs) and theirs.covers(mine)):
        return
    stream = longer.stream
    sides = [(list(segments), longer.schema, None) for segments in group.sides]
    wrong: list[str] = []
    for one, other in slices(stream, sides, 2):
        found, expected = _by_day(one, stream), _by_day(other, stream)
        wrong += [_named(stream, row) for key, row in found.items() if row != expected.get(key)]
        wrong += [_named(stream, row) for key, row in expected.items() if key not in found]
    path = min(group.sides[0], key=lambda s: s.name).path
    yield from _told(path, wrong, f"is not the sum of what {shorter.step} holds")


def _by_day(sums: pa.Table, stream: Stream) -> dict[tuple[Any, ...], dict[str, Any]]:
    bucket: Any = sums.column("bucket").cast(pa.int64())
    floor: Any = pc.multiply(pc.divide(bucket, _DAY_US), _DAY_US).cast(TIME)
    table = sums.set_column(sums.schema.get_field_index("bucket"), "bucket", floor)
    by = [*stream.keys, "epoch", "bucket"]
    asked: Any = [("parts", "sum", None)]
    for measure in stream.usage:
        asked.append((measure.name, "sum", pc.ScalarAggregateOptions(skip_nulls=measure.bounded, min_count=1)))
    grouped: Any = table.group_by(by, use_threads=False).aggregate(asked)
    rows = grouped.rename_columns([name.removesuffix("_sum") for name in grouped.column_names]).to_pylist()
    return {tuple(row[name] for name in by): row for row in rows}


def _named(stream: Stream, row: dict[str, Any]) -> str:
    keys = ", ".join(f"{key} {row[key]}" for key in (*stream.keys, "epoch") if row[key] is not None)
    return f"{keys} from {row['bucket']:%Y-%m-%dT%H:%MZ} on"


def _told(path: Path, names: list[str], what: str) -> Iterator[Finding]:
    for name in names[:_MOST]:
        yield Finding("rollup", path, f"{what}: {name}")
    if len(names) > _MOST:
        yield Finding("rollup", path, f"{what}: and {len(names) - _MOST} more rows")
