"""The keeper's chores of episodes: it tells within a minute when disks do not keep up, and judges days that are over.

It looks for the one on a thread of its own, and does the other in a process of its own.

What that takes (DuckDB, models of a week) is large, so it is given back when the process ends; and should the system
end that process for it, the keeper goes on. Everything is written whole or not at all, so it may be ended at any time.
"""

import importlib.util
import logging
import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from nasacct.errors import NasacctError
from nasacct.store import journal, judged
from nasacct.store.judged import day_of, next_day
from nasacct.store.keep import ChoreError, idle
from nasacct.store.schema import DISKS
from nasacct.store.segments import SegmentError, listed

if TYPE_CHECKING:
    from datetime import date

    from nasacct.config import Config
    from nasacct.store.tree import Tree

log = logging.getLogger(__name__)

#: A day that could not be judged yet is looked at again after so long.
AGAIN_S = 900.0
#: So many days are judged by one process, the newest first.
_DAYS = 8
#: Exit statuses of that process: nothing is left to be done, more days are, it failed and has said why.
_DONE, _MORE, _FAILED = 0, 3, 1
#: The end waits no longer for a look, which may stand still with the pool.
_PATIENCE_S = 2.0
#: Packages of the extra `reports` that judging takes.
_NEEDED = ("duckdb", "scipy")


class Chores:
    """Judges what is to be judged in the trees of a keeper; `watch`: and looks at the newest samples all the time."""

    def __init__(self, config: "Config", *, watch: bool = False) -> None:
        self._config, self._watch = config, watch
        self._threads: list[threading.Thread] = []
        self._ended = threading.Event()
        self._next: dict[str, float] = {}
        self._told = False

    def begin(self, tree: "Tree") -> None:
        """Judge this tree's days, too, and look at it."""
        self._next.setdefault(tree.node, 0.0)
        if self._watch:
            thread = threading.Thread(target=self._look, args=(tree,), name="lookout", daemon=True)
            self._threads.append(thread)
            thread.start()

    def do(self, tree: "Tree", stop: threading.Event) -> None:
        """Judge the days that are over, unless that was tried just before. ChoreError when it failed."""
        now = time.monotonic()
        if now < self._next.get(tree.node, 0.0):
            return
        if any(importlib.util.find_spec(name) is None for name in _NEEDED):
            if not self._told:
                log.warning("episodes are not judged: that takes nasacct[reports], which is not installed")
            self._told = True
            return
        self._next[tree.node] = now + AGAIN_S
        if not lacking(tree, time.time()):
            return
        status = _apart(self._config, tree, stop)
        if status == _MORE:
            self._next[tree.node] = 0.0
        elif status not in {_DONE, None}:
            raise ChoreError("its process failed" if status == _FAILED else f"its process ended with status {status}")

    def end(self) -> None:
        """End looking."""
        self._ended.set()
        for thread in self._threads:
            thread.join(_PATIENCE_S)

    def _look(self, tree: "Tree") -> None:
        """Look at a tree until the end; what cannot be read now is told once and tried again."""
        from nasacct.reports.attribution.thresholds import Thresholds
        from nasacct.reports.lookout import Lookout
        from nasacct.reports.naming import name_of

        limits = Thresholds(**self._config.episodes.model_dump())
        lookout = Lookout(tree, limits, self._config.store.ring_dir, name_of)
        told = ""
        while not self._ended.wait(lookout.pause_s):
            try:
                lookout.look()
            except (NasacctError, OSError, SegmentError) as error:
                if str(error) != told:
                    log.warning("looking at the disks of node %s: %s", tree.node, error)
                told = str(error)


def lacking(tree: "Tree", now: float) -> bool:
    """Whether there is usage of a day that is over and was not judged; of names alone, for it is asked often."""
    try:
        moments = [at for each in listed(tree.relation("usage", DISKS).folder)[0] for at in (each.since, each.until)]
    except OSError:
        moments = []
    moments += map(journal.begun, journal.files(tree.journal))
    if not moments:
        return False
    days: dict[str, set[date]] = {}
    for file in judged.listed(tree):
        days.setdefault(file.pool, set())
        if file.kind == "episodes":
            days[file.pool].add(file.day)
    day, last = day_of(min(moments)), min(day_of(max(moments)), next_day(day_of(now), -1))
    while day <= last:
        if not days or any(day not in known for known in days.values()):
            return True
        day = next_day(day)
    return False


def _apart(config: "Config", tree: "Tree", stop: threading.Event) -> int | None:
    """Judge in a process of its own; its exit status, None when it was stopped."""
    # one thread, as the keeper itself: what others ask of the machine comes first
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=judge, args=(config, tree.root, tree.node), name="judging", daemon=True)
    process.start()
    try:
        while process.is_alive():
            if stop.is_set():
                return None
            process.join(0.2)
        return process.exitcode
    finally:
        if process.is_alive():
            process.terminate()
            process.join()


def judge(config: "Config", root: Path, node: str) -> None:
    """What the process does: judge the days of a tree that are over. It ends with the exit status."""
    from nasacct.collect import logs

    # who ends the keeper at a terminal ends this by the keeper
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logs.begin()
    idle()
    try:
        status = judged_days(config, root, node, time.time())
    except (NasacctError, OSError) as error:
        log.error("judging node %s: %s", node, error)
        status = _FAILED
    raise SystemExit(status)


def judged_days(config: "Config", root: Path, node: str, now: float, most: int = _DAYS) -> int:
    """Judge the days of a tree that are over, `most` at once; what is left to be done, as an exit status.

    NasacctError when usage cannot be asked; OSError.
    """
    from nasacct.reports import judging
    from nasacct.reports.attribution.thresholds import Thresholds
    from nasacct.reports.episodes import Ledger
    from nasacct.store.tree import Tree
    from nasacct.store.warehouse import Warehouse

    tree = Tree(root, node)
    limits = Thresholds(**config.episodes.model_dump())
    ledger = Ledger(tree, Warehouse(root, node, ring=None), limits)
    done, days = 0, judging.missing(ledger, now)
    first = day_of(max(now - config.store.judged_days * 86_400, 0))
    for pool, day in days:
        if day < first:
            continue
        if done == most:
            return _MORE
        if judging.judge(ledger, pool, day, now):
            log.info("judged %s of pool %s: %d episodes", day, pool, len(ledger.of(pool, day)))
            done += 1
    for trouble in dict.fromkeys(ledger.trouble):
        log.warning("%s", trouble)
    judged.clean(tree)
    return _DONE
