"""How rows are shown: as a table for people, as JSON, as CSV.

Names in rows were written by others (a server, a directory, a client). None of them may move the cursor of a terminal
or become a formula in a spreadsheet: control and invisible characters are shown escaped, and a text in CSV that a
spreadsheet would calculate gets an apostrophe in front.
"""

import csv
import io
import json
import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from nasacct.errors import USAGE, NasacctError
from nasacct.plain import plain
from nasacct.times import iso

Row = Mapping[str, Any]
UNKNOWN = "unknown"
#: A table of more rows is drawn without rich.
_MANY = 1000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Form(Enum):
    """The three forms of an answer."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the table: the rows' key, its title, how a value is written (None: it is a text).

    Of a `bounded` measure `m` the table shows `m` and, unless both are the same, its upper bound `m_max`: `~ 98.2 MB`
    where they differ by less than what is shown, else `98.2 .. 120 MB`. `absent` is shown for NULL. Texts stand to the
    left, and what says `left`; all else to the right.
    """

    key: str
    title: str
    write: Callable[[Any], str] | None = None
    bounded: bool = False
    absent: str = UNKNOWN
    left: bool = False

    @property
    def stands_left(self) -> bool:
        """Whether its cells stand to the left."""
        return self.left or self.write is None


def form(*, as_json: bool, as_csv: bool) -> Form:
    """The form that --json and --csv ask for; NasacctError for both."""
    if as_json and as_csv:
        raise NasacctError("--json and --csv exclude each other; leave one of them out", USAGE)
    return Form.JSON if as_json else Form.CSV if as_csv else Form.TABLE


def show(rows: Sequence[Row], columns: Sequence[Column], as_form: Form, heading: str = "", note: str = "") -> None:
    """Print rows in one of the forms; `heading` stands above a table, and alone when there are no rows.

    `note` is a line below it.
    """
    if as_form is Form.JSON:
        print(in_json(rows))
    elif as_form is Form.CSV:
        sys.stdout.write(in_csv(rows, columns))
    else:
        from rich.console import Console

        console = Console(highlight=False)
        if heading:
            console.print(
                "\n".join(map(plain, [heading, note] if note else [heading])) + "\n", markup=False, soft_wrap=True
            )
        lines = _lines(rows, columns, console.width) if len(rows) > _MANY else None
        if lines is not None:
            sys.stdout.writelines(f"{line}\n" for line in lines)
        elif rows or not heading:
            console.print(table(rows, columns))


def in_json(rows: Iterable[Row]) -> str:
    """A JSON array, one object a line; ASCII only."""
    lines = ",\n ".join(json.dumps(values(row), default=str) for row in rows)
    return f"[{lines}]"


def values(row: Row) -> dict[str, Any]:
    """The row with what JSON has no form for written as text (times) or null (NaN)."""
    return {key: _value(value) for key, value in row.items()}


def in_csv(rows: Sequence[Row], columns: Sequence[Column]) -> str:
    """CSV (RFC 4180) with the rows' keys as header; unknown is an empty field."""
    names = list(rows[0]) if rows else [name for column in columns for name in _names(column)]
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(names)
    for row in rows:
        writer.writerow([_field(row.get(name)) for name in names])
    return out.getvalue()


def table(rows: Sequence[Row], columns: Sequence[Column], *, marked: int | None = None) -> Any:
    """The rich table of rows; numbers to the right, NULL as `unknown`; the `marked` row in reverse."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        # too narrow a terminal folds a cell between words: no number is ever cut
        made.add_column(column.title, justify="left" if column.stands_left else "right", overflow="fold")
    for i, row in enumerate(rows):
        made.add_row(*(Text(cell(row, column)) for column in columns), style="reverse" if i == marked else None)
    return made


def _lines(rows: Sequence[Row], columns: Sequence[Column], width: int) -> list[str] | None:
    """What rich makes of `table`, in a thirtieth of the time; None where it would have to fold."""
    from rich.cells import cell_len

    shown = [[column.title, *(cell(row, column) for row in rows)] for column in columns]
    lengths = [list(map(cell_len, texts)) for texts in shown]
    widths = [max(each) for each in lengths]
    whole = sum(widths) + 2 * (len(widths) - 1)
    if whole > width:
        return None
    padded = []
    for column, texts, each, most in zip(columns, shown, lengths, widths, strict=True):
        spaces = [" " * (most - length) for length in each]
        padded.append([t + s if column.stands_left else s + t for t, s in zip(texts, spaces, strict=True)])
    head, *body = ("  ".join(texts) for texts in zip(*padded, strict=True))
    return [head, "─" * whole, *body]


def cell(row: Row, column: Column) -> str:
    """One value as a person reads it."""
    value = row.get(column.key)
    write = column.write or str
    if value is None:
        return column.absent
    least = plain(write(value))
    if not column.bounded:
        return least
    limit = row.get(f"{column.key}_max")
    if limit is None:
        return f">= {least}"
    if limit == value:
        return least
    most = plain(write(limit))
    if most == least:
        return f"~ {least}"
    number, _, unit = least.partition(" ")
    return f"{number if unit == most.partition(' ')[2] else least} .. {most}"


def _names(column: Column) -> list[str]:
    if not column.bounded:
        return [column.key]
    return [column.key, *(f"{column.key}_{what}" for what in ("max", "unknown", "quality"))]


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _field(value: Any) -> Any:
    value = _value(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return value
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return ("'" if text.startswith(_FORMULA) else "") + plain(text)
