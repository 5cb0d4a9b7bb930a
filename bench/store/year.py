"""The store that is measured: a year of a node, made by the product of journals, and kept for the next run.

2025, so that every rival takes its times and every day is over. The last days have a cycle every 10 s, and the keeper
comes by every hour as it would. What nobody could wait for is coarser: the rest of December has a cycle every 5
minutes, so that its 5-minute sums are as many as ever; the other months have one an hour, before which the wall clock
is put forward (`collecting`), so that their sums of hours and days are. Both without operations, and with journal files
of a day and a week.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.store.collecting import NODE, Collecting
from bench.store.keeping import RULES, SERVERS
from nasacct.store.compaction import DAY_S, HOUR_S
from nasacct.store.expiry import Rules
from nasacct.store.keep import keep
from nasacct.store.root import prepare
from nasacct.store.schema import STREAMS
from nasacct.store.shelf import shelf
from nasacct.store.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Iterator

_END = date(2026, 1, 1)
_MONTH = 31
_NOTES = "built.json"
#: Cycles after the last day: all of its files are closed then. The last file holds one cycle.
_AFTER = 180
#: What decides how the store turns out.
_SOURCES = (
    *(
        f"nasacct/store/{name}.py"
        for name in "schema stream tables ledger journal segment_file compaction sums".split()
    ),
    *(f"bench/store/{name}.py" for name in "fleet machine collecting keeping year".split()),
)


@dataclass(frozen=True, slots=True)
class Size:
    """What is made: days of which the last `fine` have a cycle every 10 s."""

    servers: int = 1000
    days: int = 365
    fine: int = 1


@dataclass(slots=True)
class Built:
    """A store, and what its making took: per fine day CPU seconds and peak memory; the journal's bytes."""

    root: Path
    size: Size
    made: str
    kept: list[dict[str, Any]] = field(default_factory=list)
    journal_bytes: int = 0
    sorted_s: list[float] = field(default_factory=list)

    @property
    def tree(self) -> Tree:
        """The node's tree."""
        return Tree(self.root, NODE)

    @property
    def until(self) -> datetime:
        """When it ends."""
        return datetime(_END.year, _END.month, _END.day, tzinfo=UTC)

    def sizes(self) -> dict[str, dict[str, float]]:
        """Bytes a day, by kind and stream: of the last day's usage and readings, and of rollups on average."""
        found: dict[str, dict[str, float]] = {}
        end_s = int(self.until.timestamp())
        for relation in self.tree.relations():
            for segment in shelf(relation.folder).visible:
                if segment.level == "day" and end_s - DAY_S < segment.until <= end_s:
                    found.setdefault(relation.kind, {})[relation.stream.name] = segment.path.stat().st_size
        for stream in SERVERS:
            for relation in self.tree.rollups(STREAMS[stream]):
                size = sum(s.path.stat().st_size for s in self._last(relation.folder))
                assert relation.step is not None
                days = self._days_in(relation.step, stream)
                found.setdefault(f"rollups of {relation.step}", {})[stream] = size / days
        return found

    def _last(self, folder: Path) -> Iterator[Any]:
        end_s = int(self.until.timestamp())
        return (s for s in shelf(folder).visible if s.until > end_s - DAY_S)

    def _days_in(self, step: str, stream: str) -> int:
        if stream == "ops":
            return self.size.fine
        return min(self.size.days, 365 if step == "1d" else _MONTH)


def built(folder: Path, size: Size, repository: Path, *, anew: bool) -> Built:
    """The store in the folder if it is of this size and this program, else made anew, which takes minutes."""
    notes = folder / _NOTES
    wanted = {**asdict(size), "program": _digest(repository)}
    if not anew and notes.is_file():
        said = json.loads(notes.read_text())
        if said["of"] == wanted:
            return Built(folder / "store", size, said["made"], said["kept"], said["journal_bytes"], said["sorted_s"])
    shutil.rmtree(folder, ignore_errors=True)
    found = _build(folder, size)
    said = {k: getattr(found, k) for k in ("made", "kept", "journal_bytes", "sorted_s")}
    notes.write_text(json.dumps({"of": wanted, **said}))
    return found


