"""`python -m bench.why`: CPU time and memory of `nasacct why` over windows of a thousand servers' store.

Each answer is a process of its own, as an admin's is: starting Python and importing is in it. The floor beside it is a
process that imports the same and asks nothing. The keeper's model of that week is kept, as of every day that is over.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from bench.store.year import Built, Size, built
from nasacct.times import iso

_REPOSITORY = Path(__file__).resolve().parent.parent.parent
_UNAVAILABLE = 69
#: Lengths of windows, in minutes.
_WINDOWS = (2, 20)
_FLOOR = (
    "from nasacct.__main__ import without_pandas; without_pandas(); "
    "import nasacct.reports.dossiers, nasacct.reports.dossier_text, duckdb, nasacct.cli.app"
)
#: The models of a store, as the keeper's chore makes them.
_LEARN = """
import sys, pathlib, datetime
from nasacct.reports import models
from nasacct.reports.attribution.thresholds import Thresholds
from nasacct.reports.episodes import Ledger
from nasacct.store.tree import trees
from nasacct.store.warehouse import Warehouse
(tree,) = trees(pathlib.Path(sys.argv[1]))
ledger = Ledger(tree, Warehouse(tree.root, tree.node, ring=None), Thresholds())
day = datetime.date.fromisoformat(sys.argv[2])
for pool in ledger.pools():
    learnt = models.learnt(ledger, pool, day)
    models.keep(tree, pool, day, learnt)
"""


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; the exit status says whether it could be measured, not what came out."""
    parser = argparse.ArgumentParser(prog="python -m bench.why", description=__doc__)
    parser.add_argument("--servers", type=int, default=1000, metavar="N", help="servers (default 1000)")
    parser.add_argument("--days", type=int, default=31, metavar="N", help="days of the store (default 31)")
    parser.add_argument("--repeat", type=int, default=5, metavar="K", help="windows of each length (default 5)")
    parser.add_argument("--build", type=Path, default=_REPOSITORY / "build", metavar="DIR", help="where the store lies")
    options = parser.parse_args(arguments)
    options.build.mkdir(exist_ok=True)
    try:
        store = built(options.build / "bench-why", Size(options.servers, options.days, 1), _REPOSITORY, anew=False)
        fine = (store.until - timedelta(hours=1)).date()
        subprocess.run([sys.executable, "-c", _LEARN, str(store.root), fine.isoformat()], check=True)
        floor = [_measured([sys.executable, "-c", _FLOOR])[0] for _ in range(options.repeat)]
        print(f"imports alone: {statistics.median(floor):.2f} CPU-s ({min(floor):.2f} to {max(floor):.2f})")
        for minutes in _WINDOWS:
            _print(minutes, [_why(store, minutes, seed) for seed in range(options.repeat)])
    except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
        print(f"bench/why could not measure: {error}", file=sys.stderr)
        return _UNAVAILABLE
    return 0


def _why(store: Built, minutes: int, seed: int) -> tuple[float, float]:
    """CPU seconds and MB at most of one answer, about a window of the fine day."""
    at = store.until - timedelta(hours=random.Random(f"{minutes}/{seed}").uniform(4, 20))
    window = f"{iso(at.replace(microsecond=0))}..{iso((at + timedelta(minutes=minutes)).replace(microsecond=0))}"
    return _measured([sys.executable, "-m", "nasacct", "why", window, "--root", str(store.root)])


def _measured(command: list[str]) -> tuple[float, float]:
    """CPU seconds and MB at most of a process. RuntimeError when it fails."""
    env = {**os.environ, "NASACCT_CONFIG": os.devnull}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=env) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1000


def _print(minutes: int, taken: list[tuple[float, float]]) -> None:
    cpu, memory = zip(*taken, strict=True)
    print(
        f"why, {minutes} min: {statistics.median(cpu):.2f} CPU-s ({min(cpu):.2f} to {max(cpu):.2f}; goal 2), "
        f"{max(memory):.0f} MB at most (goal 300)"
    )


if __name__ == "__main__":
    sys.exit(main())
