"""Advice: how busy the disks would have been without somebody, what can be done, and how to check what is said.

All of it is printed and never run.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import numpy as np

from nasacct.reports.dossier import Hint, Without
from nasacct.reports.evidence import SHORT
from nasacct.reports.sureness import NAMED
from nasacct.times import iso, of_us
from nasacct.units import in_percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from nasacct.reports.dossier import Bottleneck, Entity
    from nasacct.reports.evidence import Told
    from nasacct.reports.why import Case

#: Others who would still have kept the disks so busy may have wanted more than they got, and nobody knows how much.
_STILL_FULL = 0.9
#: Of what a culprit moved, the rate to which it may be held.
_HELD = 0.5
_THREADS = (
    "all threads of server {name} were busy {part} of the time: with more of them (of its export, 64 at most; after a "
    "restart of the server) its calls wait for disks side by side"
)
_OF_BOTTLENECK = {
    "threads": "more threads for server {name} (of its export, 64 at most; after a restart of the server), or a look "
    "at what its calls wait for: it was no disk",
    "link": "a faster link than {name}, or another one beside it; `nasacct usage --by server` says who moved most",
}
_READS, _WRITES = {"random_read", "seq_read"}, {"bulk_write", "sync_write"}


def without(case: Case, accused: Iterable[Entity]) -> tuple[Without, ...]:
    """How busy the disks would have been without each culprit of those who are there to be left out."""
    found = []
    for each in accused:
        if not each.culprit or each.entity in {"hardware", "unknown"}:
            continue
        found.append(_without(case, each))
    return tuple(found)


def _without(case: Case, one: Entity) -> Without:
    fitted, costs = case.judged.fitted, case.model.costs
    if case.scene.rotational is False:
        return Without(one.entity, refused="disks that serve many IOs at a time have no time of being busy")
    if one.confidence < NAMED:
        return Without(one.entity, refused="it is not sure enough that it was this one")
    if costs.chronic:
        return Without(
            one.entity, refused="the disks hardly ever keep up, so nobody knows what the others would ask for"
        )
    names = case.members
    mine = [case.whose[name] == one.entity for name in names] + [one.entity == "local"]
    others = ~np.array(mine)
    # who got less than is normal would have got that
    normal = np.append(case.costs.normal, 0.0)
    rest = np.maximum(fitted.draws * fitted.work, normal)[:, others].sum(axis=1)
    mean, half = float(rest.mean()), fitted.work * (one.share_hi - one.share_lo) / 2
    if mean + half >= _STILL_FULL:
        return Without(one.entity, refused="the others may have wanted more than they got, and nobody knows how much")
    return Without(one.entity, mean, max(mean - half, 0.0), mean + half)


def hints(case: Case, told: Told, accused: Sequence[Entity], waited: Sequence[Bottleneck]) -> tuple[Hint, ...]:
    """What can be done about it, and about what members `waited` for beside the disks."""
    found = [Hint(_OF_BOTTLENECK[each.kind].format(name=each.name)) for each in waited]
    for name, short in sorted(told.all_busy.items()):
        if short >= SHORT and all((each.kind, each.name) != ("threads", name) for each in waited):
            found.append(Hint(_THREADS.format(name=name, part=in_percent(short))))
    for each in accused:
        if each.culprit and each.entity.partition(":")[0] in {"member", "server"}:
            found.append(Hint(f"a word with {each.entity.replace(':', ' ')}: {_wish(each.how)}"))
            found += _held(each, told)
        elif each.culprit and each.entity == "local":
            pause = f"zpool scrub -p {shlex.quote(case.pool.whole)}" if told.scanned else None
            found.append(
                Hint("move the machine's own work to another time" + (", or pause the scrub" if pause else ""), pause)
            )
        elif each.culprit and each.entity == "hardware":
            text = f"look at disk {each.name}: it was slower than its requests explain"
            found.append(Hint(text, f"smartctl -x /dev/{shlex.quote(str(each.name))}"))
    return tuple(found)


def _wish(how: str | None) -> str:
    return {
        "random_read": "fewer reads at a time, or a copy of what is read nearer to who reads it",
        "seq_read": "at another time of the day, or with a limit of its own (rsync --bwlimit)",
        "bulk_write": "at another time of the day, or with a limit of its own (rsync --bwlimit)",
        "sync_write": "fewer fsyncs, or this data on the VPS's own disk",
        "metadata": "fewer files at a time; many small files in archives",
        "delete": "removing fewer files at a time",
    }.get(how or "", "what runs there at that time")


def _held(one: Entity, told: Told) -> Iterable[Hint]:
    """A limit for the server that it used most, on the host's side of its link."""
    server = one.servers[0] if one.servers else None
    link = told.servers.get(server.server, {}).get("link") if server else None
    if server is None or link is None:
        return
    if one.how in _WRITES and (server.calls_s["write_mb"] > 1):
        kbit = round(server.calls_s["write_mb"] * 8000 * _HELD)
        command = f"tc qdisc replace dev {shlex.quote(link)} root tbf rate {kbit}kbit burst 1mb latency 100ms"
        yield Hint(f"holds what goes to server {server.server} to half of what it was", command)
    elif one.how in _READS and server.calls_s["read_mb"] > 1:
        kbit = round(server.calls_s["read_mb"] * 8000 * _HELD)
        device = shlex.quote(link)
        command = (
            f"tc qdisc add dev {device} ingress && tc filter add dev {device} ingress matchall "
            f"action police rate {kbit}kbit burst 1mb conform-exceed drop"
        )
        yield Hint(f"holds what comes from server {server.server} to half of what it was", command)


def checks(case: Case, accused: Iterable[Entity], root: Path) -> tuple[str, ...]:
    """Commands that show what it rests on."""
    span = f"--root {shlex.quote(str(root))} --from {iso(of_us(case.lo))} --to {iso(of_us(case.hi))}"
    found = [f"nasacct usage {span} --by server --step 5m"]
    for each in accused:
        if each.culprit and each.servers:
            server = shlex.quote(each.servers[0].server)
            found.append(f"nasacct usage {span} --by operation --server {server}")
            found.append(f"nasacct usage {span} --by client --server {server}")
            found.append(f"nasacct inflight {span} --server {server}")
    return tuple(dict.fromkeys(found))
