"""`nasacct verdict`: whether what is said of an episode was right."""

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nasacct.cli.answer import Column, Form, form, show
from nasacct.cli.options import ConfigFile, Csv, Json, Root, configured
from nasacct.errors import (
    CONFIG,
    DATA,
    IO,
    NO_INPUT,
    OK,
    PERMISSION,
    TEMPORARY,
    UNAVAILABLE,
    USAGE,
    NasacctError,
    of_os,
)
from nasacct.times import render
from nasacct.units import in_count, in_percent

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from nasacct.reports.hit_rate import HitRate
    from nasacct.store.judgements import Judgement, Said

EXAMPLES = {
    'nasacct verdict tank-20261127-140500 confirm --note "its owner says so"': "the verdict on an episode was right",
    'nasacct verdict tank-20261127-140500 reject --note "it was a scrub"': "it was wrong",
    "nasacct verdict --list": "what was judged, and how often the verdict was right",
    "nasacct verdict --rate": "how often, by kind of verdict and by confidence",
}
STATUSES = (OK, USAGE, DATA, NO_INPUT, UNAVAILABLE, IO, TEMPORARY, PERMISSION, CONFIG)


class Judging(StrEnum):
    """What somebody says of a verdict."""

    confirm = "confirm"
    reject = "reject"


_SAID: "dict[Judging, Said]" = {Judging.confirm: "confirmed", Judging.reject: "rejected"}
_NAMES = ("episode", "judgement", "note", "by", "told", "verdict", "culprits", "confidence", "holds")


def verdict(
    episode: Annotated[
        str | None, typer.Argument(metavar="EPISODE", help="The episode, as `nasacct episodes` calls it.")
    ] = None,
    judging: Annotated[
        Judging | None, typer.Argument(metavar="JUDGEMENT", help="confirm: it was right; reject: it was wrong.")
    ] = None,
    note: Annotated[str | None, typer.Option("--note", metavar="TEXT", help="Why, in a few words.")] = None,
    by: Annotated[str | None, typer.Option("--by", metavar="WHO", help="Who says so. [default: not said]")] = None,
    listed: Annotated[bool, typer.Option("--list", help="Show what was judged, of EPISODE if given.")] = False,
    rate: Annotated[bool, typer.Option("--rate", help="Show how often verdicts were right.")] = False,
    erase: Annotated[
        bool, typer.Option("--erase", help="Erase what was written of EPISODE for ever, as when it names somebody.")
    ] = False,
    root: Root = None,
    config: ConfigFile = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Say whether the verdict on an episode was right.

    Who knows what it was in the end tells it, and so how far verdicts are to be trusted here. A later judgement of an
    episode replaces the one before; both are kept. --rate shows how many of the judged verdicts were confirmed, with
    the interval in which the truth lies nine times in ten, by kind of verdict and by how sure it was of its culprits.
    What was judged is what the keeper says of the episode, or `why` as long as the keeper has not judged it.
    """
    shape = form(as_json=as_json, as_csv=as_csv)
    wanted = sum((judging is not None, listed, rate, erase))
    if wanted != 1 or (episode is None and not (listed or rate)):
        raise NasacctError("name an episode and say confirm or reject, or --list, --rate or --erase", USAGE)
    if judging is None and (note is not None or by is not None):
        raise NasacctError("--note and --by go with confirm and reject; leave them out", USAGE)
    if rate and episode is not None:
        raise NasacctError("--rate is of all episodes; leave out which", USAGE)
    settings = configured(config, root)
    from nasacct.reports.attribution.thresholds import Thresholds
    from nasacct.reports.hit_rate import hit_rates
    from nasacct.reports.judged_now import judged_now, with_what_was_judged
    from nasacct.store import judgements
    from nasacct.store.root import existing

    now = datetime.now(UTC)
    existing(settings.root)
    try:
        if episode is not None:
            judgements.known(episode)
        if judging is not None:
            limits = Thresholds(**settings.episodes.model_dump())
            judged = judged_now(settings.root, episode or "", limits, settings.store.ring_dir)
            judgements.judge(settings.root, episode or "", _SAID[judging], now, judged=judged, text=note, by=by)
        elif erase:
            judgements.erase(settings.root, episode or "", now)
        every = with_what_was_judged(settings.root, judgements.read(settings.root))
    except OSError as error:
        raise of_os(error, f"reading the judgements of {settings.root}") from None
    if rate:
        _show_rates(hit_rates(every), shape)
        return
    found = [each for each in every if episode in (None, each.episode)]
    _show(found, shape, settings.tz, _told(hit_rates(every)[0]) if found else "nothing was judged")


def _told(rate: "HitRate") -> str:
    """The hit rate in a sentence."""
    right = f"{in_count(rate.confirmed)} of {in_count(rate.judged)} judged verdicts were right"
    return f"{right}: {_percent(rate)}; `nasacct verdict --rate` tells them apart"


def _percent(rate: "HitRate") -> str:
    if rate.rate is None:
        return "unknown"
    return f"{in_percent(rate.rate)} [{100 * rate.rate_lo:.0f}, {100 * rate.rate_hi:.0f}]"


def _show_rates(rates: "list[HitRate]", shape: Form) -> None:
    names = ("of", "which", "judged", "confirmed", "rate", "rate_lo", "rate_hi")
    rows: list[dict[str, Any]] = [{name: getattr(one, name) for name in names} for one in rates]
    if shape is Form.TABLE:
        rows = [row | {"rate": _percent(one)} for row, one in zip(rows, rates, strict=True)]
    columns = [
        Column("of", "BY"),
        Column("which", "WHICH"),
        Column("judged", "JUDGED", in_count),
        Column("confirmed", "RIGHT", in_count),
        Column("rate", "HIT RATE"),
    ]
    show(rows, columns, shape)


def _show(found: "list[Judgement]", shape: Form, zone: "ZoneInfo", heading: str) -> None:
    rows = [_row(one) for one in found]
    if shape is Form.TABLE:
        rows = [
            row
            | {
                "judgement": row["judgement"] + ("" if row["holds"] else " (replaced)"),
                "culprits": ", ".join(row["culprits"] or ()) or None,
                "note": re.sub(r"\s+", " ", row["note"] or ""),
            }
            for row in rows
        ]
    known = any(row["verdict"] for row in rows)
    columns = [
        Column("episode", "EPISODE"),
        *([Column("verdict", "VERDICT"), Column("culprits", "CULPRITS", absent="-")] if known else []),
        *([Column("confidence", "CONFIDENCE", in_percent, absent="-")] if known else []),
        Column("judgement", "JUDGEMENT"),
        Column("told", "TOLD", lambda at: render(at, zone), left=True),
        *([Column("by", "BY", absent="")] if any(row["by"] for row in rows) else []),
        *([Column("note", "NOTE")] if any(row["note"] for row in rows) else []),
    ]
    if shape is Form.CSV:
        columns = [Column(name, name) for name in _NAMES]
    show(rows, columns, shape, heading)


def _row(one: "Judgement") -> dict[str, Any]:
    judged = one.judged
    return {
        "episode": one.episode,
        "judgement": one.judgement,
        "note": one.text,
        "by": one.by,
        "told": one.told,
        "verdict": None if judged is None else judged.verdict,
        "culprits": None if judged is None else list(judged.culprits),
        "confidence": None if judged is None else judged.confidence,
        "holds": one.holds,
    }
