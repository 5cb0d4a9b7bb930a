"""`python -m bench.collect`: what collecting costs, and what the goals say to that."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.collect import measure, namespaces, report
from bench.running import run

if TYPE_CHECKING:
    from bench.collect.namespaces import Fleet
    from bench.taking import Taken

_REPOSITORY = Path(__file__).resolve().parent.parent.parent
#: The text of a busy server of a real kernel.
TEMPLATE = _REPOSITORY / "tests/fixtures/proc/6.12.117-srv1/nfsd.txt"


def main() -> int:
    """Measure and print; the exit status says whether it could be measured, not what came out."""
    options = _options()
    build = _REPOSITORY / "build"
    build.mkdir(exist_ok=True)

    def taken(fleet: Fleet, folder: Path) -> Taken:
        return measure.run(fleet, folder, namespaces.counter(), TEMPLATE, options.repeat)

    def tell(found: Taken) -> None:
        print(json.dumps(report.as_json(found), indent=1) if options.json else report.as_text(found))

    return run("collect", options.servers, taken, tell, build)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.collect", description=__doc__)
    parser.add_argument("--servers", type=int, default=1000, metavar="N", help="network namespaces (default 1000)")
    parser.add_argument("--repeat", type=int, default=25, metavar="K", help="rounds (default 25)")
    parser.add_argument("--json", action="store_true", help="one object for scripts")
    options = parser.parse_args()
    if options.servers < 4 or options.repeat < 1:
        parser.error("at least 4 servers and one round are needed")
    return options


if __name__ == "__main__":
    sys.exit(main())
