"""`python -m bench.inflight`: what sampling all servers' calls in flight costs."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from bench.collect import namespaces
from bench.figures import Figure, Spread, table
from bench.inflight import measure
from bench.running import run

if TYPE_CHECKING:
    from pathlib import Path

    from bench.collect.namespaces import Fleet

#: Calls in flight of each used server: none, some, all threads.
_ROWS = (0, 2, 8)
_BUDGET, _NO_BUDGET = 1.0, 50.0


def main() -> int:
    """Measure and print; the exit status says whether it could be measured, not what came out."""
    options = _options()

    def taken(fleet: Fleet, folder: Path) -> tuple[dict[int, measure.Cost], measure.Cost]:
        counter = namespaces.counter()
        free = {rows: measure.sampled(fleet, folder, counter, rows, _NO_BUDGET) for rows in _ROWS}
        return free, measure.sampled(fleet, folder, counter, _ROWS[-1], _BUDGET)

    def tell(found: tuple[dict[int, measure.Cost], measure.Cost]) -> None:
        told = figures(*found)
        if options.json:
            print(json.dumps({"servers": options.servers, "figures": [one.as_json() for one in told]}, indent=1))
            return
        print(f"{options.servers} network namespaces, one in five used and sampled each second, the others each 10 s.")
        print("The kernel is asked a question of about the same cost, see bench/inflight/standin.py.\n")
        print(table(told))

    return run("inflight", options.servers, taken, tell)


def figures(free: dict[int, measure.Cost], kept: measure.Cost) -> list[Figure]:
    """Every figure."""
    found = [
        Figure(f"without a budget, {rows} calls in flight of each used server", "% of a CPU", one(cost.percent))
        for rows, cost in free.items()
    ]
    found += [
        Figure("  CPU time of a sample, of servers without calls", "us", one(free[0].sample_us)),
        Figure("  CPU time of a cycle, beside the samples", "ms", one(free[_ROWS[-1]].cycle_ms)),
        Figure("within the default budget, 8 calls each", "% of a CPU", one(kept.percent), "<=", 1.1),
        Figure("  seconds between samples of a used server", "s", one(kept.interval_s)),
    ]
    few, many = measure.reading_us(8), measure.reading_us(64)
    found.append(Figure("reading a call", "us", one((many - few) / 56)))
    found.append(Figure("memory at most", "MiB", one(measure.mebibytes())))
    return found


def one(value: float) -> Spread:
    """A single measurement."""
    return Spread((value,))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.inflight", description=__doc__)
    parser.add_argument("--servers", type=int, default=1000, metavar="N", help="network namespaces (default 1000)")
    parser.add_argument("--json", action="store_true", help="one object for scripts")
    options = parser.parse_args()
    if options.servers < 1:
        parser.error("at least one server is needed")
    return options


if __name__ == "__main__":
    sys.exit(main())
