"""Plays one schedule from its beginning to the answers of the store."""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import tempfile
import threading
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from faults.disk import Disk
from faults.judge import Judge
from faults.story import Story
from faults.tally import TALLY

from nasacct.store import journal_writer, keep, tree
from nasacct.store.engine import DuckEngine
from nasacct.store.schema import HEALTH, STREAMS
from nasacct.store.warehouse import Warehouse

if TYPE_CHECKING:
    from collections.abc import Callable

    from faults.schedule import Schedule

#: Only what is looked at: a store of fewer streams is written sooner.
ASKED = {name: STREAMS[name] for name in ("nfsd", "links")}
_MEMORY = Path("/dev/shm")
_STEPS = (("5m", 300), ("1h", 3600), ("1d", 86400))


def play(schedule: Schedule) -> None:
    """Let it happen, and ask the store before, between and after the keeper's runs. AssertionError when it lies."""
    base, engine = _place()
    root = Path(tempfile.mkdtemp(dir=base))
    disk = Disk()
    # every schedule is full of troubles that are logged
    logging.disable(logging.CRITICAL)
    with (
        mock.patch.object(journal_writer, "os", disk),
        mock.patch.object(journal_writer, "RETRY_S", 0.001),
        mock.patch.object(threading, "excepthook", partial(_unless_killed, threading.excepthook)),
        mock.patch.dict(STREAMS, {**ASKED, HEALTH.name: HEALTH}, clear=True),
        mock.patch.object(tree, "STREAMS", ASKED),
        mock.patch.object(keep, "STREAMS", ASKED),
    ):
        story = Story(schedule, root, disk)
        try:
            story.begin()
            _tell(story, Warehouse(root, engine=engine))
        finally:
            if story.run is not None:
                story.run.kill()
            shutil.rmtree(root)
            logging.disable(logging.NOTSET)


def _unless_killed(hook: Callable[[Any], None], args: Any) -> None:
    """A thread that ends with its process is no fault."""
    if args.exc_type is not SystemExit:
        hook(args)


def _tell(story: Story, warehouse: Warehouse) -> None:
    schedule = story.schedule
    for what, *args in schedule.steps:
        story.faults[what] += 1
        if what == "ask":
            story.settle()
            _sure(Judge(story, warehouse))
        else:
            getattr(story, what)(*args)
    story.settle()
    judge = Judge(story, warehouse)
    _sure(judge)
    for _ in range(2 if schedule.seconds % 8 == 1 else 1):
        story.keep(over=True, drop=schedule.minutes == 1)
    claims = judge.epochs()
    servers = judge.servers()
    if schedule.seconds % 4 == 3:
        judge.node(servers, claims)
    else:
        judge.steps(servers, *_STEPS[schedule.seconds % 4])
    TALLY.count(judge, claims)
    assert not judge.told, "\n".join(judge.told)


def _sure(judge: Judge) -> None:
    judge.epochs()
    assert not judge.told, "\n".join(judge.told)


@cache
def _place() -> tuple[Path, DuckEngine]:
    """A folder and one engine for all stores in it."""
    return place(), DuckEngine(place(), threads=1)


@cache
def place() -> Path:
    """A folder for the stores, in memory where there is any, that goes when this process ends."""
    base = Path(tempfile.mkdtemp(prefix="nasacct-faults-", dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None))
    atexit.register(shutil.rmtree, base, ignore_errors=True)
    return base
