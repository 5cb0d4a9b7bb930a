"""The accused: each entity of a verdict with how and since when it used the disks, by which server and which client."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nasacct.reports.attribution import how
from nasacct.reports.attribution.scene import CLASSES, STEP_S
from nasacct.reports.dossier import Asked, Client, Entity
from nasacct.reports.evidence import name_of
from nasacct.reports.owners import Addresses
from nasacct.reports.sureness import HISTORY_S, below_sure
from nasacct.times import of_us

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nasacct.reports.attribution import verdict
    from nasacct.reports.attribution.scene import Floats
    from nasacct.reports.evidence import Told
    from nasacct.reports.why import Case

#: Who had less of the disk time is not told; nor is a client with less of an entity's.
_LEAST, _LEAST_CLIENT = 0.0005, 0.01
#: Servers of one member that are told.
_SERVERS = 20


def entities(case: Case, told: Told) -> tuple[Entity, ...]:
    """Everybody and everything with a part in the disk time; culprits first, then the largest shares.

    Without a day of history none is named surely.
    """
    addresses = Addresses(case.known)
    found: list[Entity] = []
    for each in case.judged.verdict.entities:
        if each.kind == "member":
            if each.share >= _LEAST or each.culprit:
                found.append(_member(case, told, each, addresses))
        elif each.kind == "local":
            found += _local(case, told, each)
        elif each.share > 0:
            found.append(_entity(case, each, "hardware", each.share, name=each.name or None))
    return tuple(sorted(found, key=lambda one: (not one.culprit, -one.share, one.entity)))


def _member(case: Case, told: Told, said: verdict.Entity, addresses: Addresses) -> Entity:
    names = case.members
    members = [at for at, name in enumerate(names) if case.whose[name] == said.name]
    costs = case.costs
    rows = [told.servers[names[at]] for at in members if names[at] in told.servers]
    opens, removes = (sum(row[name] or 0 for row in rows) for name in ("opens", "removes"))
    opened = opens / removes if removes else 0.0
    judged, unsynced = case.judged, all(names[at] in case.pool.unsynced for at in members)
    parts = judged.fitted.draws[:, members].mean(axis=0)
    began = how.began(members, judged.window, costs)
    order = sorted(range(len(members)), key=lambda at: (-parts[at], names[members[at]]))
    return _entity(
        case,
        said,
        said.name,
        said.share,
        name=name_of(case, said.name),
        how=how.told(members, judged.window, costs, judged.fitted.parts, unsynced=unsynced, opened=opened),
        since=None if began is None else of_us(case.scene.moment(began) * 1_000_000),
        servers=tuple(
            _asked(case, names[members[at]], float(parts[at])) for at in order[:_SERVERS] if parts[at] >= _LEAST
        ),
        clients=_clients(case, told, {names[members[at]]: float(parts[at]) for at in order}, addresses),
    )


def _local(case: Case, told: Told, said: verdict.Entity) -> Iterable[Entity]:
    """Local work, and what nothing explains: whichever is more is the culprit if they are."""
    unknown = min(case.judged.verdict.unexplained, said.share)
    known = said.share - unknown
    local = _entity(case, said, "local", known, name=", ".join(list(told.jobs or ())[:3]) or None, less=unknown)
    other = _entity(case, said, "unknown", unknown, less=known)
    first, second = (local, other) if known >= unknown and case.judged.verdict.verdict != "unknown" else (other, local)
    yield first
    if second.share >= _LEAST:
        most = max(second.share, said.high - first.share)
        yield replace(
            second, share_lo=0.0, share_hi=most, blame=0.0, blame_lo=0.0, blame_hi=0.0, confidence=0.0, culprit=False
        )


def _entity(case: Case, said: verdict.Entity, entity: str, share: float, less: float = 0.0, **more: object) -> Entity:
    seconds = case.judged.fitted.work * int(case.inside.sum()) * STEP_S
    return Entity(
        entity=entity,
        share=share,
        share_lo=max(0.0, said.low - less),
        share_hi=said.high,
        blame=said.blame,
        blame_lo=said.blame_low,
        blame_hi=said.blame_high,
        confidence=said.confidence if case.learned_s >= HISTORY_S else below_sure(said.confidence),
        culprit=said.culprit,
        disk_s=share * seconds,
        **more,  # type: ignore[arg-type]
    )


def _asked(case: Case, name: str, share: float) -> Asked:
    shown = case.exports.at(case.node, name, case.lo)
    activity = case.scene.members.activity[case.scene.members.names.index(name)]
    usual = _rates(activity[:, case.quiet]) if case.quiet.any() else None
    return Asked(name, shown.export if shown else None, share, _rates(activity[:, case.inside]), usual)


def _rates(activity: Floats) -> dict[str, float]:
    means = np.nan_to_num(activity).mean(axis=1)
    return {name: float(mean) for name, mean in zip(CLASSES, means, strict=True)}


def _clients(case: Case, told: Told, parts: dict[str, float], addresses: Addresses) -> tuple[Client, ...]:
    """By whose hands: of each server's part, as its clients' calls waited in flight, else as they moved bytes."""
    whole = sum(parts.values())
    found: dict[tuple[str, str], float] = {}
    for server, part in parts.items():
        rows = told.clients.get(server, [])
        by = "in_flight" if any(row["in_flight_us"] for row in rows) else "bytes"
        weights = {row["client"]: (row["in_flight_us"] if by == "in_flight" else row["bytes"]) or 0 for row in rows}
        total = sum(weights.values())
        for client, weight in weights.items():
            if weight and whole > 0:
                key = told.addresses.get(client, client), by
                found[key] = found.get(key, 0.0) + part / whole * weight / total
    told_of = [
        Client(address, addresses.at(address, case.lo).vps, share, by)
        for (address, by), share in found.items()
        if share >= _LEAST_CLIENT
    ]
    return tuple(sorted(told_of, key=lambda each: (-each.share, each.address)))
