"""The columns of the warehouse's views: what each is called, how it is made, and of which columns of a file."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

from nasacct.store.tables import readings_schema, rollup_schema, usage_schema

if TYPE_CHECKING:
    from nasacct.store.stream import Stream


class Column(NamedTuple):
    """A column: its name, its expression in SQL, and the columns of a file that are in it."""

    name: str
    sql: str
    of: tuple[str, ...]

    @property
    def plain(self) -> bool:
        """Whether it is as the file has it."""
        return self.sql == f'"{self.name}"'


def _plain(name: str) -> Column:
    # some operations and times have names that are words of SQL
    return Column(name, f'"{name}"', (name,))


@cache
def rows(stream: Stream) -> dict[str, Column]:
    """Usage: the columns of `usage_schema`, and what follows.

    t0_us, t1_us are the times in µs of UTC as integers, begun_us, over_us those of the uncut row. Of each bounded
    measure m, m_unknown is 1 where it has no value or no bound, else 0, as cells count them; m_bounds is m_more.
    """
    found = [_plain(name) for name in usage_schema(stream).names]
    found += [
        Column("t0_us", "epoch_us(t0)", ("t0",)),
        Column("t1_us", "epoch_us(t1)", ("t1",)),
        Column("begun_us", "epoch_us(t0) - before_us", ("t0", "before_us")),
        Column("over_us", "epoch_us(t1) + after_us", ("t1", "after_us")),
    ]
    for n in (m.name for m in stream.usage if m.bounded):
        sql = f'CAST("{n}" IS NULL OR "{n}_more" IS NULL AS BIGINT)'
        found.append(Column(f"{n}_unknown", sql, (n, f"{n}_more")))
        found.append(Column(f"{n}_bounds", f'"{n}_more"', (f"{n}_more",)))
    return {column.name: column for column in found}


@cache
def readings(stream: Stream) -> dict[str, Column]:
    """Readings: the columns of `readings_schema`, and t_us, the time in µs of UTC as an integer."""
    found = [*map(_plain, readings_schema(stream).names), Column("t_us", "epoch_us(t)", ("t",))]
    return {column.name: column for column in found}


@cache
def cells(stream: Stream, length_us: int) -> dict[str, Column]:
    """Cells of so many µs: the columns of usage, made of those of `rollup_schema`, with its times.

    t0 and t1 are the bucket's edges, of a long row's piece its own within the bucket; begun_us and over_us are NULL
    where it is no such piece. parts is how many there were of usage, m_unknown how many of them had no value or no
    bound, m_bounds the sum of the others' bounds, m_peak the highest rate; m_more is NULL where any part has none.
    """
    end = f"epoch_us(bucket) + {length_us}"
    t0, t1 = "epoch_us(greatest(bucket, row_t0))", f"least({end}, epoch_us(row_t1))"
    begun, over = ("bucket", "row_t0"), ("bucket", "row_t1")
    found = [
        *map(_plain, ("node", *stream.keys, "epoch", "bucket", "row_t0", "row_t1")),
        Column("t0", "greatest(bucket, row_t0)", begun),
        Column("t1", f"make_timestamptz({t1})", over),
        Column("t0_us", t0, begun),
        Column("t1_us", t1, over),
        Column("begun_us", "epoch_us(row_t0)", ("row_t0",)),
        Column("over_us", "epoch_us(row_t1)", ("row_t1",)),
        Column("before_us", f"coalesce({t0} - epoch_us(row_t0), 0)", begun),
        Column("after_us", f"coalesce(epoch_us(row_t1) - {t1}, 0)", over),
        Column("whole", "row_t0 IS NOT NULL", ("row_t0",)),
        _plain("parts"),
    ]
    for measure in stream.usage:
        n = measure.name
        found.append(_plain(n))
        if measure.bounded:
            more = f'CASE WHEN "{n}_unknown" = 0 THEN "{n}_more" END'
            found += [Column(f"{n}_more", more, (f"{n}_more", f"{n}_unknown")), _plain(f"{n}_unknown")]
            found.append(Column(f"{n}_bounds", f'"{n}_more"', (f"{n}_more",)))
            found.append(_plain(f"{n}_peak"))
    return {column.name: column for column in found}


def summed(stream: Stream, source: str, length_us: int, since_us: int, until_us: int) -> str:
    """The SELECT of usage's sums in cells as rollups hold them, of buckets that begin in the span."""
    span = {"length_us": length_us, "since_us": since_us, "until_us": until_us}
    return _text("sums_new").format(source=source, **_sums(stream), **span)


@cache
def kept(stream: Stream, have: frozenset[str]) -> list[Column]:
    """The columns of rollups that together have these: a measure that one lacks was unknown in all of its parts."""
    found = []
    for name in rollup_schema(stream).names:
        sql = f'"{name}"' if name in have else "CAST(NULL AS BIGINT)"
        found.append(Column(name, f"coalesce({sql}, parts)" if name.endswith("_unknown") else sql, ()))
    return found


@cache
def _sums(stream: Stream) -> dict[str, str]:
    sums = [_text("sum_bounded" if m.bounded else "sum_plain").format(m=m.name) for m in stream.usage]
    bounded = [f'coalesce("{m.name}_more" > 0, false)' for m in stream.usage if m.bounded]
    keys = "".join(f'"{key}", ' for key in stream.keys)
    return {"sums": ",\n       ".join(sums), "long": " OR ".join(bounded) or "false", "keys": keys}


@cache
def _text(name: str) -> str:
    text = resources.files("nasacct.store.sql").joinpath(f"{name}.sql").read_text()
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("--")).strip()
