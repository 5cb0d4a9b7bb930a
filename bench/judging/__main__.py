"""`python -m bench.judging`: CPU time, memory and bytes of a day's facts, model and verdict, and of a month's list.

The store is that of bench/store: a day of so many servers, a cycle every ten seconds, segments made by the keeper.
Its disks keep up, so the day is judged by thresholds that some of it exceeds. Each step is one process.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.figures import Figure, Spread, table
from bench.store.year import Size, built
from nasacct.reports import facts as facts_of
from nasacct.reports import judging, models
from nasacct.reports.attribution.thresholds import Thresholds
from nasacct.reports.episode_list import ledgers, listed
from nasacct.reports.episodes import Ledger
from nasacct.reports.facts import DAY_S
from nasacct.store import judged
from nasacct.store.judged import next_day, start_of
from nasacct.store.tree import Tree, trees
from nasacct.store.warehouse import Warehouse

#: Thresholds by which the made-up disks do not keep up for a minute or two, ten times a day.
_LIMITS = Thresholds(busy=0.735, busy_others=0.4, behind=1.0, merge_s=30, leave=3)
_STEPS = {
    "facts": "facts of a day",
    "model": "the model of its week",
    "day": "all of a day: facts, model, verdicts",
    "list": "a list of 30 days of episodes that were judged",
}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.judging", description=__doc__)
    parser.add_argument("--servers", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("build/bench-judging"), help="where the store is kept")
    parser.add_argument("--step", choices=_STEPS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    size = Size(servers=options.servers, days=1, fine=1)
    root = built(options.folder, size, Path(__file__).parents[2], anew=False).root
    if options.step:
        print(json.dumps(_one(root, options.step)))
        return 0
    found = []
    for step, called in _STEPS.items():
        rounds = [_apart(options, step) for _ in range(options.repeat)]
        for what, unit in (("cpu", "CPU-s"), ("peak", "MB at most"), ("bytes", "bytes"), ("episodes", "episodes")):
            values = tuple(float(each[what]) for each in rounds if what in each)
            if values:
                found.append(Figure(called if what == "cpu" else f"  {what}", unit, Spread(values)))
    print(f"{options.servers} servers; the list is of one process that has begun, all else of whole processes.\n")
    print(table(found))
    return 0


def _apart(options: argparse.Namespace, step: str) -> dict[str, float]:
    arguments = ["--servers", str(options.servers), "--folder", str(options.folder), "--step", step]
    command = [sys.executable, "-m", "bench.judging", *arguments]
    done: dict[str, float] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return done


def _one(root: Path, step: str) -> dict[str, float]:
    """One step in this process."""
    with tempfile.TemporaryDirectory(dir=root.parent) as folder:
        # what is written lies beside the store, which stays as it is
        tree = Tree(Path(folder), trees(root)[0].node)
        tree.folder.mkdir()
        ledger = Ledger(tree, Warehouse(root, tree.node, ring=None), _LIMITS)
        day = next_day(ledger.extent()[-1], -1)
        pool = ledger.pools()[0]
        if step == "list":
            return _list(ledger, pool)
        if step == "facts":
            facts = ledger.facts(pool, day)
            assert facts is not None
            file = judged.write_table(tree, pool, "facts", day, facts_of.table(facts), facts_of.said(facts))
            return _taken(file.path.stat().st_size)
        if step == "model":
            learnt = models.learnt(ledger, pool, day)
            assert learnt is not None
            file = models.keep(tree, pool, day, learnt)
            return _taken(file.path.stat().st_size)
        assert judging.judge(ledger, pool, day, time.time())
        size = sum(file.path.stat().st_size for file in judged.listed(tree))
        return _taken(size) | {"episodes": float(len(ledger.of(pool, day)))}


def _list(ledger: Ledger, pool: str) -> dict[str, float]:
    """The list of thirty days, each of which is this one."""
    day = next_day(ledger.extent()[-1], -1)
    assert judging.judge(ledger, pool, day, time.time())
    (file,) = [each for each in judged.listed(ledger.tree) if each.kind == "episodes"]
    told = judged.said(file)
    for n in range(1, 33):
        moved = [each | {name: each[name] - n * DAY_S for name in ("from", "to")} for each in told["episodes"]]
        judged.write_text(ledger.tree, pool, "episodes", next_day(day, -n), told | {"episodes": moved})
    span = start_of(next_day(day, -30)), start_of(day)
    began = time.process_time()
    known = ledgers(ledger.tree.root, None, _LIMITS, None, span)
    rows = listed(known, span, None, None, every=True)
    took = time.process_time() - began
    return {"cpu": took, "episodes": float(len(rows))}


def _taken(size: int) -> dict[str, float]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {"cpu": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss / 1000, "bytes": float(size)}


if __name__ == "__main__":
    sys.exit(main())
