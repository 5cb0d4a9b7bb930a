"""What is kept of episodes: a file for each kind, pool and UTC day, immutable, whole or not there.

    ROOT/node=N/judged/POOL/facts-2026-11-23-DIGEST.parquet     what saturation is judged by, a row every ten seconds
    ROOT/node=N/judged/POOL/model-2026-11-23-DIGEST.parquet     what requests cost up to that day, a row a server
    ROOT/node=N/judged/POOL/used-2026-11-23-DIGEST.parquet      whose the disk time was, a row a server and hour
    ROOT/node=N/judged/POOL/episodes-2026-11-23-DIGEST.json     the episodes that began on that day
    ROOT/node=N/judged/POOL/provisional.json                    the episode that goes on, as long as it does

POOL is the pool's name, in which every byte but A-Z, a-z, 0-9, `.` and `-` is `_` and two hexadecimal digits. DIGEST is
that of the file, as in a segment's name. Every file has a version, a JSON object's `nasacct_judged`: of a Parquet file
it stands in the metadata under that key. Who is named in them is a server, never a member; members are joined when
asked.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, cast

import pyarrow as pa
import pyarrow.parquet as pq

from nasacct.errors import DATA, NasacctError
from nasacct.store.finding import Finding
from nasacct.store.root import write_atomically
from nasacct.store.segment_file import digest_of
from nasacct.store.segments import SegmentError
from nasacct.store.sync import sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nasacct.store.tree import Tree

Kind = Literal["facts", "model", "used", "episodes"]

#: The version of these files that this program reads and writes.
VERSION = 1
FOLDER, PROVISIONAL = "judged", "provisional.json"
_KEY = "nasacct_judged"
_NAME = re.compile(r"(facts|model|used|episodes)-(\d{4}-\d\d-\d\d)-([0-9a-f]{16})\.(parquet|json)")
_PLAIN = re.compile(r"[A-Za-z0-9.-]")
_ESCAPED = re.compile(r"_([0-9a-f]{2})")
_SMALL = 12


@dataclass(frozen=True, slots=True)
class Judged:
    """One file by its name."""

    path: Path
    pool: str
    kind: Kind
    day: date
    digest: str


def start_of(day: date) -> int:
    """Unix time at which a UTC day begins."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def day_of(moment: float) -> date:
    """The UTC day of a Unix time."""
    return datetime.fromtimestamp(moment, UTC).date()


def next_day(day: date, count: int = 1) -> date:
    """The day so many days later."""
    return day + timedelta(days=count)


def named(path: Path) -> Judged | None:
    """What the path's name says; None when it is no such file."""
    match = _NAME.fullmatch(path.name)
    if match is None or (match[1] == "episodes") != (match[4] == "json"):
        return None
    try:
        day = date.fromisoformat(match[2])
    except ValueError:
        return None
    return Judged(path, _plain(path.parent.name), cast("Kind", match[1]), day, match[3])


def listed(tree: Tree, pool: str | None = None) -> list[Judged]:
    """The files of a tree, or of one pool, by pool, kind and day; of two of one day only the first. OSError."""
    found: dict[tuple[str, str, date], Judged] = {}
    for path in sorted((tree.folder / FOLDER).glob("*/*" if pool is None else f"{_folder(pool)}/*")):
        file = named(path)
        if file is not None:
            found.setdefault((file.pool, file.kind, file.day), file)
    return list(found.values())


def write_table(tree: Tree, pool: str, kind: Kind, day: date, table: pa.Table, said: dict[str, Any]) -> Judged:
    """Keep rows with what is `said` of all of them. OSError."""
    meta = {_KEY: _encoded({_KEY: VERSION, "rows": len(table), **said})}
    folder = _made(tree, pool)
    temporary = folder / f".{kind}.parquet.tmp"
    try:
        with temporary.open("wb") as file:
            pq.write_table(
                table.replace_schema_metadata(meta),
                file,
                compression="zstd",
                compression_level=_SMALL,
                write_page_checksum=True,
                write_statistics=False,
            )
            file.flush()
            os.fsync(file.fileno())
        return _named(temporary, folder, pool, kind, day, "parquet")
    finally:
        temporary.unlink(missing_ok=True)


