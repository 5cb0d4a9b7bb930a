"""Cuts: moments at which something changed hands. Usage of the 5 minutes around each is kept for ever.

    ROOT/cuts.json                        {"nasacct_cuts": 1, "moments": [...]}: what is known, in µs of UTC
    ROOT/node=N/cuts/STREAM/*.parquet     rows of usage, taken before their segments were deleted

Sums are of 5 minutes at least: one that a cut lies in says no more what came before it and what after. With its rows
beside it, both sides stay what they were when all usage was there.
"""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from nasacct.errors import DATA, NasacctError
from nasacct.store.compaction import replaced_by
from nasacct.store.cursor import in_order
from nasacct.store.cutting import EDGE_US
from nasacct.store.root import existing, hold, write_atomically
from nasacct.store.segment_file import SegmentWriter
from nasacct.store.segments import Footer
from nasacct.store.shelf import reaches, shelf
from nasacct.store.sums import added, summed
from nasacct.store.tables import TIME

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from nasacct.store.segments import Segment
    from nasacct.store.stream import Stream
    from nasacct.store.tree import Relation, Tree

log = logging.getLogger(__name__)

#: The version of `cuts.json`, and its name.
FORMAT = 1
FILE = "cuts.json"


def known(root: Path) -> tuple[int, ...]:
    """The moments (µs of UTC, ascending) at which something changed hands, as far as the store was told.

    NasacctError when the file is of a newer version or none of ours; OSError when it cannot be read.
    """
    path = root / FILE
    try:
        said = json.loads(path.read_bytes())
        version = said["nasacct_cuts"]
        if version == FORMAT:
            return tuple(sorted({int(at) for at in said["moments"]}))
    except FileNotFoundError:
        return ()
    except (ValueError, KeyError, TypeError):
        raise NasacctError(f"{path} is no list of cuts; bring it back from a copy, or remove it", DATA) from None
    raise NasacctError(f"{path} is of version {version}, this nasacct knows {FORMAT}; update it", DATA)


def know(root: Path, moments: Iterable[int]) -> None:
    """Add moments (µs of UTC), for ever. What is told after its usage was deleted is cut by time, as all else is.

    NasacctError when another process does so, or as for `known`; OSError when the disk does not take it.
    """
    existing(root)
    with hold(root / "cuts.lock", f"cuts of {root} are being told already", "or wait until it has"):
        before = known(root)
        after = sorted({*before, *moments})
        if after != list(before):
            said = {"nasacct_cuts": FORMAT, "moments": after}
            write_atomically(root / FILE, json.dumps(said, separators=(",", ":")).encode() + b"\n")


def cells(moments: Iterable[int]) -> list[int]:
    """The 5 minutes (their beginning, µs of UTC, ascending) that these moments cut."""
    return sorted({at - at % EDGE_US for at in moments if at % EDGE_US})


def keep_around(
    tree: Tree, stream: Stream, segment: Segment, usage: Mapping[Segment, Footer], moments: Iterable[int]
) -> None:
    """Take the rows around these moments out of `usage`, all that is there, before the `segment` is deleted.

    Of a moment whose 5 minutes are not all there any more nothing is kept, and the log says so. SegmentError, OSError.
    """
    relation = tree.cuts(stream)
    for cell in cells(moments):
        if not _reaches(segment, cell):
            continue
        before = {s: said for s, said in _shelf(relation, cell).items() if cell in said.cells}
        taken = frozenset().union(*(said.of for said in before.values()))
        if segment.digest in taken:
            continue
        sources = [s for s in usage if _reaches(s, cell) and s.digest not in taken]
        rows = _of_cell(tree.relation("usage", stream), sources, "t0", cell)
        if before:
            rows = pa.concat_tables([rows, _of_cell(relation, before, "t0", cell)]).sort_by(relation.order)
        whole = is_whole(tree, stream, rows, cell)
        if not whole:
            log.warning("%s: usage around %s is gone in part; what was cut there is cut by time", relation, _iso(cell))
        if not whole and not before:
            continue
        replaces = replaced_by(tuple(before), list(before.values()))
        of = taken | {s.digest for s in sources}
        with SegmentWriter(relation.folder, "day", relation.schema) as writer:
            writer.add(rows)
            said = Footer("usage", stream.name, tree.node, "day", cell, cell + EDGE_US, writer.rows, replaces, of=of)
            writer.finish(replace(said, cells=frozenset([cell] if whole else ())))


def is_whole(tree: Tree, stream: Stream, rows: pa.Table, cell: int) -> bool:
    """Whether these rows are all usage of those 5 minutes, as the sums of them tell. SegmentError, OSError."""
    relation = tree.rollup("5m", stream)
    sums = _of_cell(relation, _shelf(relation, cell), "bucket", cell)
    # 0.1.0 summed without peaks
    names = [name for name in relation.schema.names if not name.endswith("_peak")]
    mine: pa.Table = added(summed(rows, stream, EDGE_US), stream).select(names)
    return bool(mine.equals(added(sums, stream).select(names)))


def around(tree: Tree, stream: Stream, wanted: Collection[int]) -> set[int]:
    """Of which of the 5 minutes `wanted` nothing was deleted but what is kept here. OSError."""

    def is_there(cell: int) -> bool:
        there = any(cell in said.cells for said in _shelf(tree.cuts(stream), cell).values())
        return there or not any(said.rows for said in _shelf(tree.rollup("5m", stream), cell).values())

    return set(filter(is_there, wanted))


def unlike_sums(tree: Tree, stream: Stream) -> Iterator[Segment]:
    """What is kept and is not what the sums of its 5 minutes hold, unless more of it waits. As `is_whole`."""
    relation = tree.cuts(stream)
    for segment, said in shelf(relation.folder, left_out={}).visible.items():
        for cell in sorted(said.cells):
            waits = _shelf(tree.relation("usage", stream), cell)
            if not waits and not is_whole(tree, stream, _of_cell(relation, [segment], "t0", cell), cell):
                yield segment


def _shelf(relation: Relation, cell: int) -> dict[Segment, Footer]:
    """What is visible of these 5 minutes."""
    return shelf(relation.folder, cell, cell + EDGE_US).visible


def _reaches(segment: Segment, cell: int) -> bool:
    """Whether the segment may have rows that begin in these 5 minutes."""
    return reaches(segment, cell, cell + EDGE_US)


def _of_cell(relation: Relation, segments: Iterable[Segment], time: str, cell: int) -> pa.Table:
    """All rows of these segments that begin in the 5 minutes, in order."""
    begin, end = (pa.scalar(at, pa.int64()).cast(TIME) for at in (cell, cell + EDGE_US))
    found = [relation.schema.empty_table()]
    for table in in_order(relation, [s.path for s in segments]):
        at: Any = table.column(time)
        found.append(table.filter(pc.and_(pc.greater_equal(at, begin), pc.less(at, end))))
    return pa.concat_tables(found)


def _iso(us: int) -> str:
    return datetime.fromtimestamp(us // 1_000_000, UTC).isoformat()
