"""`python -m bench.attribution DATA_DIR RESULTS.csv`: what the engine says of every scenario, a row an entity.

The rows are those of a scorer who knows the truth; the engine and this program know nothing of it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench.attribution import results
from bench.attribution.scenario import SIGNALS

_UNAVAILABLE = 69


def main(arguments: list[str] | None = None) -> int:
    """Write the results and print what they took; 69 if there is nothing to read."""
    parser = argparse.ArgumentParser(prog="python -m bench.attribution", description=__doc__)
    parser.add_argument("data", type=Path, help="folder of scenarios, a folder each")
    parser.add_argument("results", type=Path, help="CSV to write")
    parser.add_argument("--without", action="append", default=[], choices=SIGNALS, help="as if nobody counted this")
    options = parser.parse_args(arguments)
    count = len(results.folders(options.data))
    if not count:
        print(f"bench/attribution found no scenario in {options.data}", file=sys.stderr)
        return _UNAVAILABLE
    found = results.said(options.data, {"engine": results.engine}, options.without)["engine"]
    found.frame.to_csv(options.results, index=False)
    print(f"{count} scenarios, {found.episodes} episodes, {found.spent_s:.1f} CPU-s in the engine")
    return 0


if __name__ == "__main__":
    sys.exit(main())
