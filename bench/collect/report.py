"""What one run says: the table of figures, where the time of a cycle goes, and how it was measured."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bench.collect.measure import LOADS, SAMPLE
from bench.figures import Figure, Spread, cpu_ms, shown, table

if TYPE_CHECKING:
    from bench.taking import Taken

_INTERVAL_S = 10
#: What the goals were set for.
_GOALS_FOR = 1000
_READ = {
    "snmp": "This kernel has no nfsd: every method really reads net/snmp of each namespace in its place. After that\n"
    "the collector is given a real nfsd text of that server (kernel 6.12, numbers grown) to parse, store and sync.",
    "rpc/nfsd": "Every method really reads rpc/nfsd of each namespace. As nobody uses these servers, after that the\n"
    "collector is given a real nfsd text of that server (kernel 6.12, numbers grown) to parse, store and sync.",
}


def figures(taken: Taken) -> list[Figure]:
    """Every figure with its goal, if it has one for so many servers."""
    cpu = {what: cpu_ms(values) for what, values in taken.cpu.items()}
    found: list[Figure] = []
    for load in LOADS:
        cycle = cpu[f"cycle {load}"]
        found += [
            Figure(f"whole cycle, {load} of the servers in use", "CPU-ms", cycle, "<=", 30),
            Figure("  the same reads by a C program", "CPU-ms", cpu[f"C {load}"]),
            Figure("  times the C program", "x", cycle.over(cpu[f"C {load}"]), "<=", 2),
        ]
    cycle = cpu["cycle all"]
    both, cat, exporter = cpu["exec cat and link"], cpu["exec cat"], cpu.get("exporter")
    why_not = "" if exporter else str(taken.facts["exporter"])
    found += [
        Figure("ip netns exec: counters and link of each", "CPU-ms", both),
        Figure("  times the whole cycle", "x", both.over(cycle), ">=", 500),
        Figure("  of it, cat of the counters alone", "CPU-ms", cat),
        Figure("  times the whole cycle", "x", cat.over(cycle)),
        Figure("  times the C program", "x", cat.over(cpu["C all"])),
        Figure("link part: one dump, decoded, its rows", "CPU-ms", cpu["links"]),
        Figure("  the dump by the C program", "CPU-ms", cpu["C links"]),
        Figure("node_exporter's netdev scrape", "CPU-ms", exporter, why_not=why_not),
        Figure("  times the link part", "x", exporter and exporter.over(cpu["links"]), ">=", 50, why_not),
        *(Figure(f"parse part alone, {load} of the texts changed", "CPU-ms", cpu[f"parse {load}"]) for load in LOADS),
        Figure("memory of the collector, at most", "MiB", Spread((taken.facts["memory"]["VmHWM"] / 1024,)), "<=", 150),
    ]
    return found if taken.facts["servers"] == _GOALS_FOR else [replace(figure, goal=None) for figure in found]


def as_json(taken: Taken) -> dict[str, Any]:
    """The run for scripts; times in CPU-ms."""
    return {
        **{name: taken.facts[name] for name in ("servers", "made_s", "counter", "exporter", "memory")},
        "figures": [figure.as_json() for figure in figures(taken)],
        "parts": {load: _parts(taken, load) for load in LOADS},
        "listing": round(cpu_ms(taken.cpu["listing"]).median, 3),
        "new_file": round(cpu_ms(taken.cpu["new file"]).median, 3),
    }


def as_text(taken: Taken) -> str:
    """The run for people."""
    return "\n\n".join([_how(taken), table(figures(taken)), _where(taken), _besides(taken)])


def _how(taken: Taken) -> str:
    facts = taken.facts
    repeats = len(taken.cpu["cycle all"])
    lines = [
        f"{facts['servers']} network namespaces with a veth each (made in {facts['made_s']:.1f} s), {repeats} rounds.",
        _READ[facts["counter"]],
        "CPU time is user and system of the whole process. Before each reading a packet goes to every server in use;",
        "counters and texts of the others stay, but for what nfsd counts for the whole host.",
        f"ip netns exec: {min(SAMPLE, facts['servers'])} namespaces a round, scaled; mounts shared as under systemd.",
    ]
    if "exporter" in taken.cpu:
        lines.append(f"node_exporter {facts['exporter']}, its collector netdev alone, scraped on the loopback.")
    return "\n".join(lines)


def _where(taken: Taken) -> str:
    parts = {load: _parts(taken, load) for load in LOADS}
    names = [name for name in parts["all"] if name != "whole"]
    rows = [("Where the CPU time of a cycle goes (ms)", *(f"{load} in use" for load in LOADS))]
    rows += [(f"  {name}", *(shown(parts[load].get(name, 0)) for load in LOADS)) for name in [*names, "whole"]]
    return "\n".join(f"{what:<44}" + "".join(f"{cell:>14}" for cell in cells) for what, *cells in rows)


def _besides(taken: Taken) -> str:
    facts, memory = taken.facts, taken.facts["memory"]
    whole = cpu_ms(taken.cpu["cycle all"]).median
    listing, new_file = cpu_ms(taken.cpu["listing"]).median, cpu_ms(taken.cpu["new file"]).median
    heavy = ", ".join(memory["heavy"])
    loaded = f"with {heavy}, which it must not load" if heavy else "without pandas, duckdb, scipy"
    frames = " and ".join(f"{facts[f'bytes {load}'] / 1024:.0f} KiB ({load} in use)" for load in LOADS)
    lines = [
        f"A cycle every {_INTERVAL_S} s with all servers in use is {whole / _INTERVAL_S / 10:.2f} % of one CPU.",
        f"Its frame in the journal: {frames}, before it is compacted.",
        f"Besides, once a minute: looking for servers anew, {shown(listing)} ms.",
        f"Once in 15 minutes: a new file of the journal, {shown(new_file - whole)} ms.",
        f"Memory now {memory['VmRSS'] / 1024:.0f} MiB, {loaded}.",
    ]
    return "\n".join(lines)


def _parts(taken: Taken, load: str) -> dict[str, float]:
    found = taken.parts[load]
    return {name: round(cpu_ms([part.get(name, 0) for part in found]).median, 3) for name in found[0]}
