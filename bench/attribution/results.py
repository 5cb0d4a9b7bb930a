"""Results: a row an episode and entity, as `bench.attribution.score` reads them; whoever attributes writes the same."""

from __future__ import annotations

import csv
import time
from typing import TYPE_CHECKING

from bench.attribution.scenario import scenes
from nasacct.reports.attribution.engine import attributed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from pathlib import Path

    from nasacct.reports.attribution.scene import Scene
    from nasacct.reports.attribution.verdict import Entity

    #: What a method says of a scene: first sample, end, entity, share, its low and high, blame, culprit, confidence.
    Row = tuple[int, int, str, float, float, float, float, bool, float]
    Method = Callable[[Scene], Iterable[Row]]

_COLUMNS = "scenario pool start_ts end_ts entity share share_lo share_hi blame is_culprit confidence".split()
_SHOWN = 0.02


def folders(data: Path) -> list[Path]:
    """Scenarios, in order."""
    return sorted(each.parent for each in data.glob("*/meta.json"))


def written(data: Path, results: Path, method: Method, without: Collection[str] = ()) -> tuple[int, float]:
    """What a method says of every scenario, as CSV; returns how many episodes, and seconds of CPU in the method."""
    spent, found = 0.0, 0
    with results.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for folder in folders(data):
            for scene in scenes(folder, without):
                began = time.process_time()
                rows = list(method(scene))
                spent += time.process_time() - began
                found += len({first for first, *_ in rows})
                for first, end, entity, *numbers, culprit, confidence in rows:
                    at = (folder.name, scene.pool, scene.moment(first), scene.moment(end), entity)
                    writer.writerow([*at, *(f"{each:.4f}" for each in numbers), int(culprit), f"{confidence:.4f}"])
    return found, spent


def engine(scene: Scene) -> Iterator[Row]:
    """What the product's engine says."""
    for found in attributed(scene):
        at = found.episode.first, found.episode.end
        shown = [each for each in found.verdict.entities if each.share >= _SHOWN or each.culprit]
        for each in shown:
            yield *at, _called(each), each.share, each.low, each.high, each.blame, each.culprit, each.confidence
        if not shown:
            yield *at, "unknown", 1.0, 0.0, 1.0, 0.0, False, 0.0


def _called(entity: Entity) -> str:
    return f"member:{entity.name}" if entity.kind == "member" else entity.kind
