"""`python -m bench.sources`: what a cycle of all sources together costs."""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench.collect import namespaces
from bench.figures import Figure, cpu_ms, table
from bench.running import run
from bench.sources import measure

if TYPE_CHECKING:
    from bench.collect.namespaces import Fleet
    from bench.taking import Taken


TEMPLATE = Path(__file__).resolve().parents[2] / "tests/fixtures/proc/6.12.117-srv1/nfsd.txt"
#: CPU-ms of a cycle of all sources together.
GOAL = 100


def main() -> int:
    """Measure and print; the exit status says whether it could be measured, not what came out."""
    options = _options()

    def taken(fleet: Fleet, folder: Path) -> Taken:
        return measure.run(fleet, folder, namespaces.counter(), TEMPLATE, options.minutes)

    return run("sources", options.servers, taken, partial(tell, as_json=options.json))


def tell(taken: Taken, *, as_json: bool) -> None:
    """Print it."""
    found, facts = figures(taken), taken.facts
    if as_json:
        print(json.dumps({**facts, "figures": [figure.as_json() for figure in found]}, indent=1))
        return
    print(f"{facts['servers']} network namespaces (made in {facts['made_s']} s) of {measure.EACH} clients each;")
    print(f"one in {measure.USED} is used in every cycle. Histograms have {facts['lines']} lines; that the kernel")
    print("prints them is not in it. CPU time is user and system of the whole process, a minute's mean.\n")
    print(table(found))


def figures(taken: Taken) -> list[Figure]:
    """Every figure."""
    cpu = {what: cpu_ms(values) for what, values in taken.cpu.items()}
    sources = sorted(cpu.keys() - {"cycle", "dearest", "rest"}, key=lambda name: -cpu[name].median)
    return [
        Figure("all sources together, a cycle until it is durable", "CPU-ms", cpu["cycle"], "<=", GOAL),
        *(Figure(f"  {name}", "CPU-ms", cpu[name]) for name in sources),
        Figure("  the journal, threads, all else", "CPU-ms", cpu["rest"]),
        Figure("the dearest cycle of a minute", "CPU-ms", cpu["dearest"]),
    ]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.sources", description=__doc__)
    parser.add_argument("--servers", type=int, default=1000, metavar="N", help="network namespaces (default 1000)")
    parser.add_argument("--minutes", type=int, default=5, metavar="K", help="minutes of cycles (default 5)")
    parser.add_argument("--json", action="store_true", help="one object for scripts")
    options = parser.parse_args()
    if options.servers < measure.USED or options.minutes < 1:
        parser.error(f"at least {measure.USED} servers and a minute are needed")
    return options


if __name__ == "__main__":
    sys.exit(main())
