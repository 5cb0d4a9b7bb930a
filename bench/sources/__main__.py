"""`python -m bench.sources`: what a cycle of all sources together costs."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench.collect import namespaces
from bench.figures import Figure, cpu_ms, table
from bench.sources import measure

if TYPE_CHECKING:
    from bench.taking import Taken

#: The exit statuses of sysexits.h, and what a shell gives for a program ended by SIGINT.
UNAVAILABLE, NO_PERMISSION, INTERRUPTED = 69, 77, 130
TEMPLATE = Path(__file__).resolve().parents[2] / "tests/fixtures/proc/6.12.117-srv1/nfsd.txt"
#: CPU-ms of a cycle of all sources together.
GOAL = 100


def main() -> int:
    """Measure and print; the exit status says whether it could be measured, not what came out."""
    options = _options()
    if os.geteuid() != 0:
        print("bench/sources makes network namespaces: run it as root", file=sys.stderr)
        return NO_PERMISSION
    try:
        with tempfile.TemporaryDirectory(prefix="bench-sources-") as folder:
            namespaces.isolate()
            fleet = namespaces.make(options.servers)
            taken = measure.run(fleet, Path(folder), namespaces.counter(), TEMPLATE, options.minutes)
    except (OSError, RuntimeError, subprocess.CalledProcessError) as err:
        print(f"bench/sources could not measure: {err}", file=sys.stderr)
        return UNAVAILABLE
    except KeyboardInterrupt:
        return INTERRUPTED
    found = figures(taken)
    if options.json:
        print(json.dumps({**taken.facts, "figures": [figure.as_json() for figure in found]}, indent=1))
    else:
        facts = taken.facts
        print(f"{facts['servers']} network namespaces (made in {facts['made_s']} s) of {measure.EACH} clients each;")
        print(f"one in {measure.USED} is used in every cycle. Histograms have {facts['lines']} lines; that the kernel")
        print("prints them is not in it. CPU time is user and system of the whole process, a minute's mean.\n")
        print(table(found))
    return 0


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
