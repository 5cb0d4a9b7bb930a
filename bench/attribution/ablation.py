"""`python -m bench.attribution.ablation`: what each signal adds: the engine with all of them, and without each.

The same scenarios each time, all in all and for the families whose members cannot be told apart without it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench.attribution import measures, results
from bench.attribution.compared import asked, judged
from bench.attribution.scenario import SIGNALS
from bench.scenarios.__main__ import made

if TYPE_CHECKING:
    from bench.attribution.score import Judgement

#: Families that show what a signal adds.
TELLING = (
    "twins",
    "twins_nfs3",
    "scrub_and_cached_reader",
    "reader_nfs3",
    "writer_nfs3",
    "lost_memory",
    "cached_decoy",
)

VARIANTS: dict[str, tuple[str, ...]] = {
    "all": (),
    **{f"no {each}": (each,) for each in SIGNALS},
    "none": SIGNALS,
}


def main(arguments: list[str] | None = None) -> int:
    """Print a table for all scenarios, and one a family."""
    seeds, families = asked("ablation", __doc__, arguments)
    with tempfile.TemporaryDirectory() as folder:
        made(Path(folder), seeds, families)
        told = {name: judged(Path(folder), {name: results.engine}, without)[name] for name, without in VARIANTS.items()}
    print(f"\nall families\n{measures.beside({name: measures.of(each) for name, each in told.items()})}")
    known = {each.family for each in told["all"].episodes}
    print(f"\n{of_families(told, [each for each in TELLING if each in known])}")
    return 0


def of_families(told: dict[str, Judgement], families: list[str]) -> str:
    """Of each family and variant: guilty ones named, innocent ones named, error of shares."""
    rows = [("FAMILY", "EPISODES", *told)]
    for family in families:
        each = {name: [one for one in found.episodes if one.family == family] for name, found in told.items()}
        cells = []
        for ones in each.values():
            guilty, right, wrong = (sum(getattr(one, what) for one in ones) for what in ("guilty", "right", "wrong"))
            error = [one.error for one in ones if one.found]
            cells.append(f"{right}/{guilty} +{wrong} {sum(error) / max(len(error), 1):.2f}")
        rows.append((family, str(len(each["all"])), *cells))
    rows.append(("right/guilty +wrong, error of shares", "", *("" for _ in told)))
    return measures.aligned(rows)


if __name__ == "__main__":
    sys.exit(main())
