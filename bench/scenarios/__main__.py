"""`python -m bench.scenarios OUT --seeds 1,2,3`: scenarios of every family, a folder each, and their truth beside them.

OUT/data is what an engine may see, OUT/labels and OUT/index.csv are the truth. The same family and seed give the same
scenario on every machine.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
import zlib
from pathlib import Path

from bench.scenarios import counters, situations
from bench.scenarios.pool import simulated

_USAGE = 64


def main(arguments: list[str] | None = None) -> int:
    """Make them; 64 for a family that does not exist."""
    parser = argparse.ArgumentParser(prog="python -m bench.scenarios", description=__doc__)
    parser.add_argument("out", type=Path, help="folder to make")
    parser.add_argument("--seeds", default="1,2,3", help="numbers, with commas between them")
    parser.add_argument("--only", help="families, with commas between them; else all")
    options = parser.parse_args(arguments)
    wanted = options.only.split(",") if options.only else situations.families()
    unknown = sorted(set(wanted) - set(situations.families()))
    if unknown:
        print(
            f"bench/scenarios knows no family {', '.join(unknown)}; it knows {', '.join(situations.families())}",
            file=sys.stderr,
        )
        return _USAGE
    made(options.out, [int(each) for each in options.seeds.split(",")], wanted, say=print)
    return 0


def made(out: Path, seeds: list[int], families: list[str] | None = None, say: object = None) -> None:
    """Make scenarios of families and seeds; `say` is told a line about each."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / "index.csv").open("w", newline="") as file:
        index = csv.writer(file)
        index.writerow(("scenario", "family", "seed"))
        for family in families or situations.families():
            for seed in seeds:
                began = time.process_time()
                name = f"s{zlib.crc32(f'{family} {seed}'.encode()):08x}"
                situation = situations.made(family, seed)
                found = counters.written(situation, simulated(situation.pool), out / "data" / name, out / "labels")
                index.writerow((name, family, seed))
                if callable(say):
                    told = "; ".join(f"{(e['end'] - e['start']) / 60:.0f} min {e['top']}" for e in found)
                    say(
                        f"{family:24} {seed:>8} {name} {situation.kind:12} {time.process_time() - began:4.1f} s  {told}"
                    )


if __name__ == "__main__":
    sys.exit(main())
