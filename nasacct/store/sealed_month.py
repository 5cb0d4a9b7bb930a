"""One sealed month: a text file whose name holds the sha256 of its bytes.

    {"nasacct_seal":1,"month":"2026-10","zone":"Europe/Prague","inventory":"7",
     "previous":"<64 digits>","columns":[["server","string"],["bytes","integer"]],"rows":2}      (one line)
    ["101",8120336]
    ["102",null]

The first line says what it is, every other one is a row. Nothing in it depends on a library's version: JSON in ASCII
without blanks, integers in full, times as µs since 1970, unknown as null, lines of rows sorted by their bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from nasacct.errors import DATA, NasacctError
from nasacct.store.tables import TIME

if TYPE_CHECKING:
    from pathlib import Path

#: The version of sealed months that this program reads and writes.
FORMAT = 1
_MONTH = re.compile(r"([12]\d{3})-(0[1-9]|1[0-2])")
_INSIDE = ("nasacct_seal", "month", "zone", "inventory", "previous", "columns", "rows")
#: The kinds of columns: how their values lie in Arrow, and as what JSON gives them back.
_KINDS: dict[str, tuple[pa.DataType, type]] = {
    "string": (pa.string(), str),
    "integer": (pa.int64(), int),
    "boolean": (pa.bool_(), bool),
    "time": (TIME, int),
}
#: No first line is longer than this many bytes.
_LINE = 1 << 20


@dataclass(frozen=True, slots=True)
class Seal:
    """One sealed month, by the name and the first line of its file.

    `month` as 2026-10 in `zone` (IANA), `inventory` the version of the inventory, `previous` the digest of the month
    before (None: the first), `columns` name and kind of each column, `rows` how many there are. `digest` is the
    sha256 of the file, as its name says.
    """

    path: Path
    month: str
    zone: str
    inventory: str
    previous: str | None
    columns: tuple[tuple[str, str], ...]
    rows: int
    digest: str

    @property
    def since(self) -> datetime:
        """When the month begins, in UTC."""
        return begin(self.month, self.zone)

    @property
    def until(self) -> datetime:
        """When the month ends, in UTC."""
        return begin(after(self.month), self.zone)


class SealError(ValueError):
    """A file that is no sound seal; the sentence lacks the path."""


def begin(month: str, zone: str) -> datetime:
    """When a month (2026-10) begins in a zone, in UTC. NasacctError when it is no month or the zone is not known."""
    match = _MONTH.fullmatch(month)
    if match is None:
        raise NasacctError(f"{month} is no month; write it as 2026-10", DATA)
    try:
        place = ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise NasacctError(
            f"the time zone {zone} is not known on this machine; name one of the IANA list", DATA
        ) from None
    return datetime(int(match[1]), int(match[2]), 1, tzinfo=place).astimezone(UTC)


def after(month: str) -> str:
    """The month that follows a month."""
    year, number = int(month[:4]), int(month[5:])
    return f"{year + number // 12:04d}-{number % 12 + 1:02d}"


def named(path: Path, month: str, digest: str) -> Seal:
    """The seal by its name and first line; the rows are not read.

    SealError when these are none or do not agree, NasacctError when the version is newer, OSError.
    """
    said = json.loads(_first_line(path))
    columns = tuple((name, kind) for name, kind in said["columns"])
    sealed = Seal(path, said["month"], said["zone"], said["inventory"], said["previous"], columns, said["rows"], digest)
    if sealed.month != month:
        raise SealError(f"says that it is {sealed.month}")
    try:
        begin(sealed.month, sealed.zone)
    except NasacctError as error:
        raise SealError(f"cannot be placed in time ({error})") from None
    return sealed


def encode(
    where: Path, month: str, zone: str, inventory: str, previous: str | None, table: pa.Table
) -> tuple[Seal, bytes]:
    """A month's rows as a sealed month in the folder `where`, and the bytes of its file.

    NasacctError when the table has columns or values that cannot be sealed.
    """
    columns = tuple((field.name, _kind(field)) for field in table.schema)
    names = [name for name, _ in columns]
    if not names or len(set(names)) < len(names):
        raise NasacctError(f"{month} cannot be sealed: its rows have no columns, or two of one name", DATA)
    made = Seal(where, month, zone, inventory, previous, columns, len(table), "")
    content = b"".join([_header(made), *_lines(_cast(table, columns))])
    digest = hashlib.sha256(content).hexdigest()
    path = where / f"{month}-{digest}.jsonl"
    return Seal(path, month, zone, inventory, previous, columns, len(table), digest), content


def rows(sealed: Seal) -> pa.Table:
    """The sealed rows. SealError when the file is not what its name says, OSError when it cannot be read."""
    content = sealed.path.read_bytes()
    if hashlib.sha256(content).hexdigest() != sealed.digest:
        raise SealError("does not have the digest in its name; it was changed or damaged")
    lines = content.split(b"\n")[1:-1]
    if len(lines) != sealed.rows:
        raise SealError(f"says that it has {sealed.rows} rows, but has {len(lines)}")
    table = _decoded(sealed, lines)
    if content != b"".join([_header(sealed), *_lines(table)]):
        raise SealError("is not written as docs/format.md says")
    return table


def _first_line(path: Path) -> bytes:
    with path.open("rb") as file:
        line = file.readline(_LINE)
    try:
        said = json.loads(line)
        version, names = said["nasacct_seal"], tuple(said)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise SealError("does not begin with the first line of a sealed month") from None
    if isinstance(version, int) and version > FORMAT:
        raise NasacctError(f"{path} has version {version}, this nasacct knows {FORMAT}; update nasacct", DATA)
    if (
        names != _INSIDE
        or not all(isinstance(said[n], str) for n in ("month", "zone", "inventory"))
        or not isinstance(said["previous"], str | None)
        or not isinstance(said["rows"], int)
        or not isinstance(said["columns"], list)
        or not all(isinstance(c, list) and len(c) == 2 and c[1] in _KINDS for c in said["columns"])
    ):
        raise SealError("does not begin with the first line of a sealed month")
    return line


def _header(sealed: Seal) -> bytes:
    columns = [list(column) for column in sealed.columns]
    said = (FORMAT, sealed.month, sealed.zone, sealed.inventory, sealed.previous, columns, sealed.rows)
    return _line(dict(zip(_INSIDE, said, strict=True)))


def _line(what: Any) -> bytes:
    return json.dumps(what, separators=(",", ":"), ensure_ascii=True).encode("ascii") + b"\n"


def _lines(table: pa.Table) -> list[bytes]:
    columns = [c.cast(pa.int64()) if pa.types.is_timestamp(c.type) else c for c in table.columns]
    return sorted(_line(row) for row in zip(*(c.to_pylist() for c in columns), strict=True))


def _kind(field: pa.Field[Any]) -> str:
    kind: Any = field.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "string"
    if pa.types.is_boolean(kind):
        return "boolean"
    if pa.types.is_integer(kind) or (pa.types.is_decimal(kind) and kind.scale == 0):
        return "integer"
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return "time"
    raise NasacctError(
        f"the column {field.name} cannot be sealed: {kind} is no string, integer, boolean or time with a zone", DATA
    )


def _cast(table: pa.Table, columns: tuple[tuple[str, str], ...]) -> pa.Table:
    """The table in the types that sealed columns have; NasacctError when a value does not fit."""
    made: list[Any] = []
    for name, kind in columns:
        try:
            made.append(table.column(name).cast(_KINDS[kind][0]))
        except pa.ArrowException as error:
            raise NasacctError(f"the column {name} cannot be sealed: {str(error).splitlines()[0]}", DATA) from None
    return pa.table(made, names=[name for name, _ in columns])


def _decoded(sealed: Seal, lines: list[bytes]) -> pa.Table:
    kinds = [_KINDS[kind] for _, kind in sealed.columns]
    values = []
    for line in lines:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, list) or len(row) != len(kinds):
            raise SealError("has a row that does not fit its columns")
        if not all(v is None or type(v) is of for v, (_, of) in zip(row, kinds, strict=True)):
            raise SealError("has a row that does not fit its columns")
        values.append(row)
    columns = list(zip(*values, strict=True)) if values else [()] * len(kinds)
    try:
        arrays: list[Any] = [
            pa.array(v, pa.int64()).cast(kind) if of is int else pa.array(v, kind)
            for v, (kind, of) in zip(columns, kinds, strict=True)
        ]
    except (pa.ArrowException, ValueError, OverflowError):
        raise SealError("has a row that does not fit its columns") from None
    return pa.table(arrays, names=[name for name, _ in sealed.columns])
