"""Results: a row an episode and entity, as `bench.attribution.score` reads them; whoever attributes writes the same."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from bench.attribution.scenario import scenes
from nasacct.reports.attribution.engine import attributed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
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


@dataclass(slots=True)
class Said:
    """What a method said of scenarios."""

    rows: list[tuple[object, ...]] = field(default_factory=list)  #: as the columns are
    episodes: int = 0
    spent_s: float = 0.0  #: CPU in the method

    @property
    def frame(self) -> pd.DataFrame:
        """As a table."""
        return pd.DataFrame(self.rows, columns=_COLUMNS)


def said(data: Path, methods: Mapping[str, Method], without: Collection[str] = ()) -> dict[str, Said]:
    """What each method says of every scenario, without some of its signals."""
    found = {name: Said() for name in methods}
    for folder in folders(data):
        for scene in scenes(folder, without):
            for name, method in methods.items():
                began = time.process_time()
                rows = list(method(scene))
                found[name].spent_s += time.process_time() - began
                found[name].episodes += len({first for first, *_ in rows})
                for first, end, entity, *numbers, culprit, confidence in rows:
                    at = (folder.name, scene.pool, scene.moment(first), scene.moment(end), entity)
                    rounded = (round(each, 4) for each in numbers)
                    found[name].rows.append((*at, *rounded, int(culprit), round(confidence, 4)))
    return found


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
