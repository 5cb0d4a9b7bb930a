"""`python -m bench.attribution DATA_DIR RESULTS.csv`: what the engine says of every scenario, a row an entity.

The rows are those of a scorer who knows the truth; the engine and this program know nothing of it.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.attribution.scenario import scenes
from nasacct.reports.attribution.engine import attributed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nasacct.reports.attribution.scene import Scene
    from nasacct.reports.attribution.verdict import Entity

_COLUMNS = "scenario pool start_ts end_ts entity share share_lo share_hi blame is_culprit confidence".split()
_SHOWN = 0.02
_UNAVAILABLE = 69


def main(arguments: list[str] | None = None) -> int:
    """Write the results and print what they took; 69 if there is nothing to read."""
    parser = argparse.ArgumentParser(prog="python -m bench.attribution", description=__doc__)
    parser.add_argument("data", type=Path, help="folder of scenarios, a folder each")
    parser.add_argument("results", type=Path, help="CSV to write")
    options = parser.parse_args(arguments)
    folders = sorted(each.parent for each in options.data.glob("*/meta.json"))
    if not folders:
        print(f"bench/attribution found no scenario in {options.data}", file=sys.stderr)
        return _UNAVAILABLE
    spent, found = 0.0, 0
    with options.results.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for folder in folders:
            for scene in scenes(folder):
                began = time.process_time()
                rows = list(_rows(folder.name, scene))
                spent += time.process_time() - began
                found += len({row[2] for row in rows})
                writer.writerows(rows)
    print(f"{len(folders)} scenarios, {found} episodes, {spent:.1f} CPU-s in the engine")
    return 0


def _rows(scenario: str, scene: Scene) -> Iterator[list[object]]:
    for found in attributed(scene):
        at = [scenario, scene.pool, scene.moment(found.episode.first), scene.moment(found.episode.end)]
        shown = [each for each in found.verdict.entities if each.share >= _SHOWN or each.culprit]
        for each in shown:
            numbers = (each.share, each.low, each.high, each.blame)
            yield [*at, _called(each), *(f"{n:.4f}" for n in numbers), int(each.culprit), f"{each.confidence:.4f}"]
        if not shown:
            yield [*at, "unknown", 1, 0, 1, 0, 0, 0]


def _called(entity: Entity) -> str:
    return f"member:{entity.name}" if entity.kind == "member" else entity.kind


if __name__ == "__main__":
    sys.exit(main())