def small(folder: Path, servers: int, hours: int) -> int:
    """Bytes of usage and rollups of so few servers and hours, without what is no server's."""
    stage = folder / "stage"
    stage.mkdir(parents=True)
    prepare(folder / "store", volatile=True)
    tree = Tree(folder / "store", NODE)
    tree.journal.mkdir(parents=True)
    start = _seconds(_END) - hours * HOUR_S
    with Collecting(stage, servers, start - 10) as run:
        # the last cycle is the last of its file and of the day
        run.begin(10, 900)
        for _ in range(360 * hours):
            run.cycle()
        run.begin(10, 900)
        run.cycle()
    _keep(tree.root, stage, start // DAY_S * DAY_S, 1, "once")
    keep(tree, time.time(), Rules(RULES.days, grace_s=-1.0))
    relations = [r for name in SERVERS for r in (tree.relation("usage", STREAMS[name]), *tree.rollups(STREAMS[name]))]
    return sum(s.path.stat().st_size for r in relations for s in shelf(r.folder).visible)


def _build(folder: Path, size: Size) -> Built:
    stage, coarse_stage = folder / "stage", folder / "coarse"
    for where in (stage, coarse_stage):
        where.mkdir(parents=True)
    prepare(folder / "store", volatile=True)
    found = Built(folder / "store", size, datetime.now(UTC).isoformat(timespec="seconds"))
    found.tree.journal.mkdir(parents=True)
    start = _END - timedelta(days=size.days)
    fine_from = _END - timedelta(days=size.fine)
    month_from = max(_END - timedelta(days=max(_MONTH, size.fine)), start)
    # the fine days begin a little early, so that no coarse row ends in them
    early = 30
    with Collecting(coarse_stage, size.servers, _seconds(start) - 300, operations=False) as run:
        if month_from > start:
            # a file a week, as the keeper is run once over all of them
            run.begin(3600, 7 * 240)
            for _ in range(24 * (month_from - start).days):
                run.cycle(boot_s=10, all_rows=True)
        if fine_from > month_from:
            run.begin(300, DAY_S)
            for _ in range(288 * (fine_from - month_from).days):
                run.cycle()
        run.move(stage, operations=True)
        run.begin(10, 900)
        for _ in range(early + 8640 * size.fine + _AFTER):
            run.cycle()
        run.begin(10, 900)
        run.cycle()
    found.journal_bytes = sum(p.stat().st_size for p in stage.iterdir()) * 8640 // (early + 8640 * size.fine + _AFTER)
    coarse_days = (fine_from - start).days
    fine = _seconds(fine_from)
    found.journal_bytes = sum(p.stat().st_size for p in stage.iterdir()) * 8640 // (8640 * size.fine + 180)
    if coarse_days:
        first = min(stage.iterdir(), key=lambda p: p.name)
        shutil.copy2(first, coarse_stage / first.name)
        _keep(found.root, coarse_stage, _seconds(start), coarse_days, "once")
    for day in range(size.fine):
        found.kept.append(_keep(found.root, stage, fine + day * DAY_S, 1, "hourly"))
        found.sorted_s.append(_sorted(found, folder))
    for _ in range(2):
        keep(found.tree, time.time(), Rules(RULES.days, grace_s=-1.0))
    for where in (stage, coarse_stage):
        shutil.rmtree(where)
    return found


def _keep(root: Path, stage: Path, start_s: int, days: int, how: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.store.keeping", str(root), str(stage), str(start_s), str(days), how]
    done: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return done


def _sorted(found: Built, folder: Path) -> float:
    """CPU seconds of DuckDB sorting the hours' usage of servers into one file each, in a process of its own."""
    program = Path(__file__).with_name("sorting.py")
    files = [str(found.root / f"node={NODE}" / "usage" / stream) for stream in SERVERS]
    done = subprocess.run([sys.executable, str(program), str(folder), *files], check=True, stdout=subprocess.PIPE)
    return float(done.stdout)


def _seconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def _digest(repository: Path) -> str:
    found = hashlib.sha256()
    for source in _SOURCES:
        found.update((repository / source).read_bytes())
    return found.hexdigest()[:16]
