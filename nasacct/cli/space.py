"""`nasacct space`: what datasets hold, and when they will be full."""

import dataclasses
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nasacct.cli.answer import Column, Form, form, show
from nasacct.cli.options import ConfigFile, Csv, Json, Root, configured, span
from nasacct.errors import CONFIG, DATA, NO_INPUT, OK, UNAVAILABLE, USAGE
from nasacct.store.root import existing
from nasacct.times import render
from nasacct.units import in_bytes

if TYPE_CHECKING:
    from nasacct.reports.space import Space

EXAMPLES = {
    "nasacct space --sort full": "which datasets will be full first, and when",
    "nasacct space --member 1001": "what one member's datasets hold",
    "nasacct space --json": "the same for a program, with every digit",
}
#: With fewer days there is no trend.
_LEAST_S = 10 * 86400
STATUSES = (OK, USAGE, DATA, NO_INPUT, UNAVAILABLE, CONFIG)


class Sort(StrEnum):
    """By what datasets are in order."""

    name = "name"
    used = "used"
    full = "full"


def space(
    member: Annotated[str | None, typer.Option("--member", metavar="ID", help="Only this member's.")] = None,
    sort: Annotated[
        Sort, typer.Option("--sort", help="By name, the greatest first, or who is full first.")
    ] = Sort.name,
    window: Annotated[
        str, typer.Option("--window", metavar="LENGTH", help="Of how long the trend is, such as 30d.")
    ] = "90d",
    root: Root = None,
    config: ConfigFile = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Say what datasets hold, and when they will be full.

    As `zfs list` told the source `space`, where it is enabled: USED with all below a dataset and its snapshots, LEFT by
    all quotas and by what the pool has. FULL IN is when nothing is left, if it goes on as in the days of --window: half
    of the chances are before the first figure, nine in ten between the two in parentheses. It takes ten days at least.
    """
    shape = form(as_json=as_json, as_csv=as_csv)
    settings = configured(config, root)
    days = timedelta(seconds=span(window, "--window", _LEAST_S) or 0)
    existing(settings.root)
    from nasacct.reports.space import space as every

    found = sorted(every(settings.root, member, days, settings.store.ring_dir), key=_order(sort))
    rows: list[dict[str, Any]] = [dataclasses.asdict(one) for one in found]
    if shape is Form.TABLE:
        rows = [row | {"full": _full(one)} for row, one in zip(rows, found, strict=True)]
    columns = [
        *([Column("node", "NODE")] if len({one.node for one in found}) > 1 else []),
        Column("name", "DATASET"),
        *([Column("member", "MEMBER", absent="")] if any(one.member for one in found) else []),
        Column("used_bytes", "USED", in_bytes),
        Column("available_bytes", "LEFT", in_bytes),
        Column("quota_bytes", "QUOTA", in_bytes, absent="-"),
        Column("full", "FULL IN"),
    ]
    if shape is Form.CSV:
        from nasacct.reports.space import Space

        columns = [Column(field.name, field.name) for field in dataclasses.fields(Space)]
    heading = "no space was read; `space` must be enabled"
    if member is not None:
        heading = f"of member {member} no dataset is known"
    if found:
        heading = f"read last at {render(max(one.at for one in found), settings.tz)}"
    show(rows, columns, shape, heading)


def _order(sort: Sort) -> Any:
    never = float("inf")

    def key(one: "Space") -> Any:
        if sort is Sort.full:
            ends = (one.full_days, one.full_days_low)
            return not one.is_foreseen, *(never if end is None else end for end in ends)
        return -(one.used_bytes or 0) if sort is Sort.used else 0

    return key


def _full(one: "Space") -> str:
    """When it will be full, for people."""
    if not one.is_foreseen:
        return f"unknown, {one.days} day{'s' * (one.days != 1)} known"
    low, likely, high = (
        None if d is None else _in_days(d) for d in (one.full_days_low, one.full_days, one.full_days_high)
    )
    if low is None:
        return "not foreseen"
    if likely is None:
        return f"{low} or more"
    if high is None:
        return f"{likely} ({low} or more)"
    if low == high:
        return likely
    number, _, unit = low.partition(" ")
    return f"{likely} ({number if unit == high.partition(' ')[2] else low} .. {high})"


def _in_days(days: float) -> str:
    """A few hours, days or years, no more precise than anybody knows."""
    if days < 2:
        return f"{24 * days:.0f} h"
    return f"{days:.0f} d" if days < 730 else f"{days / 365:.1f} y"
