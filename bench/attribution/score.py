"""The scorer: `python -m bench.attribution.score --labels DIR --index INDEX.csv --results RESULTS.csv [--targets]`.

Results are a row an episode and entity: scenario, pool, start_ts, end_ts, entity (member:NAME, local, hardware or
unknown), share with its 90 % interval share_lo to share_hi, blame, is_culprit, and confidence, which is how likely it
is that the entity's blame is 0.2 or more. An entity of a share of 0.02 has a row, and so has every culprit.

An answer is one of an episode if they overlap for half of the shorter one; several of one episode are merged by time.
Episodes of less than two minutes are neither missed nor false. Members of a blame of 0.12 to 0.2 are neither right nor
wrong.

Exit status 0; with --targets 1 if the gate of a release is not reached.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from bench.attribution import measures

if TYPE_CHECKING:
    from collections.abc import Iterator

_NUMBERS = ["share", "share_lo", "share_hi", "blame", "is_culprit", "confidence"]
_SHARE, _LOW, _HIGH, _BLAME, _CULPRIT, _CONFIDENCE = range(6)
_HALF = 0.5
#: From here on: somebody caused it; as good as the top cause; a share, an interval, a confidence is worth judging.
_CAUSED, _AS_GOOD, _SHARED, _HELD, _SURE = 0.20, 0.8, 0.05, 0.03, 0.05
_ROUNDED = 1e-3


@dataclass(frozen=True, slots=True)
class Judged:
    """What was said of one episode."""

    family: str
    found: bool
    guilty: int  #: how many are
    right: int  #: culprits who are guilty
    wrong: int  #: culprits who are not
    missed: int  #: guilty ones who were not named
    top: bool  #: the top cause is right
    error: float  #: mean error of shares; NaN if it was not found


@dataclass(slots=True)
class Judgement:
    """What was said of all."""

    episodes: list[Judged] = field(default_factory=list)
    held: list[tuple[bool, float]] = field(
        default_factory=list
    )  #: intervals: whether the truth is in it, and its width
    sure: list[tuple[float, bool]] = field(default_factory=list)  #: members: confidence, and whether guilty
    real: list[bool] = field(default_factory=list)  #: answers: whether there was an episode


def judged(labels: Path, index: Path, results: pd.DataFrame) -> Judgement:
    """All answers held against the truth of the scenarios in the index."""
    families: dict[str, str] = dict(pd.read_csv(index)[["scenario", "family"]].itertuples(index=False))
    answers = _answers(results)
    found = Judgement()
    for path in sorted(labels.glob("*.json")):
        told = json.loads(path.read_text())
        scenario = told["scenario"]
        if scenario not in families:
            continue
        pools = {each["pool"] for each in told["episodes"]} | {pool for name, pool in answers if name == scenario}
        for pool in sorted(pools):
            truth = [each for each in told["episodes"] if each["pool"] == pool]
            _pool(found, families[scenario], truth, answers.get((scenario, pool), []))
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Answer:
    start: float
    end: float
    entities: dict[str, np.ndarray]  #: _NUMBERS of each

    def overlap(self, truth: dict[str, Any]) -> float:
        return float(min(self.end, truth["end"]) - max(self.start, truth["start"]))

    def meant(self, truth: dict[str, Any]) -> bool:
        shorter = min(self.end - self.start, truth["end"] - truth["start"])
        return bool(self.overlap(truth) >= _HALF * shorter)


def _answers(results: pd.DataFrame) -> dict[tuple[str, str], list[_Answer]]:
    results = results.copy()
    results["is_culprit"] = results.is_culprit.map(lambda value: str(value).lower() in {"1", "1.0", "true", "yes"})
    results[_NUMBERS] = results[_NUMBERS].astype(float)
    found: dict[tuple[str, str], list[_Answer]] = {}
    for at, rows in results.groupby(["scenario", "pool", "start_ts", "end_ts"]):
        scenario, pool, start, end = cast("tuple[str, str, float, float]", at)
        entities = dict(zip(rows.entity, rows[_NUMBERS].to_numpy(), strict=True))
        found.setdefault((scenario, pool), []).append(_Answer(float(start), float(end), entities))
    return found


def _pool(found: Judgement, family: str, truth: list[dict[str, Any]], answers: list[_Answer]) -> None:
    found.real += [any(each.overlap(episode) > 0 for episode in truth) for each in answers]
    for episode in truth:
        if episode["minor"]:
            continue
        meant = [each for each in answers if each.meant(episode)]
        guilty = len(episode["guilty"])
        if not meant:
            found.episodes.append(Judged(family, False, guilty, 0, 0, guilty, False, np.nan))
            continue
        said = _merged(meant, [each.overlap(episode) for each in meant])
        found.episodes.append(_episode(family, episode, said))
        found.held += _intervals(episode, said)
        for entity, numbers in said.items():
            judge = entity.startswith("member:") and entity not in episode["grey"]
            if judge and max(numbers[_CONFIDENCE], episode["blame"].get(entity, 0)) >= _SURE:
                found.sure.append((float(numbers[_CONFIDENCE]), entity in episode["guilty"]))


def _merged(answers: list[_Answer], weights: list[float]) -> dict[str, np.ndarray]:
    said: dict[str, np.ndarray] = {}
    for answer, weight in zip(answers, weights, strict=True):
        for entity, numbers in answer.entities.items():
            said[entity] = said.get(entity, np.zeros(len(_NUMBERS))) + numbers * weight / sum(weights)
    return said


def _episode(family: str, truth: dict[str, Any], said: dict[str, np.ndarray]) -> Judged:
    guilty, grey = set(truth["guilty"]), set(truth["grey"])
    culprits = {name for name, each in said.items() if name.startswith("member:") and each[_CULPRIT] >= _HALF}
    causes = {name: each[_BLAME] for name, each in said.items() if name != "unknown"}
    top = max(causes, key=lambda name: causes[name]) if causes else "diffuse"
    if causes and causes[top] < _CAUSED:
        top = "diffuse"
    blame = truth["blame"]
    as_good = top in guilty and blame.get(top, 0) >= _AS_GOOD * blame.get(truth["top"], 0)
    return Judged(
        family,
        True,
        len(guilty),
        len(culprits & guilty),
        len(culprits - guilty - grey),
        len(guilty - culprits),
        top == truth["top"] or as_good,
        _error(truth["share"], said),
    )


def _error(shares: dict[str, float], said: dict[str, np.ndarray]) -> float:
    off = []
    for entity in (set(shares) | set(said)) - {"unknown"}:
        true, told = shares.get(entity, 0.0), said[entity][_SHARE] if entity in said else 0.0
        if max(true, told) >= _SHARED:
            off.append(abs(true - told))
    return float(np.mean(off)) if off else 0.0


def _intervals(truth: dict[str, Any], said: dict[str, np.ndarray]) -> Iterator[tuple[bool, float]]:
    for entity, each in said.items():
        true = truth["share"].get(entity, 0.0)
        if entity != "unknown" and entity not in truth["grey"] and max(each[_SHARE], true) >= _HELD:
            yield each[_LOW] - _ROUNDED <= true <= each[_HIGH] + _ROUNDED, float(each[_HIGH] - each[_LOW])
    for entity, true in truth["share"].items():
        if entity not in said and true >= _HELD:
            yield False, 0.0


def main(arguments: list[str] | None = None) -> int:
    """Print what was reached, all in all and by family."""
    parser = argparse.ArgumentParser(prog="python -m bench.attribution.score", description=__doc__)
    for name in ("labels", "index", "results"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--targets", action="store_true", help="against the gate of a release, and the goal")
    options = parser.parse_args(arguments)
    found = judged(options.labels, options.index, pd.read_csv(options.results))
    if not found.episodes:
        print(f"bench/attribution found no episode in {options.labels} that {options.index} names", file=sys.stderr)
        return 66
    reached = measures.of(found)
    print(measures.by_family(found))
    print()
    print(measures.against(reached) if options.targets else measures.listed(reached))
    return int(options.targets and not measures.released(reached))


if __name__ == "__main__":
    sys.exit(main())
