"""`python -m bench.nfsd`: whether nfsd is slower while it is collected."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.figures import Figure, Spread, table

#: The exit status of sysexits.h.
UNAVAILABLE = 69
RUN_VM = Path(__file__).resolve().parents[2] / "tests/lab/run-vm"


def main() -> int:
    """Measure and print; the exit status says whether it could be measured, not what came out."""
    parser = argparse.ArgumentParser(prog="python -m bench.nfsd", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, metavar="K", help="pairs of runs (default 7)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-nfsd-") as folder:
        argv = [sys.executable, str(RUN_VM), "--project", "--disk", "nas:2G", "--out", folder]
        argv += ["--timeout", str(200 + 120 * options.rounds)]
        done = subprocess.run([*argv, "--", "python3", "guest/pairs.py", str(options.rounds)], check=False)
        if done.returncode:
            print(f"bench/nfsd could not measure: the machine ended with {done.returncode}", file=sys.stderr)
            return UNAVAILABLE
        rounds = json.loads(Path(folder, "rounds.json").read_text("utf-8"))
    print(f"\n{len(rounds)} pairs of runs; reads of 4 KiB from the server's memory.\n")
    print(table(figures(rounds)))
    return 0


def figures(rounds: list[dict[str, dict[str, float]]]) -> list[Figure]:
    """Every figure."""
    values = {
        (when, what): Spread(tuple(one[when][what] for one in rounds))
        for when in ("off", "on")
        for what in ("per_s", "ticks")
    }
    return [
        Figure("reads without a collector", "/s", values["off", "per_s"]),
        Figure("reads while all is collected", "/s", values["on", "per_s"]),
        Figure("  of those without", "x", values["on", "per_s"].over(values["off", "per_s"])),
        Figure("CPU of 1,000 reads without", "ticks", values["off", "ticks"]),
        Figure("CPU of 1,000 reads with", "ticks", values["on", "ticks"]),
        Figure("  of that without", "x", values["on", "ticks"].over(values["off", "ticks"])),
    ]


if __name__ == "__main__":
    sys.exit(main())
