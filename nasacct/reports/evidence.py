"""Evidence: how bad it was against what is normal, who suffered, and what did not cause it, each with its figure."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nasacct.reports import layout
from nasacct.reports.attribution import victims
from nasacct.reports.dossier import Bottleneck, RuledOut, State, Victim
from nasacct.reports.questions import question
from nasacct.reports.whose import called
from nasacct.store.warehouse import Question
from nasacct.times import of_us
from nasacct.units import in_bits_per_s, in_bytes, in_percent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nasacct.reports.attribution.scene import Floats
    from nasacct.reports.why import Case

Row = dict[str, Any]
#: What is asked beside the scene, of which views.
_ASKED = {
    "why_servers": ("nfsd", "inside", "inflight", "links", "ops"),
    "why_clients": ("clients", "inflight"),
    "scene_local": ("local",),
}
#: A victim's calls take so many times as long as before, and so long, in µs.
_SLOWER, _SLOW_US = 3.0, 5_000
_BEFORE_US = victims.BEFORE_S * 1_000_000
#: From this part of the time with all threads busy on, threads were short.
SHORT = 0.05
#: What is less of the disk time proves nothing against anybody.
_LITTLE = 0.1


@dataclass(frozen=True, slots=True)
class Told:
    """What the store tells of a window beside the scene."""

    servers: dict[str, Row]
    before: dict[str, Row]  #: the same of the minutes before it
    clients: dict[str, list[Row]]  #: by server
    addresses: dict[str, str]
    jobs: dict[str, tuple[int, int]] | None  #: bytes that local jobs read and wrote; None: nobody counts them
    scanned: int | None  #: bytes that scrubs read; None: nobody counts them
    uptime_s: int | None  #: of the machine, at the end
    trouble: tuple[str, ...]

    @property
    def all_busy(self) -> dict[str, float]:
        """By server, the part of the time that was sampled in which all of its threads were busy."""
        return {name: row["full_us"] / row["sampled_us"] for name, row in self.servers.items() if row["sampled_us"]}


def asked(case: Case) -> Told:
    """Ask the store."""
    lo, hi = case.lo, case.hi
    spans = {"lo": lo, "hi": hi}
    questions = [Question(question(name), spans, views, of_rows=True) for name, views in _ASKED.items()]
    earlier = {"lo": lo - _BEFORE_US, "hi": lo}
    questions.append(Question(question("why_servers"), earlier, _ASKED["why_servers"], of_rows=True))
    span = {"since": of_us(lo), "until": of_us(hi), "lo": lo, "hi": hi}
    questions.append(Question(question("top_node"), span, ("node",), of_rows=True))
    servers, clients, local, before, node = case.warehouse.answers(questions, of_us(lo - _BEFORE_US), of_us(hi))
    addresses = case.warehouse.addresses().get(case.node, {})
    trouble = tuple(case.warehouse.trouble)
    of: dict[str, list[Row]] = {}
    for row in clients.to_pylist():
        of.setdefault(row["server"], []).append(row)
    scans = layout.scans(case.warehouse, lo, hi)
    return Told(
        servers={row["server"]: row for row in servers.to_pylist()},
        before={row["server"]: row for row in before.to_pylist()},
        clients=of,
        addresses=addresses,
        jobs=_jobs(local.to_pylist(), lo, hi) if case.scene.local_written_mb is not None else None,
        scanned=_scanned(scans.to_pylist(), case.pool.whole, lo, hi) if scans.num_rows else None,
        uptime_s=next((row["uptime_s"] for row in node.to_pylist()), None),
        trouble=trouble,
    )


def _jobs(rows: Iterable[Row], lo: int, hi: int) -> dict[str, tuple[int, int]]:
    sums: dict[str, list[float]] = {}
    for row in rows:
        part = _part(row, lo, hi)
        each = sums.setdefault(row["job"], [0.0, 0.0])
        each[0] += (row["read_bytes"] or 0) * part
        each[1] += (row["written_bytes"] or 0) * part
    ordered = sorted(sums.items(), key=lambda item: (-sum(item[1]), item[0]))
    return {job: (round(read), round(written)) for job, (read, written) in ordered if read or written}


def _scanned(rows: Iterable[Row], pool: str, lo: int, hi: int) -> int:
    read: float = sum(row["bytes"] * _part(row, lo, hi) for row in rows if row["pool"] == pool)
    return round(read)


def _part(row: Row, lo: int, hi: int) -> float:
    begin, end = int(row["t0_us"]), int(row["t1_us"])
    return max(min(end, hi) - max(begin, lo), 0) / max(end - begin, 1)


def states(case: Case) -> tuple[State, ...]:
    """Of each disk, of the machine, of the pool."""
    disks = case.scene.disks
    found = []
    for at in np.argsort(-_mean(disks.busy, case.inside), kind="stable"):
        for what, rates in (("busy", disks.busy), ("queue", disks.queue), ("wait_ms", disks.wait_ms)):
            found.append(_state(case, what, disks.names[at], rates[at]))
    found += [_state(case, what, None, getattr(case.scene, what)) for what in ("some", "full")]
    if case.scene.transactional:
        found.append(_state(case, "sync_s", None, case.scene.sync_s))
    return tuple(found)


def _state(case: Case, what: str, disk: str | None, rates: Floats) -> State:
    inside, usual = rates[case.inside], rates[case.quiet]
    if what == "sync_s":
        return State(what, disk, float(inside.max()) if len(inside) else None, _middle(usual))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of samples in which no IO ended
        mean = float(np.nanmean(inside)) if len(inside) else float("nan")
    return State(what, disk, None if np.isnan(mean) else mean, _middle(usual))


def _middle(rates: Floats) -> float | None:
    known = rates[np.isfinite(rates)]
    return float(np.median(known)) if len(known) else None


def _mean(rates: Floats, samples: Any) -> Floats:
    mean: Floats = np.nan_to_num(rates[:, samples]).mean(axis=1) if samples.any() else np.zeros(len(rates))
    return mean


def suffered(case: Case, told: Told) -> tuple[Victim, ...]:
    """Who got less done, or waited much longer, but for the culprits; the worst first."""
    guilty = case.guilty
    fell = set(victims.found(case.scene, case.window, guilty))
    hurt: dict[str, list[str]] = {}
    for name, who in case.whose.items():
        was, now = (_response(rows.get(name)) for rows in (told.before, told.servers))
        slower = was is not None and now is not None and now >= _SLOW_US and now >= _SLOWER * was
        if name not in guilty and (name in fell or slower):
            hurt.setdefault(who, []).append(name)
    found = []
    for who, names in hurt.items():
        before, inside = _rate(told.before, names, _BEFORE_US), _rate(told.servers, names, _length(case))
        was, now = (_together(rows, names) for rows in (told.before, told.servers))
        found.append(Victim(who, name_of(case, who), before, inside, was, now))
    return tuple(sorted(found, key=lambda each: (each.calls_s / max(each.calls_s_before, 1e-9), each.entity)))


def _length(case: Case) -> int:
    return max(case.hi - case.lo, 1)


def _response(row: Row | None) -> float | None:
    """µs that a call took inside nfsd."""
    return row["thread_us"] / row["answered"] if row and row["answered"] and row["thread_us"] is not None else None


def _together(rows: dict[str, Row], names: Iterable[str]) -> float | None:
    known = [rows[name] for name in names if _response(rows.get(name)) is not None]
    answered = sum(row["answered"] for row in known)
    return sum(row["thread_us"] for row in known) / answered if answered else None


def _rate(rows: dict[str, Row], names: Iterable[str], length_us: int) -> float:
    return sum((rows[name]["calls"] or 0) for name in names if name in rows) * 1e6 / length_us


def name_of(case: Case, entity: str) -> str | None:
    """What people call a member, or the export that a server shows; None where that is not known."""
    kind, _, name = entity.partition(":")
    if kind == "member":
        return called(case.known, "member", name, case.lo)
    shown = case.exports.at(case.node, name, case.lo) if kind == "server" else None
    return shown.properties.get("dataset") if shown else None


def ruled_out(case: Case, told: Told, waited: Iterable[Bottleneck], network: RuledOut | None) -> tuple[RuledOut, ...]:
    """What did not cause it, and by which figure; not what members `waited` for. `network`: what rules that out."""
    verdict = case.judged.verdict
    kinds = {each.kind for each in verdict.culprits}
    found = []
    local = next(each for each in verdict.entities if each.kind == "local")
    if "local" not in kinds and told.jobs is not None:
        read, written = (sum(each[at] for each in told.jobs.values()) for at in (0, 1))
        figure = f"its processes read {in_bytes(read)} and wrote {in_bytes(written)}"
        found.append(RuledOut("local work", f"at most {in_percent(local.high)} of the disk time; {figure}"))
    if "local" not in kinds and told.scanned is not None:
        found.append(RuledOut("scrub and resilver", f"they read {in_bytes(told.scanned)}"))
    busy = np.sort(_mean(case.scene.disks.busy, case.inside))[::-1]
    if "hardware" not in kinds and len(busy) > 1:
        figure = f"the busiest was busy {in_percent(busy[0])} of the time, the middle one {in_percent(np.median(busy))}"
        found.append(RuledOut("a slow disk", figure))
    short = told.all_busy
    there = {each.kind for each in waited}
    if "threads" not in there and short and max(short.values()) < SHORT:
        most = max(sorted(short), key=lambda name: short[name])
        found.append(
            RuledOut("too few threads", f"all of server {most}'s were busy {in_percent(short[most])} of the time")
        )
    linked = [row for row in told.servers.values() if row["link_bytes"] is not None]
    if network is not None:
        found.append(network)
    elif linked and "link" not in there:
        bits = sum(row["link_bytes"] for row in linked) * 8e6 / _length(case)
        found.append(RuledOut("the network", f"all servers' links together carried {in_bits_per_s(bits)}"))
    return (*found, *_beside(case), *_movers(case, told))


def _beside(case: Case) -> Iterable[RuledOut]:
    """The rotating data disks of a pool of which others did not keep up."""
    if case.scene.beside is not None and case.full[case.inside].any():
        busy = float(case.scene.beside[case.inside].mean())
        yield RuledOut("the data disks", f"the busiest was busy {in_percent(busy)} of the time")


def _movers(case: Case, told: Told) -> Iterable[RuledOut]:
    """Who moved most, if that is not who caused it."""
    moved: dict[str, int] = {}
    for name, row in told.servers.items():
        if name in case.whose:
            who = case.whose[name]
            moved[who] = moved.get(who, 0) + (row["read_bytes"] or 0) + (row["written_bytes"] or 0)
    if not moved:
        return
    most = max(sorted(moved), key=lambda who: moved[who])
    entity = next((each for each in case.judged.verdict.entities if each.name == most), None)
    if entity is not None and moved[most] and not entity.culprit and entity.high < max(_LITTLE, entity.share * 2):
        figure = f"{in_percent(entity.share)} of the disk time ({in_percent(entity.low)} .. {in_percent(entity.high)})"
        yield RuledOut(f"{most.replace(':', ' ')}, who moved most ({in_bytes(moved[most])})", figure)
