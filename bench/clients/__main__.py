"""`python -m bench.clients`: what following all clients' connections costs."""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from typing import TYPE_CHECKING

from bench.clients import measure
from bench.collect import namespaces
from bench.figures import Figure, Spread, cpu_ms, table
from bench.running import run

if TYPE_CHECKING:
    from pathlib import Path

    from bench.collect.namespaces import Fleet
    from bench.taking import Taken


_CYCLES = {
    "idle": "a cycle in which nothing moved",
    "used": f"a cycle in which one server in {measure.USED} was used",
    "reconnected": f"a cycle in which a client of one in {measure.ANEW} came anew",
}


def main() -> int:
    """Measure and print; the exit status says whether it could be measured, not what came out."""
    options = _options()

    def taken(fleet: Fleet, folder: Path) -> Taken:
        return measure.run(fleet, folder, namespaces.counter(), options.each, options.repeat)

    return run("clients", options.servers, taken, partial(tell, as_json=options.json))


def tell(taken: Taken, *, as_json: bool) -> None:
    """Print it."""
    found, facts = figures(taken), taken.facts
    if as_json:
        print(json.dumps({**facts, "figures": [figure.as_json() for figure in found]}, indent=1))
        return
    print(f"{facts['servers']} network namespaces (made in {facts['made_s']} s), {facts['each']} clients each.")
    print("CPU time is user and system of the whole process. A dump of all links is part of each cycle.")
    print(f"All were listed after {facts['cycles until all are listed']} cycles.\n")
    print(table(found))


def figures(taken: Taken) -> list[Figure]:
    """Every figure."""
    cpu = {what: cpu_ms(values) for what, values in taken.cpu.items()}
    found = []
    for what, told in _CYCLES.items():
        found += [
            Figure(told, "CPU-ms", cpu[what]),
            Figure("  of it, asking who has gone", "CPU-ms", cpu[f"{what}, ends"]),
        ]
    used = cpu["used"]
    return [
        *found,
        Figure("the dump of links alone", "CPU-ms", cpu["links"]),
        Figure("ip netns exec ss in each", "CPU-ms", cpu["ss"]),
        Figure("  times a cycle", "x", cpu["ss"].over(used)),
        Figure("memory at most, with the clients' ends", "MiB", Spread((taken.facts["MiB"],))),
    ]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.clients", description=__doc__)
    parser.add_argument("--servers", type=int, default=1000, metavar="N", help="network namespaces (default 1000)")
    parser.add_argument("--each", type=int, default=4, metavar="C", help="clients of each (default 4)")
    parser.add_argument("--repeat", type=int, default=25, metavar="K", help="rounds (default 25)")
    parser.add_argument("--json", action="store_true", help="one object for scripts")
    options = parser.parse_args()
    if options.servers < measure.ANEW or options.repeat < 1 or not 2 <= options.each <= 250:
        parser.error(f"at least {measure.ANEW} servers, one round and 2 to 250 clients are needed")
    return options


if __name__ == "__main__":
    sys.exit(main())
