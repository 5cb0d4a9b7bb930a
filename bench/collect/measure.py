"""All measurements of one run, side by side: in each round every method has its turn, after the same traffic."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from bench.collect import floor, munin_style, worker
from bench.collect.exporter import Exporter
from bench.collect.traffic import Traffic
from bench.taking import NotDoneError, Taken

if TYPE_CHECKING:
    from pathlib import Path

    from bench.collect.namespaces import Fleet

#: One server in so many is used between two cycles: all of them, or 25 %.
LOADS = {"all": 1, "25 %": 4}
#: The link part and a scrape are short beside the clock tick and the noise: so many in each round.
_SCRAPES = 10
#: `ip netns exec` is run in so many namespaces a round, in so many rounds; the short parts in so many.
SAMPLE, _SAMPLED_ROUNDS, _SHORT_ROUNDS = 50, 3, 9


def run(fleet: Fleet, folder: Path, counter: str, template: Path, repeat: int) -> Taken:
    """Measure everything. Raises NotDoneError, and RuntimeError when a program ends before its time."""
    taken = Taken(facts={"servers": len(fleet.names), "made_s": round(fleet.took_s, 2), "counter": counter})
    traffic = Traffic(fleet.links)
    with _collector(folder / "memory", counter, template) as alone:
        # a process that does nothing but what the collector does
        for _ in range(repeat):
            alone.ask("cycle", 1, 0)
        alone.ask("rotate")
        taken.facts["memory"] = alone.ask("memory")
    with _collector(folder / "journal", counter, template) as ours, floor.start(folder, counter) as c:
        if not ours.about["servers"] == c.about["servers"] == len(fleet.names):
            raise NotDoneError(f"of {len(fleet.names)} servers ours found {ours.about}, the C program {c.about}")
        for i in range(repeat):
            for load, every in LOADS.items():
                _cycles(taken, traffic, ours, c, len(fleet.names), load, every, i % every)
        for _ in range(min(repeat, _SHORT_ROUNDS)):
            for _ in range(_SCRAPES):
                traffic.send(range(len(fleet.names)))
                _links(taken, ours, c, len(fleet.names))
            taken.add("listing", ours.ask("list")["cpu_ns"])
            taken.add("new file", ours.ask("rotate")["cpu_ns"])
    for i in range(min(repeat, _SAMPLED_ROUNDS)):
        names = random.Random(i).sample(fleet.names, min(SAMPLE, len(fleet.names)))
        scale = len(fleet.names) / len(names)
        cat, link = munin_style.cpu_ns(names, counter)
        taken.add("exec cat", cat * scale)
        taken.add("exec cat and link", (cat + link) * scale)
    _scrapes(taken, traffic, len(fleet.names), min(repeat, _SHORT_ROUNDS))
    return taken


def _collector(folder: Path, counter: str, template: Path) -> worker.Worker:
    folder.mkdir()
    return worker.python("bench.collect.cycle", str(folder), counter, str(template))


def _cycles(
    taken: Taken, traffic: Traffic, ours: worker.Worker, c: worker.Worker, count: int, load: str, every: int, first: int
) -> None:
    used = range(first, count, every)
    traffic.send(used)
    done = ours.ask("cycle", every, first)
    expected = dict.fromkeys(("nfsd", "ops", "links"), len(used))
    if done["failed"] or {k: done["rows"].get(k) for k in expected} != expected:
        raise NotDoneError(f"a cycle of {len(used)} used servers gave {done['rows']} {done['failed']}")
    taken.add(f"cycle {load}", done["cpu_ns"])
    taken.facts[f"bytes {load}"] = done["bytes"]
    traffic.send(used)
    taken.add(f"C {load}", c.ask("cycle")["cpu_ns"])
    done = ours.ask("parse", every, first)
    if done["rows"] != len(used):
        raise NotDoneError(f"of {len(used)} changed texts {done['rows']} gave rows")
    taken.add(f"parse {load}", done["cpu_ns"])
    traffic.send(used)
    taken.parts.setdefault(load, []).append(ours.ask("parts", every, first))


def _links(taken: Taken, ours: worker.Worker, c: worker.Worker, count: int) -> None:
    done = ours.ask("links")
    if done["rows"] < count:
        raise NotDoneError(f"all {count} links were used, and {done['rows']} rows changed")
    taken.add("links", done["cpu_ns"])
    taken.add("C links", c.ask("links")["cpu_ns"])


def _scrapes(taken: Taken, traffic: Traffic, count: int, rounds: int) -> None:
    try:
        exporter = Exporter()
    except FileNotFoundError as err:
        taken.facts["exporter"] = str(err)
        return
    with exporter:
        taken.facts["exporter"] = exporter.version
        for _ in range(rounds):
            before = exporter.cpu_ns()
            for _ in range(_SCRAPES):
                traffic.send(range(count))
                if exporter.scrape() < count:
                    raise NotDoneError(f"node_exporter does not tell of all {count} links")
            taken.add("exporter", (exporter.cpu_ns() - before) / _SCRAPES)