def write_text(tree: Tree, pool: str, kind: Kind, day: date, said: dict[str, Any]) -> Judged:
    """Keep what is `said`, a JSON object. OSError."""
    folder = _made(tree, pool)
    temporary = folder / f".{kind}.json.tmp"
    try:
        with temporary.open("wb") as file:
            file.write(_encoded({_KEY: VERSION, **said}) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        return _named(temporary, folder, pool, kind, day, "json")
    finally:
        temporary.unlink(missing_ok=True)


def said(file: Judged) -> dict[str, Any]:
    """What a file says: all of a JSON file, of a Parquet file what is said of all rows.

    SegmentError when it is damaged, NasacctError when it is of a newer version, OSError.
    """
    try:
        if file.kind == "episodes":
            found = json.loads(file.path.read_bytes())
        else:
            found = json.loads((pq.read_schema(file.path).metadata or {})[_KEY.encode()])
        version = found[_KEY]
    except (ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise SegmentError(f"{file.path} is damaged: {error}") from None
    if not isinstance(version, int) or version < 1:
        raise SegmentError(f"{file.path} is damaged: it has no version")
    if version > VERSION:
        raise NasacctError(
            f"{file.path} has version {version}, this nasacct knows versions up to {VERSION}; update nasacct", DATA
        )
    return cast("dict[str, Any]", found)


def read_table(file: Judged) -> tuple[pa.Table, dict[str, Any]]:
    """A Parquet file's rows and what it says of them; errors as of `said`."""
    told = said(file)
    try:
        return pq.read_table(file.path, use_threads=False, page_checksum_verification=True), told
    except (pa.ArrowException, ValueError) as error:
        raise SegmentError(f"{file.path} is damaged: {error}") from None


def sound(file: Judged) -> None:
    """Read all of a file: SegmentError when it is not what its name says, NasacctError when it is newer; OSError."""
    if digest_of(file.path) != file.digest:
        raise SegmentError(f"{file.path} does not have the digest in its name; it was changed or damaged")
    if file.kind == "episodes":
        said(file)
        return
    table, told = read_table(file)
    if told.get("rows") != len(table):
        raise SegmentError(f"{file.path} has {len(table)} rows and should have {told.get('rows')}")


def refuse_newer(tree: Tree) -> None:
    """NasacctError when any file is of a version that this program does not know; others are for the check to tell."""
    for file in listed(tree):
        try:
            said(file)
        except (SegmentError, OSError):
            continue


def expire(tree: Tree, before: date) -> int:
    """Delete what is of earlier days; gives back how many files. OSError."""
    old = [file for file in listed(tree) if file.day < before]
    for file in old:
        file.path.unlink()
    for folder in {file.path.parent for file in old}:
        sync_folder(folder)
    return len(old)


def clean(tree: Tree) -> None:
    """Remove what a keeper that was killed left half written."""
    for path in (tree.folder / FOLDER).glob("*/.*.tmp"):
        path.unlink()


def findings(tree: Tree) -> Iterator[Finding]:
    """What is wrong with these files, and what does not belong among them."""
    days: dict[tuple[str, str, date], Path] = {}
    for path in sorted((tree.folder / FOLDER).glob("*/*")):
        file = named(path)
        if file is None:
            if path.name.startswith(".") and path.name.endswith(".tmp"):
                yield Finding("leftover", path, "was left by a keeper that was killed")
            elif path.name != PROVISIONAL:
                yield Finding("foreign", path, "is nothing that is kept of episodes")
            continue
        first = days.setdefault((file.pool, file.kind, file.day), path)
        if first != path:
            yield Finding("duplicate", path, f"is of a day of which {first.name} is; that one counts")
        try:
            sound(file)
        except FileNotFoundError:
            continue
        except SegmentError as error:
            yield Finding("damaged", path, f"{str(error).removeprefix(str(path)).strip(' :')}; move it away")
        except NasacctError as error:
            yield Finding("newer", path, f"is of a newer version: {error.sentence}")
        except OSError as error:
            yield Finding("unreadable", path, f"cannot be read: {error.strerror}")


def put_provisional(tree: Tree, pool: str, told: dict[str, Any] | None) -> None:
    """Say which episode goes on in a pool, None: none does. OSError."""
    path = tree.folder / FOLDER / _folder(pool) / PROVISIONAL
    if told is None:
        path.unlink(missing_ok=True)
        return
    _made(tree, pool)
    write_atomically(path, _encoded({_KEY: VERSION, **told}) + b"\n")


def provisional(tree: Tree) -> dict[str, dict[str, Any]]:
    """By pool, what goes on. What cannot be read or is of a newer version is nothing."""
    found = {}
    for path in (tree.folder / FOLDER).glob(f"*/{PROVISIONAL}"):
        try:
            told = json.loads(path.read_bytes())
            if told[_KEY] <= VERSION:
                found[_plain(path.parent.name)] = told
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found


def _named(temporary: Path, folder: Path, pool: str, kind: Kind, day: date, ending: str) -> Judged:
    digest = digest_of(temporary)
    path = folder / f"{kind}-{day.isoformat()}-{digest}.{ending}"
    temporary.replace(path)
    sync_folder(folder)
    return Judged(path, pool, kind, day, digest)


def _made(tree: Tree, pool: str) -> Path:
    folder = tree.folder / FOLDER / _folder(pool)
    folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    return folder


def _encoded(said: dict[str, Any]) -> bytes:
    return json.dumps(said, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _folder(pool: str) -> str:
    """The pool's name as one of a folder."""
    first, *rest = pool.encode() or b"_"
    return _escaped(first, "[A-Za-z0-9]") + "".join(_escaped(byte) for byte in rest)


def _escaped(byte: int, plain: str = _PLAIN.pattern) -> str:
    return chr(byte) if re.fullmatch(plain, chr(byte)) else f"_{byte:02x}"


def _plain(folder: str) -> str:
    """The pool's name of a folder's."""
    return (
        _ESCAPED.sub(lambda match: chr(int(match[1], 16)), folder)
        .encode("latin-1", "replace")
        .decode("utf-8", "replace")
    )
