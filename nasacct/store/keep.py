"""The keeper: makes segments and rollups of the journal and deletes what is replaced or old, at the lowest priority.

It is the only writer of everything but the journal, and holds the node's `keep` lock. Each step asks the files what is
still to be done and leaves nothing half done that a reader could see: killed anywhere, the next run goes on.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import platform
import signal
import threading
import time
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from nasacct.errors import IO, OK, of_os
from nasacct.store import root as store_root
from nasacct.store.compaction import DAY_S, compact
from nasacct.store.copies import copied
from nasacct.store.cuts import known
from nasacct.store.expiry import GRACE_S, Rules, clean, expire_old, expire_replaced, newest_day, rotate
from nasacct.store.fading import fade
from nasacct.store.forgetting import depart
from nasacct.store.newer import refuse_newer
from nasacct.store.parts import consume
from nasacct.store.rollups import roll
from nasacct.store.schema import STREAMS
from nasacct.store.seals import sealed_until
from nasacct.store.segments import SegmentError
from nasacct.store.striking import strike
from nasacct.store.tree import Tree, trees

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nasacct.config import Config

    #: What a step does, in words, and the step.
    _Step = tuple[str, Callable[[], object]]


class ChoreError(Exception):
    """A chore failed; what it says is for the log."""


class Chores(Protocol):
    """What else is done in a tree that is kept, by those who know what the store does not."""

    def begin(self, tree: Tree) -> None:
        """The tree is held from now on; what is begun here is ended by `end`."""

    def do(self, tree: Tree, stop: threading.Event) -> None:
        """What is to be done now; `stop` ends it. ChoreError, OSError when it cannot be."""

    def end(self) -> None:
        """No tree is held any more."""


log = logging.getLogger(__name__)

#: How often there is something to do.
PAUSE_S = 60.0
#: ioprio_set(2) by machine, its `who` for one process, and the class that gets the disk when nobody else wants it.
_IOPRIO_SET = {"x86_64": 251, "aarch64": 30, "riscv64": 30}
_WHO_PROCESS, _CLASS_IDLE = 1, 3 << 13


def run(config: Config, *, once: bool = False, chores: Chores | None = None) -> int:
    """Keep the store `config.root` until SIGTERM or SIGINT, or only `once`; gives back the exit status.

    It keeps the tree of `config.node`; `once` takes every node when there is no such tree, as in a store made by a
    replay, but no copies. NasacctError when the store is none, is of a newer version, another keeper holds it, or there
    is nothing but copies. `chores` are done when all else is.
    """
    stop = threading.Event()
    held: dict[str, Tree] = {}
    with ExitStack() as given_back:
        if chores is not None:
            given_back.callback(chores.end)
        for number in (signal.SIGTERM, signal.SIGINT):
            given_back.callback(signal.signal, number, signal.signal(number, lambda *_: stop.set()))
        if config.mountpoint is not None and not store_root.wait_for_mount(config.mountpoint, stop, log.info):
            return OK
        root = store_root.existing(config.root)
        while True:
            there = {tree.node: tree for tree in trees(root)}
            own = {node: tree for node, tree in there.items() if copied(tree.folder) is None}
            mine = {config.node: there[config.node]} if config.node in there else own or there if once else {}
            for node, tree in mine.items():
                if node not in held:
                    refuse_newer(tree)
                    given_back.enter_context(store_root.lock(root, node, "keep"))
                    held[node] = tree
                    clean(tree)
                    if chores is not None:
                        chores.begin(tree)
            failed = 0 if _done("forgetting who is gone", partial(_depart, root, config.privacy.members_days)) else 1
            now = rules(root, config)
            failed += sum(keep(tree, time.time(), now, stop) for tree in held.values())
            if chores is not None:
                failed += sum(not _done(f"judging, node {t.node}", partial(chores.do, t, stop)) for t in held.values())
            if once:
                return IO if failed else OK
            if stop.wait(PAUSE_S):
                return OK


def rules(root: Path, config: Config) -> Rules:
    """How long what is kept, as configured, as months were sealed and as things changed hands.

    NasacctError when what says so is of a newer version.
    """
    sealed = sealed_until(root)
    days = {"readings": config.store.readings_days, "usage": config.store.usage_days}
    return Rules(
        days,
        streams=config.store.usage_days_of,
        sealed=sealed.timestamp() if sealed else 0,
        most=config.store.readings_days_most,
        cuts=known(root),
        addresses_days=config.privacy.addresses_days,
        judged_days=config.store.judged_days,
    )


def keep(tree: Tree, now_s: float, rules: Rules, stop: threading.Event | None = None) -> int:
    """Do all that is to be done in one node's tree now; gives back how many steps failed (the log says why).

    `stop` ends it after the step that runs. NasacctError when a file is met whose version is newer.
    """
    # first of all: what follows compares sums with usage, of which a part may be struck out by now
    if _take(tree, [("forgetting", partial(strike, tree))]):
        return 1
    steps: list[_Step] = [
        *_making(tree, now_s, rules.grace_s),
        ("deleting what is old", partial(_expire_old, tree, now_s, rules)),
        ("looking for damage", partial(_daily, tree, now_s, rules)),
    ]
    return _take(tree, steps, stop)


def merge(tree: Tree, now_s: float, grace_s: float = GRACE_S) -> int:
    """Only make of the journal and merge what can be; gives back how many steps failed (the log says why)."""
    return _take(tree, _making(tree, now_s, grace_s))


def _making(tree: Tree, now_s: float, grace_s: float) -> list[_Step]:
    return [
        ("reading the journal", partial(consume, tree)),
        # what came late to a day that is summed is summed before it is merged with it
        *((f"summing late usage of {name}", partial(roll, tree, stream)) for name, stream in STREAMS.items()),
        *((f"merging {relation}", partial(compact, tree, relation, now_s)) for relation in tree.relations()),
        *((f"summing usage of {name}", partial(roll, tree, stream)) for name, stream in STREAMS.items()),
        *((f"merging {relation}", partial(compact, tree, relation, now_s)) for relation in tree.rollups()),
        ("deleting what is replaced", partial(expire_replaced, tree, now_s, grace_s)),
    ]


def _take(tree: Tree, steps: list[_Step], stop: threading.Event | None = None) -> int:
    failed = 0
    for what, step in steps:
        if stop is not None and stop.is_set():
            break
        failed += not _done(f"{what}, node {tree.node}", step)
    return failed


def _done(what: str, step: Callable[[], object]) -> bool:
    """Whether the step was done; its failure keeps no other step from being tried."""
    try:
        step()
    except OSError as error:
        log.error("%s", of_os(error, what))
    except (SegmentError, pa.ArrowException, ChoreError) as error:
        log.error("%s failed: %s", what, error)
    else:
        return True
    finally:
        give_back()
    return False


def give_back() -> None:
    """Have the allocators return what the last step held: else the keeper is as large as all steps' peaks together."""
    pa.default_memory_pool().release_unused()
    # not every libc has it
    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _expire_old(tree: Tree, now_s: float, rules: Rules) -> None:
    expire_old(tree, min(now_s, newest_day(tree)), rules)


def _daily(tree: Tree, now_s: float, rules: Rules) -> None:
    """Look for damage, and forget addresses that were not seen for long, once a day."""
    today = int(now_s // DAY_S)
    stamp = tree.folder / "keep.json"
    with suppress(OSError, ValueError, KeyError, TypeError):
        if json.loads(stamp.read_bytes())["checked_day"] == today:
            return
    rotate(tree, today)
    fade(tree, min(now_s, newest_day(tree)), rules.addresses_days)
    store_root.write_atomically(stamp, json.dumps({"checked_day": today}).encode() + b"\n")


def _depart(root: Path, days: int) -> None:
    """Forget members who are gone for so many days."""
    for member in depart(root, days, datetime.now(UTC)):
        log.info("member %s is gone for %d days and is forgotten", member, days)


def idle() -> None:
    """Give this process the lowest CPU and I/O priority and one thread; what the system refuses is left as it is."""
    with suppress(OSError):
        os.nice(19)
    number = _IOPRIO_SET.get(platform.machine())
    if number is not None:
        ctypes.CDLL(None, use_errno=True).syscall(number, _WHO_PROCESS, 0, _CLASS_IDLE)
    pa.set_cpu_count(1)
