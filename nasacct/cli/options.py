"""The options that commands share, and what they become: a configuration, a form of answer, a span of time."""

import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from nasacct.errors import DATA, USAGE, NasacctError, of_os
from nasacct.units import seconds

if TYPE_CHECKING:
    from nasacct.config import Config

_LENGTH = re.compile(r"\d+[smhdw]")
Root = Annotated[
    str | None,
    typer.Option("--root", metavar="DIR", help="The store. [default: NASACCT_ROOT, else as configured]"),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="The configuration. [default: NASACCT_CONFIG, else /etc/nasacct.toml if any]"
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Answer as JSON: all digits, times in UTC, null where unknown.")]
Csv = Annotated[bool, typer.Option("--csv", help="Answer as CSV with the same fields as --json.")]
Since = Annotated[
    str | None,
    typer.Option(
        "--since",
        "--from",
        metavar="TIME",
        help="From this moment on: 2026-11-23, '2026-11-23 14:05', 14:05, 'tue 14:05', yesterday, -2h, now.",
    ),
]
Ago = Annotated[
    str, typer.Option("--since", "--from", metavar="TIME", help="From this moment on, or so long ago: 30d.")
]
OnlyPool = Annotated[
    str | None, typer.Option("--pool", metavar="NAME", help="Only this pool, or only its log: tank/log.")
]
OnlyNode = Annotated[str | None, typer.Option("--node", metavar="NAME", help="Only this node.")]
Until = Annotated[
    str | None, typer.Option("--until", "--to", metavar="TIME", help="Up to this moment, written as for --since.")
]


def configured(config: Path | None, root: str | None = None, **more: Any) -> "Config":
    """The configuration with the command line's values over the environment's over the file's."""
    from nasacct.config import load

    return load(config, overrides={"root": root, **more})


def content(file: Path, most: int, longer: str) -> tuple[str, bytes]:
    """What an argument's file is called and holds, `-`: standard input; NasacctError.

    One of more than `most` bytes is refused, and the sentence ends as `longer` says.
    """
    named = "standard input" if str(file) == "-" else str(file)
    try:
        with sys.stdin.buffer if str(file) == "-" else file.open("rb") as stream:
            read = stream.read(most + 1)
    except OSError as error:
        raise of_os(error, f"reading {named}") from None
    if len(read) > most:
        raise NasacctError(f"{named} {longer}", DATA)
    return named, read


def moment(text: str | None, zone: ZoneInfo, option: str, *, end: bool = False) -> datetime | None:
    """The moment an option names, in UTC; None when it was not given."""
    from nasacct.times import TimeError, parse

    if text is None:
        return None
    try:
        return parse(text, datetime.now(UTC), zone, end=end)
    except TimeError as error:
        raise NasacctError(f"{option}: {error}", USAGE) from None


def long_ago(text: str) -> str:
    """A moment as it is parsed, of one that may be a length of time alone: `30d` is 30 days ago."""
    return f"-{text}" if _LENGTH.fullmatch(text) else text


def span(text: str | None, option: str, least: float = 0) -> float | None:
    """The length of time an option names, in seconds; None when it was not given."""
    if text is None:
        return None
    try:
        length = seconds(text)
    except ValueError as error:
        raise NasacctError(f"{option}: {error}", USAGE) from None
    if length < least:
        raise NasacctError(f"{option} {text} is too short; say at least {least:g}s", USAGE)
    return length
