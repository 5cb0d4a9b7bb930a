"""`nasacct why`: who saturated the disks in some minutes, how sure that is, and what to do about it."""

import json
import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from nasacct.cli.options import ConfigFile, Root, Since, Until, configured, moment, span
from nasacct.errors import CONFIG, DATA, NO_INPUT, OK, UNAVAILABLE, USAGE, NasacctError
from nasacct.store.root import existing

if TYPE_CHECKING:
    from pathlib import Path

    from nasacct.config import Config
    from nasacct.reports.attribution.thresholds import Thresholds
    from nasacct.store.warehouse import Warehouse

EXAMPLES = {
    "nasacct why tank-20261124-130510": "an episode, by its id",
    'nasacct why "tue 14:05"': "the episode around that moment, or the ten minutes around it",
    "nasacct why 14:00..14:20": "these minutes",
    "nasacct why --pool tank --last 15m": "the newest quarter of an hour of one pool",
    "nasacct why 14:05 --json": "the same for a program, with every number",
    "nasacct why tank-20261124-130510 --for-member 1001 --lang cs": "what a member may be sent about it",
}
STATUSES = (OK, USAGE, DATA, NO_INPUT, UNAVAILABLE, CONFIG)
_LEAST_S = 30
_LAST = "15m"
_ONCE = "name the time once: WHEN, --last, or --from and --to"
#: An episode's id, as `nasacct episodes` shows it.
_EPISODE = re.compile(r"[A-Za-z0-9_.:-]+-\d{8}-\d{6}")


class Lang(StrEnum):
    """The languages of what members are sent."""

    cs = "cs"
    en = "en"


def why(
    when: Annotated[
        str | None,
        typer.Argument(
            metavar="WHEN", help="A moment ('tue 14:05'), a window (14:00..14:20), or an episode. [default: --last 15m]"
        ),
    ] = None,
    last: Annotated[
        str | None, typer.Option("--last", metavar="LENGTH", help="The newest so much of the node, such as 15m.")
    ] = None,
    since: Since = None,
    until: Until = None,
    pool: Annotated[
        str | None,
        typer.Option("--pool", metavar="NAME", help="Of this pool, or of its log: tank/log. [default: the worst one]"),
    ] = None,
    node: Annotated[str | None, typer.Option("--node", metavar="NAME", help="Of this node's disks.")] = None,
    root: Root = None,
    config: ConfigFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer as JSON: every number, times in UTC.")] = False,
    for_member: Annotated[
        str | None, typer.Option("--for-member", metavar="ID", help="Write what this member may be sent about it.")
    ] = None,
    lang: Annotated[Lang, typer.Option("--lang", help="The language of --for-member.")] = Lang.en,
) -> None:
    """Say who saturated the disks, how sure that is, and what to do.

    From normal hours is learnt how much disk time each kind of request of each member costs; in the window the disk
    time that was really used is divided among members, the machine's own work and slow hardware so that it fits both
    amounts and starts and stops. SHARE is of the disk time, nine in ten truths lie BETWEEN the two figures; INCREASE is
    the share of what was more than usual. Who probably caused a fifth of the increase or more is named: from a
    CONFIDENCE of 80 % on as who caused it, from 50 % on as who probably did. What nobody's requests explain is unknown.
    Commands among what can be done are printed and never run.

    With --for-member: a text that this member may be sent. It tells their own part and what they lost, and nobody else.
    """
    if for_member is not None and as_json:
        raise NasacctError("--for-member is a text; leave --json out", USAGE)
    settings = configured(config, root)
    existing(settings.root)
    from nasacct.reports import dossier_text, dossiers
    from nasacct.reports.attribution.thresholds import Thresholds
    from nasacct.reports.for_member import of, written
    from nasacct.reports.minutes import chosen, episode

    warehouse = chosen(settings.root, node, settings.store.ring_dir)
    limits = Thresholds(**settings.episodes.model_dump())
    if when is not None and _EPISODE.fullmatch(when):
        if last is not None or since is not None or until is not None:
            raise NasacctError(_ONCE, USAGE)
        begin, end, of_pool = episode(warehouse, when, limits)
        found = dossiers.dossier(warehouse, begin, end, of_pool, when, limits)
    else:
        begin, end = _window(warehouse, settings, when, last, since, until, pool, limits)
        found = dossiers.dossier(warehouse, begin, end, pool, None, limits)
    if for_member is not None:
        _check_member(settings.root, for_member)
        print(written(of(found, for_member, settings.tz), lang.value), end="")
    elif as_json:
        print(json.dumps(found.as_json()))
    else:
        print(dossier_text.text(found, settings.tz), end="")


def _check_member(root: "Path", member: str) -> None:
    """NasacctError for who is no member: a text of nothing would seem to say that all was well."""
    from nasacct.store import inventory

    known = inventory.read(root)
    exports = (i.properties.get("member") for of in known.things("export").values() for i in of)
    if member not in known.things("member") and member not in exports:
        raise NasacctError(
            f"the inventory knows no member {member}; `nasacct inventory show member` lists them", NO_INPUT
        )


def _window(
    warehouse: "Warehouse",
    settings: "Config",
    when: str | None,
    last: str | None,
    since: str | None,
    until: str | None,
    pool: str | None,
    limits: "Thresholds",
) -> tuple[datetime, datetime]:
    """From when to when is asked."""
    from nasacct.reports.minutes import around, extent

    named = (when is not None) + (last is not None) + (since is not None or until is not None)
    if named > 1:
        raise NasacctError(_ONCE, USAGE)
    if when is not None and ".." not in when:
        return around(warehouse, _moment(when, settings, "WHEN"), pool, limits)
    if when is not None:
        since, _, until = when.partition("..")
    if since is None and until is None:
        length = span(last or _LAST, "--last", _LEAST_S) or 0
        newest = extent(warehouse)[1]
        return newest - timedelta(seconds=length), newest
    if not since:
        raise NasacctError("say also from when: --from, or FROM..TO", USAGE)
    begin = _moment(since, settings, "--from")
    end = _moment(until, settings, "--to", end=True) if until else datetime.now(UTC)
    if (end - begin).total_seconds() < _LEAST_S:
        raise NasacctError(f"that is no window of {_LEAST_S} s or more; say when it begins before when it ends", USAGE)
    return begin, end


def _moment(text: str, settings: "Config", option: str, *, end: bool = False) -> datetime:
    found = moment(text.strip(), settings.tz, option, end=end)
    assert found is not None
    return found
