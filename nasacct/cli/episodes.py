"""`nasacct episodes`: when the disks did not keep up."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nasacct.cli.answer import Column, Form, form, show
from nasacct.cli.options import (
    Ago,
    ConfigFile,
    Csv,
    Json,
    OnlyNode,
    OnlyPool,
    Root,
    Until,
    configured,
    long_ago,
    moment,
)
from nasacct.errors import CONFIG, DATA, NO_INPUT, OK, UNAVAILABLE, USAGE, NasacctError
from nasacct.reports.sureness import HISTORY_S, SURE
from nasacct.store.root import existing
from nasacct.units import in_duration, in_percent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nasacct.reports.attribution.thresholds import Thresholds
    from nasacct.reports.episodes import Ledger

EXAMPLES = {
    "nasacct episodes": "when the disks did not keep up in the last 30 days, and who caused it",
    "nasacct episodes --since yesterday --all": "also what was short, or did not last",
    "nasacct episodes --since today --json": "also what members waited for that is no disk, for a program",
    "nasacct episodes --what-if busy=0.9": "which episodes other thresholds would add or take away",
}
STATUSES = (OK, USAGE, DATA, NO_INPUT, UNAVAILABLE, CONFIG)

#: What CSV has, and JSON beside what is in a structure.
_TOLD = "kind id node pool component from to duration_s state change minor truncated present".split()
_TOLD += "busy median wait_ms queue some full sync_s harm".split()


def episodes(
    since: Ago = "30d",
    until: Until = None,
    pool: OnlyPool = None,
    node: OnlyNode = None,
    every: Annotated[bool, typer.Option("--all", help="Also what was too short to matter, or was withdrawn.")] = False,
    what_if: Annotated[
        list[str] | None,
        typer.Option("--what-if", metavar="KEY=VALUE", help="With another threshold of [episodes]; may be said again."),
    ] = None,
    root: Root = None,
    config: ConfigFile = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Say when the disks did not keep up, and who caused it.

    From what `nasacct keep` keeps of each day; what it has not judged yet is found in usage and called provisional.
    An episode's name is its pool and when it began in UTC. Special, dedup and log disks of a pool are judged apart;
    where some did not keep up, DISKS says which. BUSY is of the busiest disk. HARM is whether members waited: an
    episode may be busy and harmless. Below stands what members waited for that is no disk, and so no member's guilt:
    threads of a server that were all busy while the disks were idle, a full link of the node. In JSON and CSV its
    `kind` is threads or link, that of an episode disks; with --what-if it is left out.
    """
    shape = form(as_json=as_json, as_csv=as_csv)
    settings = configured(config, root)
    begin = moment(long_ago(since), settings.tz, "--since")
    end = moment(until, settings.tz, "--until", end=True) or datetime.now(UTC)
    assert begin is not None
    existing(settings.root)
    from nasacct.reports.attribution.thresholds import Thresholds
    from nasacct.reports.episode_list import beside, ledgers, listed

    limits = Thresholds(**settings.episodes.model_dump())
    others = _others(limits, what_if) if what_if else None
    span = int(begin.timestamp()), int(end.timestamp())
    known = ledgers(settings.root, node, limits, settings.store.ring_dir, span)
    rows = listed(known, span, pool, others, every=every)
    waited = [] if others is not None else beside(known, span, pool)
    _show(rows, waited, shape, known, settings.tz, what_if=others is not None)


def _show(
    rows: list[dict[str, Any]],
    waited: list[dict[str, Any]],
    shape: Form,
    known: "list[Ledger]",
    zone: Any,
    *,
    what_if: bool,
) -> None:
    """Print episodes, and what members waited for beside disks, in one of the forms."""
    if shape is not Form.TABLE:
        rows = sorted([{"kind": "disks"} | row for row in rows] + waited, key=lambda row: int(row["from"]))
        for row in rows:
            row |= {"from": datetime.fromtimestamp(row["from"], UTC), "to": datetime.fromtimestamp(row["to"], UTC)}
        names = [*_TOLD, "verdict", "culprit", "share", "confidence", "name", "what"]
        if shape is Form.CSV:
            rows = [{name: row.get(name) for name in names} | _flat(row) for row in rows]
        show(rows, [Column(name, name) for name in names], shape)
        return
    for row in rows:
        row |= {
            # year and seconds are in the id, the zone above
            "at": f"{datetime.fromtimestamp(row['from'], zone):%m-%d %H:%M}",
            "hurt": _hurt(row),
            "who": in_words(row),
        }
    columns = [
        *([Column("change", "IF")] if what_if else []),
        Column("id", "EPISODE"),
        Column("at", "FROM"),
        Column("duration_s", "LENGTH", in_duration),
        *([Column("node", "NODE")] if len(known) > 1 else []),
        *([Column("component", "DISKS")] if any(row["component"] != "data" for row in rows) else []),
        Column("busy", "BUSY", in_percent),
        Column("hurt", "HARM"),
        Column("who", "WHO", absent=""),
    ]
    trouble = list(dict.fromkeys(line for each in known for line in each.trouble))
    heading = (
        f"when the disks did not keep up, in the time of {zone}"
        if rows
        else "the disks kept up all the time that is known"
    )
    show(rows, columns, shape, heading, "; ".join(trouble))
    if waited:
        _show_waited(waited, zone, nodes=len(known) > 1)


