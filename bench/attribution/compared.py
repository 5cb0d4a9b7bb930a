"""`python -m bench.attribution.compared`: fresh scenarios, what the engine and others say of them, and how right it is.

The seeds are made of today's date unless they are given, and printed, so that nothing can have been tuned on them and
everything can be had again. Exit status 0 if the engine reaches the gate of a release, 1 if it does not.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bench.attribution import measures, results, rivals, score
from bench.attribution.scenario import SIGNALS
from bench.scenarios.__main__ import made

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from bench.attribution.results import Method
    from bench.attribution.score import Judgement

_SEEDS = 3


def main(arguments: list[str] | None = None) -> int:
    """Print the engine's measures against the targets, and beside others'."""
    seeds, families = asked("compared", __doc__, arguments)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        made(out, seeds, families)
        others = {name: rivals.method(rule) for name, rule in rivals.RULES.items()}
        told = judged(out, {"engine": results.engine, **others})
        told |= judged(out, {"engine, no signals": results.engine}, SIGNALS)
    reached = {name: measures.of(each) for name, each in told.items()}
    print(
        f"\n{measures.by_family(told['engine'])}\n\n{measures.against(reached['engine'])}\n\n{measures.beside(reached)}"
    )
    return int(not measures.released(reached["engine"]))


def asked(program: str, about: str | None, arguments: list[str] | None) -> tuple[list[int], list[str] | None]:
    """The seeds, which are printed, and the families (None: all) that a command line of a program here asks for."""
    parser = argparse.ArgumentParser(prog=f"python -m bench.attribution.{program}", description=about)
    parser.add_argument("--seeds", help="numbers, with commas between them; else three of today's date")
    parser.add_argument("--only", help="families, with commas between them; else all")
    options = parser.parse_args(arguments)
    seeds = seeds_of(options.seeds)
    print(f"seeds {','.join(map(str, seeds))}", flush=True)
    return seeds, options.only.split(",") if options.only else None


def seeds_of(given: str | None) -> list[int]:
    """Those that are given, or today's."""
    if given:
        return [int(each) for each in given.split(",")]
    today = int(f"{datetime.now(UTC):%Y%m%d}")
    return [10 * today + each for each in range(1, _SEEDS + 1)]


def judged(out: Path, methods: Mapping[str, Method], without: Collection[str] = ()) -> dict[str, Judgement]:
    """What methods say of generated scenarios, held against their truth."""
    return {
        name: score.judged(out / "labels", out / "index.csv", found.frame)
        for name, found in results.said(out / "data", methods, without).items()
    }


if __name__ == "__main__":
    sys.exit(main())
