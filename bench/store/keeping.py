"""The keeper in a process of its own, over journal files that appear as they would: `python -m bench.store.keeping`.

    ROOT STAGE FROM_S DAYS once|hourly

Journal files of STAGE are moved to the store's journal once they would have been begun. `hourly`: each day is kept hour
by hour and once after its end, as the keeper would; `once`: all of the days in one run. Prints one line of JSON: CPU
seconds of what was done, and the most memory it took.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from contextlib import suppress
from pathlib import Path

from nasacct.store import journal
from nasacct.store.compaction import DAY_S, HOUR_S, SETTLED_S, compact
from nasacct.store.expiry import Rules
from nasacct.store.keep import give_back, idle, keep
from nasacct.store.parts import consume
from nasacct.store.tree import Tree, trees

RULES = Rules({"readings": 40, "usage": 400})
#: How long after the hour the keeper comes by.
_LATER_S = 60
#: Streams of which there is a row for each server.
SERVERS = ("nfsd", "ops", "links")


class Keeping:
    """`cpu` has seconds, `peak_kib` the most memory, by what they were spent on."""

    def __init__(self, root: Path, stage: Path) -> None:
        self.tree: Tree = trees(root)[0]
        self.stage = stage
        self.cpu: dict[str, float] = {}
        self.peak_kib: dict[str, int] = {}

    def arrive(self, now_s: float) -> None:
        """What would have been begun by now is there."""
        for path in journal.files(self.stage):
            if journal.begun(path) < now_s:
                path.rename(self.tree.journal / path.name)

    def hour(self, now_s: float) -> None:
        """One run of the keeper."""
        self._timed("hours", lambda: self._keep(now_s))

    def night(self, now_s: float) -> None:
        """The run after the end of a day, its merges counted by themselves."""
        self._timed("hours", lambda: consume(self.tree))
        for relation in self.tree.relations():
            of_servers = relation.kind == "usage" and relation.stream.name in SERVERS
            what = "merge of usage" if of_servers else "other merges"
            self._timed(what, lambda r=relation: compact(self.tree, r, now_s))
        self._timed("rollups", lambda: self._keep(now_s))

    def _keep(self, now_s: float) -> None:
        if keep(self.tree, now_s, RULES):
            raise SystemExit("the keeper failed")

    def _timed(self, what: str, step: object) -> None:
        assert callable(step)
        # proc(5): begin anew with the most memory
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        before = time.process_time()
        step()
        self.cpu[what] = self.cpu.get(what, 0.0) + time.process_time() - before
        self.peak_kib[what] = max(self.peak_kib.get(what, 0), peak_kib())
        give_back()


def main() -> None:
    root, stage, start, days, how = sys.argv[1:]
    logging.basicConfig(level=logging.WARNING)
    idle()
    with suppress(PermissionError):
        # what it takes is measured, not how long it waits
        os.setpriority(os.PRIO_PROCESS, 0, 0)
    keeping, first = Keeping(Path(root), Path(stage)), int(start)
    for day in range(int(days)):
        began = first + day * DAY_S
        if how == "hourly":
            for hour in range(24):
                now = began + (hour + 1) * HOUR_S
                keeping.arrive(now)
                keeping.hour(now + _LATER_S)
            keeping.arrive(began + DAY_S + SETTLED_S + _LATER_S)
            keeping.night(began + DAY_S + SETTLED_S + _LATER_S)
    if how == "once":
        end = first + int(days) * DAY_S
        keeping.arrive(end + HOUR_S)
        keeping.hour(end + SETTLED_S + _LATER_S)
    print(json.dumps({"cpu_s": keeping.cpu, "peak_kib": keeping.peak_kib}))


def peak_kib() -> int:
    """The most memory this process has had since that was cleared, VmHWM of proc(5)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    main()
