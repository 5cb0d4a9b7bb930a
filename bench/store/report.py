"""What one run says: the table of figures, bytes by stream, where a day's keeping goes, and what was made how."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from bench.figures import Figure, Spread, cpu_ms, shown, table
from bench.store.keeping import SERVERS
from bench.store.queries import SPANS, TOP

if TYPE_CHECKING:
    from bench.store.queries import Answered
    from bench.store.year import Built

#: What the goals were set for.
_GOALS_FOR = 1000
_GOALS_MS = {"day": 20, "week": 25, "month": 10, "year": 10, TOP: 50}
_COLD_MS = 75
_CYCLES, _MONTH = 8640, 30
#: What rivals are given, in the product's own store; and the rival that it is to be smaller than.
SMALL, PROMETHEUS = "both, of the rivals' samples", "Prometheus' blocks"


@dataclass(slots=True)
class Taken:
    """All of one run. `rivals` are bytes of a sample by store, None with the reason in `absent`."""

    built: Built
    append: dict[str, list[float]]
    answered: Answered
    rivals: dict[str, float | None] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


def figures(taken: Taken) -> list[Figure]:
    """Every figure with its goal, if it has one for so many servers."""
    found = [*_sizes(taken), *_append(taken), *_kept(taken), *_answers(taken)]
    return found if taken.built.size.servers == _GOALS_FOR else [replace(figure, goal=None) for figure in found]


def _sizes(taken: Taken) -> list[Figure]:
    usage, rolled = per_sample(taken)
    found = [
        Figure("usage of servers at 10 s", "B/sample", Spread((usage,)), "<=", 0.35),
        Figure("  with its rollups", "B/sample", Spread((rolled,)), "<=", 0.40),
    ]
    for name, size in taken.rivals.items():
        reached = None if size is None else Spread((size,))
        found.append(Figure(f"  {name}", "B/sample", reached, why_not=taken.absent.get(name, "")))
    small, blocks = taken.rivals.get(SMALL), taken.rivals.get(PROMETHEUS)
    if small and blocks:
        found.append(
            Figure("  Prometheus' over usage and rollups, same samples", "x", Spread((blocks / small,)), ">=", 1)
        )
    return found


def per_sample(taken: Taken) -> tuple[float, float]:
    """Bytes of a sample: of usage, and with rollups."""
    sizes, samples = taken.built.sizes(), taken.facts["moving"] * taken.built.size.servers * _CYCLES
    usage = sum(sizes["usage"][s] for s in SERVERS) / samples
    rollups = sum(sum(by[s] for s in SERVERS) for kind, by in sizes.items() if kind.startswith("rollups"))
    return usage, usage + rollups / samples


def _append(taken: Taken) -> list[Figure]:
    cpu = {what: cpu_ms(values) for what, values in taken.append.items() if what != "bytes"}
    size = sum(taken.append["bytes"]) / len(taken.append["bytes"]) / 1024
    return [
        Figure(f"durable append of a cycle, {size:.0f} KiB", "CPU-ms", cpu["ours fleet"], "<=", 1),
        Figure("  write and fdatasync of as many bytes", "CPU-ms", cpu["bare fleet"]),
        Figure("  its rows into SQLite, WAL, synchronous", "CPU-ms", cpu["sqlite fleet"]),
        Figure("durable append when every row changed", "CPU-ms", cpu["ours all"]),
        Figure("  write and fdatasync of as many bytes", "CPU-ms", cpu["bare all"]),
        Figure("  its rows into SQLite, WAL, synchronous", "CPU-ms", cpu["sqlite all"]),
    ]


def _kept(taken: Taken) -> list[Figure]:
    days = taken.built.kept
    merge = Spread(tuple(day["cpu_s"]["merge of usage"] for day in days))
    return [
        Figure(
            "keeping of a day, hour by hour: memory at most",
            "MiB",
            _of(days, lambda d: max(d["peak_kib"].values()) / 1024),
            "<=",
            512,
        ),
        Figure("  all of it", "CPU-s", _of(days, lambda d: sum(d["cpu_s"].values()))),
        Figure("  the day's merge of servers' usage, checked", "CPU-s", merge),
        Figure("  DuckDB sorts the same rows into files", "CPU-s", Spread(tuple(taken.built.sorted_s))),
    ]


def _of(days: list[dict[str, Any]], what: Any) -> Spread:
    return Spread(tuple(what(day) for day in days))


def _answers(taken: Taken) -> list[Figure]:
    found = []
    wall, cpu = taken.answered.wall, taken.answered.cpu
    for what, goal in _GOALS_MS.items():
        name = f"graph of one server's {what}" if what in SPANS else what
        if what in wall:
            cold = Figure("  cold", "ms", cpu_ms(wall[f"{what}, cold"]))
            found += [
                Figure(name, "ms", cpu_ms(wall[what]), "<=", goal),
                Figure("  of CPU", "CPU-ms", cpu_ms(cpu[what])),
                *_beside(wall, what),
                replace(cold, direction="<=", goal=_COLD_MS) if what in SPANS else cold,
            ]
    return found


def _beside(wall: dict[str, list[float]], what: str) -> list[Figure]:
    """How much longer an answer takes than what DuckDB alone says of it."""
    bare = wall.get(f"{what}, bare")
    if not bare:
        return []
    ratio = Spread(tuple(ours / theirs for ours, theirs in zip(wall[what], bare, strict=True)))
    alone = "sums" if what == TOP else "reads its rows"
    return [Figure(f"  DuckDB alone {alone} in", "ms", cpu_ms(bare)), Figure("  ours / that", "x", ratio)]


def as_json(taken: Taken) -> dict[str, Any]:
    """The run for scripts."""
    return {
        **taken.facts,
        "made": taken.built.made,
        "bytes_a_day": {**taken.built.sizes(), "journal": taken.built.journal_bytes / taken.built.size.fine},
        "keeping": taken.built.kept,
        "figures": [figure.as_json() for figure in figures(taken)],
    }


def as_text(taken: Taken) -> str:
    """The run for people."""
    return "\n\n".join([_how(taken), table(figures(taken)), _streams(taken), _where(taken)])


def _how(taken: Taken) -> str:
    size, facts = taken.built.size, taken.facts
    fine = f"The last {size.fine} days have" if size.fine > 1 else "The last day has"
    lines = [
        f"A store of {size.servers} servers and {size.days} days to the end of 2025, made {taken.built.made} by the",
        f"product: journals of its writer, then its keeper. {fine} a cycle every 10 s. The rest of the last",
        "31 days has one every 5 minutes, other days one an hour, of 10 s; both without operations.",
        f"A sample: one of the {facts['moving']} measures that move, of one server, of one cycle of 10 s.",
        f"A cycle changes {facts['rows']:.1%} of rows, {facts['changed']:.1%} of samples; what stays 0 is stored too.",
        f"Rivals: {facts['rival_servers']} servers for {facts['rival_hours']} h, at exact 10 s; ours are some ms late.",
        "Graphs: of closed files, each of another server. Cold: no file in the page cache, a new engine.",
    ]
    return "\n".join(lines)


def _streams(taken: Taken) -> str:
    sizes = taken.built.sizes()
    sizes["journal"] = {"": taken.built.journal_bytes / taken.built.size.fine}
    rows = [(f"GB in {_MONTH} days", "")]
    total = 0.0
    for kind, by in sizes.items():
        amount = sum(by.values()) * _MONTH / 1e9
        parts = ", ".join(
            f"{name} {size * _MONTH / 1e9:.3f}" for name, size in sorted(by.items(), key=lambda i: -i[1]) if name
        )
        note = "written; it is deleted when it has been kept" if kind == "journal" else parts
        total += 0 if kind == "journal" else amount
        rows.append((f"  {kind}", f"{amount:7.3f}  {note}"))
    rows.append(("  all that is kept", f"{total:7.3f}"))
    return "\n".join(f"{what:<22}{cell}".rstrip() for what, cell in rows)


def _where(taken: Taken) -> str:
    rows = ["Where a day's keeping takes CPU time, and memory at most"]
    for name in taken.built.kept[0]["cpu_s"]:
        cpu = _of(taken.built.kept, lambda day, n=name: day["cpu_s"][n]).median
        peak = _of(taken.built.kept, lambda day, n=name: day["peak_kib"][n] / 1024).median
        rows.append(f"  {name:<20}{shown(cpu):>6} s{shown(peak):>8} MiB")
    return "\n".join(rows)