def _show_waited(waited: list[dict[str, Any]], zone: Any, *, nodes: bool) -> None:
    """A table of what was no disk."""
    for row in waited:
        row["at"] = f"{datetime.fromtimestamp(row['from'], zone):%m-%d %H:%M}"
    columns = [
        Column("at", "FROM"),
        Column("duration_s", "LENGTH", in_duration),
        *([Column("node", "NODE")] if nodes else []),
        Column("what", "WHAT"),
    ]
    print()
    show(waited, columns, Form.TABLE, "what members waited for that is no disk, and no member's guilt")


def _others(limits: "Thresholds", said: list[str]) -> "Thresholds":
    """The thresholds with what was said instead; NasacctError."""
    values: dict[str, float] = {}
    for each in said:
        name, _, value = each.partition("=")
        try:
            values[name.strip()] = float(value)
        except ValueError:
            raise NasacctError(f"--what-if {each} has no number; write it as busy=0.9", USAGE) from None
    try:
        return limits.other(values)
    except KeyError as error:
        names = ", ".join(limits.told())
        raise NasacctError(f"--what-if: there is no threshold {error.args[0]}; they are {names}", USAGE) from None
    except ValueError as error:
        raise NasacctError(f"--what-if: {error} cannot be; see [episodes] in docs/cli.md", USAGE) from None


def _flat(row: "Mapping[str, Any]") -> dict[str, Any]:
    """The verdict in fields of its own."""
    said, harm = row.get("verdict"), row.get("harm")
    top = _top(said)
    found = {"verdict": said and said["verdict"], "harm": harm and harm["harmful"]}
    return found | {
        "culprit": top and (top["name"] or top["kind"]),
        "share": top and top["share"],
        "confidence": top and top["confidence"],
    }


def _top(said: "Mapping[str, Any] | None") -> "Mapping[str, Any] | None":
    """The culprit who is surest."""
    culprits = [each for each in said["entities"] if each["culprit"]] if said else []
    return max(culprits, key=lambda each: each["confidence"], default=None)


def _hurt(row: "Mapping[str, Any]") -> str | None:
    harm = row.get("harm")
    if harm is None or harm["harmful"] is None:
        return None
    return f"{harm['hurt']} hurt" if harm["harmful"] else "none"


def in_words(row: "Mapping[str, Any]") -> str:
    """The verdict as a person reads it."""
    said = row.get("verdict")
    notes = [str(row["state"])] if row["state"] != "confirmed" else []
    notes += [each["what"] for each in row["causes"]]
    if said is None:
        return "; ".join([*notes, "not judged yet"]) if row["state"] == "confirmed" else "; ".join(notes)
    if said.get("withheld"):
        return "; ".join([*notes, f"not said: {said['withheld']}"])
    return "; ".join([*notes, _blamed(said)])


def _blamed(said: "Mapping[str, Any]") -> str:
    top = _top(said)
    if top is None:
        return "many did a little each" if said["verdict"] == "diffuse" else "nobody that is known"
    names = {"local": "this machine's own work", "hardware": f"disk {top['name']}"}
    who = names.get(top["kind"], str(top["name"]).replace(":", " "))
    others = sum(each["culprit"] for each in said["entities"]) - 1
    more = f" and {others} more" if others else ""
    sure = "" if top["confidence"] >= SURE else "probably "
    short = said.get("history_s", HISTORY_S) < HISTORY_S
    after = f", by {in_duration(said['history_s'])} of history" if short else ""
    return (
        f"{sure}{who}{more}: {in_percent(top['share'])} of the disk time, {in_percent(top['confidence'])} sure{after}"
    )
