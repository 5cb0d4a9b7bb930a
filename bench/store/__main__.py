"""`python -m bench.store`: what keeping costs, and what the goals say to that."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.store import append, queries, report, rivals
from bench.store.fleet import MOVING, Fleet
from bench.store.year import Size, built, small
from nasacct.errors import NasacctError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.store.year import Built

_REPOSITORY = Path(__file__).resolve().parent.parent.parent
_UNAVAILABLE, _INTERRUPTED = 69, 130


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; the exit status says whether it could be measured, not what came out."""
    options = _options(arguments)
    build = options.build or _REPOSITORY / "build"
    build.mkdir(exist_ok=True)
    try:
        store = built(build / "bench-store", options.size, _REPOSITORY, anew=options.anew)
        with tempfile.TemporaryDirectory(prefix="bench-store-", dir=build) as folder:
            taken = _measure(options, store, Path(folder))
    except (OSError, RuntimeError, NasacctError, subprocess.CalledProcessError) as error:
        print(f"bench/store could not measure: {error}", file=sys.stderr)
        return _UNAVAILABLE
    except KeyboardInterrupt:
        return _INTERRUPTED
    print(json.dumps(report.as_json(taken), indent=1) if options.json else report.as_text(taken))
    return 0


def _measure(options: argparse.Namespace, store: Built, folder: Path) -> report.Taken:
    answered = queries.run(store, options.repeat, max(options.repeat // 5, 1))
    taken = report.Taken(store, append.run(folder, options.size.servers, options.repeat), answered)
    taken.facts = {**_facts(options.size.servers), "servers": options.size.servers}
    taken.facts |= {"rival_servers": options.rival_servers, "rival_hours": options.rival_hours}
    given = rivals.samples(options.rival_servers, 360 * options.rival_hours)
    taken.rivals[report.SMALL] = small(folder / "small", options.rival_servers, options.rival_hours) / given.count
    ways: dict[str, Callable[[rivals.Samples, Path], int]] = {
        report.PROMETHEUS: rivals.prometheus,
        "VictoriaMetrics, merged": rivals.victoria,
    }
    for name, way in ways.items():
        try:
            taken.rivals[name] = way(given, folder) / given.count
        except FileNotFoundError as error:
            taken.rivals[name], taken.absent[name] = None, str(error)
    return taken


def _facts(servers: int) -> dict[str, float]:
    """What share of rows and samples of the fleet changes in a cycle, of an hour at noon."""
    fleet, rows, changed = Fleet(servers), [], []
    was = {name: counters.copy() for name, counters in fleet.counters.items()}
    for i in range(360):
        fleet.step(10, 43_200 + 10 * i)
        grown = np.concatenate([fleet.counters[name] != was[name] for name in was], axis=1)
        was = {name: counters.copy() for name, counters in fleet.counters.items()}
        rows.append(grown.any(axis=1).mean())
        changed.append(grown.sum() / servers)
    moving = sum(len(names) for names in MOVING.values())
    return {"moving": moving, "rows": float(np.mean(rows)), "changed": float(np.mean(changed)) / moving}


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.store", description=__doc__)
    parser.add_argument("--servers", type=int, default=1000, metavar="N", help="servers (default 1000)")
    parser.add_argument("--days", type=int, default=365, metavar="N", help="days of the store (default 365)")
    parser.add_argument("--fine", type=int, default=1, metavar="N", help="days with a cycle every 10 s (default 1)")
    parser.add_argument("--rival-servers", type=int, default=50, metavar="N", help="servers for rivals (default 50)")
    parser.add_argument("--rival-hours", type=int, default=24, metavar="N", help="hours of them (default 24)")
    parser.add_argument("--repeat", type=int, default=25, metavar="K", help="repeats of each question (default 25)")
    parser.add_argument("--anew", action="store_true", help="make the store anew (else build/bench-store is used)")
    parser.add_argument("--build", type=Path, metavar="DIR", help="where the store lies (default build)")
    parser.add_argument("--json", action="store_true", help="one object for scripts")
    options = parser.parse_args(arguments)
    if options.servers < 4 or options.repeat < 1 or not 1 <= options.fine <= options.days <= 365:
        parser.error("at least 4 servers, one repeat, and of at most 365 days one that is fine are needed")
    options.size = Size(options.servers, options.days, options.fine)
    return options


if __name__ == "__main__":
    sys.exit(main())
