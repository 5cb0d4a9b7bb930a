"""A dossier as a text that a person can forward: plain, deterministic, from the dossier alone."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from nasacct.plain import plain
from nasacct.reports.sureness import SURE
from nasacct.reports.text_lines import bullets, columns, indented, section, wrapped
from nasacct.times import render
from nasacct.units import in_bits_per_s, in_bytes_per_s, in_count, in_duration, in_percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from zoneinfo import ZoneInfo

    from nasacct.reports.dossier import Asked, Bottleneck, Dossier, Entity, Noted, State, Victim

HOW = {
    "random_read": "random reads",
    "seq_read": "reads in sequence",
    "bulk_write": "bulk writes",
    "sync_write": "an fsync storm",
    "metadata": "a metadata storm",
    "delete": "deletes",
}
_NOBODY = {
    "diffuse": "Many together caused this, and nobody of them by himself.",
    "unknown": "Who caused this is not known; nobody among the members is named.",
}
#: Calls of a server that are told, by their names in the scene.
_CALLS = {
    "reads": "reads/s",
    "writes": "writes/s",
    "commits": "commits/s",
    "lookups": "metadata reads/s",
    "changes": "metadata changes/s",
    "removes": "removes/s",
}
#: Entities with less of the disk time are not in the table.
_SHOWN, _MOST = 0.02, 12


def text(told: Dossier, zone: ZoneInfo) -> str:
    """The dossier, with moments of a zone."""
    # names were written by others: none may move the cursor of whoever reads it, or begin a line
    told = _safe(told)
    parts = [_head(told, zone), *_verdict(told, zone)]
    parts.append(section("What members waited for that is no disk", bullets(map(_waited, told.bottlenecks))))
    parts.append(section("How bad it was", _states(told.states)))
    parts.append(section("Who used the disks", _entities(told)))
    parts.append(section("Who suffered", _victims(told.victims) or ["  nobody's calls fell or waited much longer"]))
    parts.append(section("What changed", bullets(told.changed)))
    parts.append(section("What was ruled out", bullets(f"{each.what}: {each.why}" for each in told.ruled_out)))
    parts.append(section("Without it", bullets(_without(told))))
    parts.append(section("What can be done", _hints(told)))
    parts.append(section("What admins noted", bullets(_noted(each, zone) for each in told.notes)))
    parts.append(section("What makes it less sure", bullets((*told.caveats, *told.trouble))))
    parts.append(section("To check it", [f"  {each}" for each in told.checks]))
    return "\n\n".join(part for part in parts if part) + "\n"


def _safe(told: Any) -> Any:
    """The same with all texts plain."""
    if isinstance(told, str):
        return plain(told)
    if isinstance(told, tuple):
        return tuple(map(_safe, told))
    if dataclasses.is_dataclass(told) and not isinstance(told, type):
        return dataclasses.replace(told, **{f.name: _safe(getattr(told, f.name)) for f in dataclasses.fields(told)})
    return told


def _head(told: Dossier, zone: ZoneInfo) -> str:
    length = in_duration((told.end - told.begin).total_seconds())
    kept_up = f"did not keep up for {in_percent(told.saturated)} of it" if told.saturated else "kept up"
    episode = f"Episode {told.episode}: " if told.episode else ""
    hurt = (
        {True: " Others waited for it.", False: " Nobody else waited for it.", None: ""}[told.harmful]
        if told.saturated
        else ""
    )
    return (
        f"{episode}{told.node}, pool {told.pool}\n"
        f"{render(told.begin, zone)} to {render(told.end, zone)} ({length})\n"
        f"Its {told.component + ' ' if len(told.components) > 1 else ''}disks {kept_up}.{hurt}"
    )


def _verdict(told: Dossier, zone: ZoneInfo) -> Iterable[str]:
    culprits = told.culprits
    if not culprits:
        said = _NOBODY.get(told.verdict, _NOBODY["unknown"]) if told.saturated else "Nobody is at fault."
        yield _no_disk(told) if told.bottlenecks and not told.saturated else said
        return
    if told.verdict == "unknown":
        share = in_percent(culprits[0].share)
        said = f"{_NOBODY['unknown']} Most of it, {share} of the disk time, no request explains."
        yield "\n".join(wrapped(said))
        return
    for each in culprits:
        yield _accusation(each, zone)
    if not any(_kind(each) in {"member", "server"} for each in culprits):
        yield "Nobody among the members caused this."


def _no_disk(told: Dossier) -> str:
    """That members waited, and for no disk."""
    names = [
        f"threads of server {each.name}" if each.kind == "threads" else f"link {each.name}" for each in told.bottlenecks
    ]
    said = f"What made members wait was {' and '.join(names)}, not the disks: no member is guilty of saturating them."
    return "\n".join(wrapped(said))


def _waited(one: Bottleneck) -> str:
    part = in_percent(one.share)
    if one.kind == "threads":
        return f"all threads of server {one.name} were busy {part} of the time while the disks were idle"
    way = "into the NAS" if one.way == "received" else "out of it"
    carried, speed = (in_bits_per_s(bits or 0) for bits in (one.carried_bits_s, one.speed_bits_s))
    return f"link {one.name} carried {carried} of {speed} {way}, {part} of the time"


def _accusation(one: Entity, zone: ZoneInfo) -> str:
    probably, title = "" if one.confidence >= SURE else "probably ", _title(one)
    said = (
        f"{title[0].upper()}{title[1:]} {probably}caused this (confidence {in_percent(one.confidence)}): "
        f"{in_percent(one.share)} of the disk time [{in_percent(one.share_lo)} .. {in_percent(one.share_hi)}], "
        f"{in_percent(one.blame)} of what was more than usual."
    )
    lines = wrapped(said)
    how = HOW.get(one.how or "")
    if how or one.since:
        since = f" since {render(one.since, zone)}" if one.since else ""
        lines.append(f"  {how or 'it used them'}{since}")
    lines += [line for each in one.servers[:3] for line in indented(_asked(each))]
    if one.clients:
        by = "time in flight" if one.clients[0].by == "in_flight" else "bytes"
        shown = ", ".join(
            (f"VPS {each.vps} ({each.address})" if each.vps else each.address) + f" {in_percent(each.share)}"
            for each in one.clients[:5]
        )
        lines += indented(f"by {shown} (by {by})")
    return "\n".join(lines)


def _asked(one: Asked) -> str:
    figures = []
    for name, unit in _CALLS.items():
        now = one.calls_s[name]
        if now >= 1:
            usual = one.usual_s[name] if one.usual_s else None
            figures.append(f"{in_count(now)} {unit}" + (f" (usually {in_count(usual)})" if usual is not None else ""))
    for name, what in (("read_mb", "read"), ("write_mb", "written")):
        if one.calls_s[name] >= 0.01:
            figures.append(f"{in_bytes_per_s(one.calls_s[name] * 1e6)} {what}")
    export = f" (export {one.export})" if one.export and one.export != one.server else ""
    return f"server {one.server}{export}: " + (", ".join(figures) or "hardly anything was asked")


def _states(states: Sequence[State]) -> list[str]:
    rows = [["", "BUSY", "USUALLY", "QUEUE", "USUALLY", "WAIT", "USUALLY"]]
    for disk in dict.fromkeys(each.disk for each in states if each.disk):
        of = {each.what: each for each in states if each.disk == disk}
        cells = [
            _figure(of[what].__getattribute__(when), what)
            for what in ("busy", "queue", "wait_ms")
            for when in ("inside", "usual")
        ]
        rows.append([f"disk {disk}", *cells])
    lines = columns(rows)
    names = {
        "some": "some tasks stood still for IO",
        "full": "all tasks stood still for IO",
        "sync_s": "longest sync, beyond the time of a transaction group",
    }
    for each in states:
        if each.disk is None and each.inside is not None:
            usual = f", usually {_figure(each.usual, each.what)}" if each.usual is not None else ""
            time = "" if each.what == "sync_s" else " of the time"
            lines.append(f"  {names[each.what]}: {_figure(each.inside, each.what)}{time}{usual}")
    return lines


def _figure(value: float | None, what: str) -> str:
    if value is None:
        return "unknown"
    if what == "queue":
        return f"{value:.1f}"
    return (
        in_duration(value / 1000)
        if what == "wait_ms"
        else in_duration(value)
        if what == "sync_s"
        else in_percent(value)
    )


def _entities(told: Dossier) -> list[str]:
    rows = [["WHO", "SHARE", "BETWEEN", "INCREASE", "CONFIDENCE", "HOW"]]
    shown = [each for each in told.entities if each.share >= _SHOWN or each.culprit][:_MOST]
    for each in shown:
        between = f"{in_percent(each.share_lo)} .. {in_percent(each.share_hi)}"
        figures = [in_percent(each.share), between, in_percent(each.blame), in_percent(each.confidence)]
        rows.append([_title(each), *figures, HOW.get(each.how or "", "")])
    lines = columns(rows)
    rest = [each for each in told.entities if each not in shown]
    if rest:
        lines.append(f"  and {len(rest)} more with {in_percent(sum(each.share for each in rest))} together")
    return lines


def _victims(victims: Sequence[Victim]) -> list[str]:
    if not victims:
        return []
    rows = [["WHO", "CALLS/S", "BEFORE", "A CALL TOOK", "BEFORE"]]
    for each in victims[:_MOST]:
        took = [None if us is None else us / 1000 for us in (each.response_us, each.response_us_before)]
        name = f" {each.name}" if each.name else ""
        rows.append(
            [
                each.entity.replace(":", " ") + name,
                f"{each.calls_s:,.1f}",
                f"{each.calls_s_before:,.1f}",
                *(_figure(ms, "wait_ms") for ms in took),
            ]
        )
    lines = columns(rows)
    return [*lines, f"  and {len(victims) - _MOST} more"] if len(victims) > _MOST else lines


def _without(told: Dossier) -> Iterable[str]:
    for each in told.without:
        who = each.entity.replace(":", " ") if each.entity != "local" else "the work that is no member's"
        if each.busy is None or each.busy_lo is None or each.busy_hi is None:
            yield f"how busy the disks would have been without {who}: nobody can say, for {each.refused}"
        else:
            between = f"[{in_percent(each.busy_lo)} .. {in_percent(each.busy_hi)}]"
            yield f"without {who} the disks would have been busy {in_percent(each.busy)} of the time {between}"


def _noted(one: Noted, zone: ZoneInfo) -> str:
    until = f" to {render(one.end, zone)}" if one.end > one.begin else ""
    by = f" ({one.by})" if one.by else ""
    return f"{render(one.begin, zone)}{until}: {one.text or 'erased'}{by}"


def _hints(told: Dossier) -> list[str]:
    lines = []
    for each in told.hints:
        lines += bullets([each.text])
        lines += [f"      {each.command}"] if each.command else []
    return lines


def _kind(one: Entity) -> str:
    return one.entity.partition(":")[0]


def _title(one: Entity) -> str:
    name = f" ({one.name})" if one.name else ""
    words = {"local": "work that is no member's", "hardware": "slow disk", "unknown": "unknown"}
    return words.get(one.entity, one.entity.replace(":", " ")) + name
