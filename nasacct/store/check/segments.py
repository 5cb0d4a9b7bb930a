"""One segment against itself: name, digest, pages, footer, columns, order of rows, rows that are there twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nasacct.errors import NasacctError
from nasacct.store.finding import Finding
from nasacct.store.segment_file import digest_of
from nasacct.store.segments import KEY, Footer, Segment, SegmentError, name_of, reading
from nasacct.store.tree import STEPS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nasacct.store.segments import Kind
    from nasacct.store.tree import Relation

    Bools = NDArray[np.bool_]

#: By kind of segment: the columns that hold the rows' first and last moment.
_TIMES: dict[Kind, tuple[str, str]] = {"usage": ("t0", "t1"), "readings": ("t", "t"), "rollup": ("bucket", "bucket")}
#: How far apart rows may lie that are compared, because others of the same moment may stand between them.
_NEAR = 3


@dataclass(slots=True)
class Examined:
    """What one segment turned out to be: its footer if it is sound, how many rows it has, what is wrong with it."""

    footer: Footer | None = None
    rows: int = 0
    findings: list[Finding] = field(default_factory=list)


def examine(segment: Segment, relation: Relation, node: str) -> Examined:
    """Read all of a segment that lies where those of the relation and node do. FileNotFoundError when it is gone."""
    found = Examined()

    def fault(kind: str, sentence: str) -> None:
        found.findings.append(Finding(kind, segment.path, sentence))

    try:
        with reading(segment.path, ""):
            if digest_of(segment.path) != segment.digest:
                fault("damaged", "does not have the digest in its name; it was changed or damaged")
            with pq.ParquetFile(segment.path, page_checksum_verification=True) as file:
                said = Footer.decode((file.metadata.metadata or {})[KEY])
                schema = file.schema_arrow
                lacking = _columns(schema, relation)
                if lacking:
                    fault("schema", lacking)
                else:
                    _rows(file, said, relation, node, fault)
                found.rows = file.metadata.num_rows
        found.footer = said
        for sentence in _named(segment, said, relation, node, found.rows):
            fault("footer", sentence)
    except FileNotFoundError:
        raise
    except NasacctError as error:
        fault("newer", f"is of a newer version: {error.sentence}")
    except SegmentError as error:
        fault("damaged", f"is no whole segment{str(error).removeprefix(str(segment.path))}")
    except OSError as error:
        fault("unreadable", f"cannot be read now ({(error.strerror or str(error)).lower()})")
    return found


def _columns(schema: pa.Schema, relation: Relation) -> str:
    """What is wrong with the columns: nothing when an older file lacks a measure, or a newer one has more."""
    for column in relation.schema:
        at = schema.get_field_index(column.name)
        if at < 0:
            if not column.nullable:
                return f"lacks the column {column.name}"
        elif schema.field(at).type != column.type:
            return f"has {schema.field(at).type} in the column {column.name}, which is {column.type}"
    return ""


def _named(segment: Segment, said: Footer, relation: Relation, node: str, rows: int) -> list[str]:
    """Where footer, name and folder do not agree."""
    wrong = []
    expected = {"kind": relation.kind, "stream": relation.stream.name, "node": node, "level": segment.level}
    for what, value in expected.items():
        if getattr(said, what) != value:
            wrong.append(f"says that its {what} is {getattr(said, what)}, but lies where {value} belongs")
    if name_of(said.level, said.since, said.until, segment.digest) != segment.name:
        wrong.append("says another time or level than its name")
    if said.rows != rows:
        wrong.append(f"says that it has {said.rows} rows, but has {rows}")
    return wrong


def _rows(file: pq.ParquetFile, said: Footer, relation: Relation, node: str, fault: Any) -> None:
    """Go through all rows once; each kind of fault is told once."""
    told: set[str] = set()

    def once(kind: str, sentence: str) -> None:
        if kind not in told:
            told.add(kind)
            fault(kind, sentence)

    first, last = _TIMES[relation.kind]
    names = file.schema_arrow.names
    order = [name for name, _ in relation.order]
    before: pa.Table | None = None
    for group in range(file.num_row_groups):
        table = file.read_row_group(group, use_threads=False)
        for column in relation.schema:
            if not column.nullable and table.column(column.name).null_count:
                once("schema", f"has rows without {column.name}")
        if len(table):
            if pc.any(pc.not_equal(table.column("node"), pa.scalar(node))).as_py():
                once("footer", f"has rows of another node than {node}")
            low: int | None = pc.min(table.column(first).cast(pa.int64())).as_py()
            high: int | None = pc.max(table.column(last).cast(pa.int64())).as_py()
            if low is not None and high is not None and (low < said.since or high > said.until):
                once("footer", "has rows outside of the time that it says")
            if relation.step and pc.any(_off(table, STEPS[relation.step])).as_py():
                once("footer", f"has rows that begin no {relation.step}")
        joined = table if before is None else pa.concat_tables([before, table])
        if not _sorted(joined, order):
            once("order", "has rows that are out of order")
        if twice := _repeated(joined, relation, names):
            once("duplicate", f"has {twice} rows twice")
        before = joined.slice(max(len(joined) - _NEAR, 0))


def _off(table: pa.Table, length_s: int) -> Any:
    """Which buckets do not begin at a multiple of their length."""
    bucket: Any = table.column("bucket").cast(pa.int64())
    length = length_s * 1_000_000
    return pc.not_equal(pc.multiply(pc.divide(bucket, length), length), bucket)


def _sorted(table: pa.Table, order: list[str]) -> bool:
    """Whether the rows are in order, NULL after everything else."""
    if len(table) < 2:
        return True
    later = np.zeros(len(table) - 1, bool)
    equal = ~later
    for name in order:
        one, two = _neighbours(table, name, 1)
        less = _flags(pc.less(one, two)) | (_flags(pc.is_valid(one)) & _flags(pc.is_null(two)))
        later |= equal & less
        equal &= _same(one, two)
    return bool((later | equal).all())


def _repeated(table: pa.Table, relation: Relation, names: list[str]) -> int:
    """How many rows are there twice that tell of something: growth in some time, or a reading."""
    if relation.kind == "rollup":
        return 0
    order = [name for name, _ in relation.order]
    twice = 0
    for apart in range(1, min(_NEAR, len(table) - 1) + 1):
        equal = np.ones(len(table) - apart, bool)
        for name in [*order[::-1], *(n for n in names if n not in order)]:
            equal &= _same(*_neighbours(table, name, apart))
            if not equal.any():
                break
        else:
            twice += int(_tells(table.slice(apart).filter(pa.array(equal)), relation).sum())
    return twice


def _tells(rows: pa.Table, relation: Relation) -> Bools:
    if relation.kind == "readings":
        # the others repeat in each file what stood before it, or what was never read
        return _flags(pc.is_in(rows.column("kind"), pa.array(["read", "held", "final"])))
    some = np.zeros(len(rows), bool)
    for measure in relation.stream.usage:
        if measure.name in rows.column_names:
            some |= _flags(pc.greater(rows.column(measure.name), pa.scalar(0)))
    return some & _flags(pc.less(rows.column("t0"), rows.column("t1")))


def _neighbours(table: pa.Table, name: str, apart: int) -> tuple[Any, Any]:
    column: Any = table.column(name).combine_chunks()
    return column.slice(0, len(column) - apart), column.slice(apart)


def _same(one: Any, two: Any) -> Bools:
    return _flags(pc.equal(one, two)) | (_flags(pc.is_null(one)) & _flags(pc.is_null(two)))


def _flags(column: Any) -> Bools:
    """A column of booleans as an array; NULL is false."""
    flags: Bools = np.asarray(column.fill_null(False).to_numpy(zero_copy_only=False), bool)
    return flags
