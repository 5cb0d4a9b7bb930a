"""`python -m bench.collect`: what collecting costs, and what the goals say to that."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.collect import measure, namespaces, report

_REPOSITORY = Path(__file__).resolve().parent.parent.parent
#: The text of a busy server of a real kernel.
TEMPLATE = _REPOSITORY / "tests/fixtures/proc/6.12.117-srv1/nfsd.txt"
#: The exit statuses of sysexits.h.
UNAVAILABLE, NO_PERMISSION = 69, 77
#: What a shell gives for a program ended by SIGINT.
INTERRUPTED = 130


def main() -> int:
    """Measure and print; the exit status says whether it could be measured, not what came out."""
    options = _options()
    if os.geteuid() != 0:
        print("bench/collect makes network namespaces: run it as root", file=sys.stderr)
        return NO_PERMISSION
    build = _REPOSITORY / "build"
    build.mkdir(exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix="bench-collect-", dir=build) as folder:
            namespaces.isolate()
            fleet = namespaces.make(options.servers)
            taken = measure.run(fleet, Path(folder), namespaces.counter(), TEMPLATE, options.repeat)
    except (OSError, RuntimeError, subprocess.CalledProcessError) as err:
        print(f"bench/collect could not measure: {err}", file=sys.stderr)
        return UNAVAILABLE
    except KeyboardInterrupt:
        return INTERRUPTED
    print(json.dumps(report.as_json(taken), indent=1) if options.json else report.as_text(taken))
    return 0


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
