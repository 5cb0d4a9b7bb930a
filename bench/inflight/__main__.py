"""`python -m bench.inflight`: what sampling all servers' calls in flight costs."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.collect import namespaces
from bench.figures import Figure, Spread, table
from bench.inflight import measure

#: The exit statuses of sysexits.h, and what a shell gives for a program ended by SIGINT.
UNAVAILABLE, NO_PERMISSION, INTERRUPTED = 69, 77, 130
#: Calls in flight of each used server: none, some, all threads.
_ROWS = (0, 2, 8)
_BUDGET, _NO_BUDGET = 1.0, 50.0


def main() -> int:
    """Measure and print; the exit status says whether it could be measured, not what came out."""
    options = _options()
    if os.geteuid() != 0:
        print("bench/inflight makes network namespaces: run it as root", file=sys.stderr)
        return NO_PERMISSION
    try:
        with tempfile.TemporaryDirectory(prefix="bench-inflight-") as folder:
            namespaces.isolate()
            fleet = namespaces.make(options.servers)
            counter = namespaces.counter()
            free = {rows: measure.sampled(fleet, Path(folder), counter, rows, _NO_BUDGET) for rows in _ROWS}
            kept = measure.sampled(fleet, Path(folder), counter, _ROWS[-1], _BUDGET)
    except (OSError, RuntimeError, subprocess.CalledProcessError) as err:
        print(f"bench/inflight could not measure: {err}", file=sys.stderr)
        return UNAVAILABLE
    except KeyboardInterrupt:
        return INTERRUPTED
    found = figures(free, kept)
    if options.json:
        told = {"servers": options.servers, "figures": [figure.as_json() for figure in found]}
        print(json.dumps(told, indent=1))
    else:
        print(f"{options.servers} network namespaces, one in five used and sampled each second, the others each 10 s.")
        print("The kernel is asked a question of about the same cost, see bench/inflight/standin.py.\n")
        print(table(found))
    return 0


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
