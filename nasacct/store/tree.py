"""One node's tree in a store: where its journal, its segments and what was put aside lie.

    ROOT/node=N/journal/*.journal               what the collector writes
    ROOT/node=N/usage/STREAM/*.parquet          growth between readings
    ROOT/node=N/readings/STREAM/*.parquet       counters as they were read
    ROOT/node=N/rollup/STEP/STREAM/*.parquet    sums of usage over 5m, 1h, 1d
    ROOT/node=N/cuts/STREAM/*.parquet           usage around the moments at which something changed hands
    ROOT/node=N/judged/POOL/                    what is kept of episodes; see `judged.py`
    ROOT/node=N/quarantine/                     what cannot be read

Segments tell by their names and footers what they hold; see `segments.py`.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from nasacct.store.schema import STREAMS
from nasacct.store.segment_file import check
from nasacct.store.segments import SegmentError
from nasacct.store.sync import sync_folder
from nasacct.store.tables import readings_schema, rollup_schema, usage_schema

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from nasacct.store.segments import Kind, Segment
    from nasacct.store.stream import Stream

log = logging.getLogger(__name__)

_PREFIX = "node="
#: Paths are put together once: every answer looks into a dozen folders.
_remembered = lru_cache(maxsize=10_000)


#: The length of a rollup's buckets in seconds, by its name.
STEPS = {"5m": 300, "1h": 3600, "1d": 86_400}
#: Rows of a row group of long cells: about those of a dozen servers in a month of hours.
_FEW_ROWS = 8_192
#: By what the rows of one epoch are sorted; readings by the clock that never steps.
_TIMES = {"usage": ("t0",), "readings": ("boot_us",), "rollup": ("bucket", "row_t0")}


def few(step: str) -> bool:
    """Whether a rollup of that step has few cells of each key."""
    return STEPS[step] >= STEPS["1h"]


@dataclass(frozen=True, slots=True)
class Relation:
    """One stream's readings, usage or sums in one node's tree: the folder of its segments, and its columns.

    `step` names the length of a rollup's buckets.
    """

    kind: Kind
    stream: Stream
    folder: Path
    schema: pa.Schema
    step: str | None = None

    @property
    def group(self) -> int | None:
        """Rows of its segments' row groups, None: as many as make the files small.

        Of long cells a server has few, and those are asked for alone (`picking.py`).
        """
        return _FEW_ROWS if self.step and few(self.step) else None

    @property
    def order(self) -> list[tuple[str, Literal["ascending", "descending"]]]:
        """How rows lie in a segment: by key, epoch and time."""
        return [(name, "ascending") for name in (*self.stream.keys, "epoch", *_TIMES[self.kind])]

    def __str__(self) -> str:
        return f"{self.kind} of {self.stream.name}" + (f" by {self.step}" if self.step else "")


@dataclass(frozen=True, slots=True)
class Tree:
    """The tree of the node `node` below `root`."""

    root: Path
    node: str

    @property
    def folder(self) -> Path:
        """The top of the tree."""
        return self.root / f"{_PREFIX}{self.node}"

    @property
    def journal(self) -> Path:
        """Where the collector writes."""
        return self.folder / "journal"

    @property
    def quarantine(self) -> Path:
        """Where files lie that cannot be read."""
        return self.folder / "quarantine"

    @_remembered
    def relation(self, kind: Literal["usage", "readings"], stream: Stream) -> Relation:
        """One stream's usage or readings."""
        schema = usage_schema(stream) if kind == "usage" else readings_schema(stream)
        return Relation(kind, stream, self.folder / kind / stream.name, schema)

    def relations(self) -> list[Relation]:
        """The usage and the readings of every stream."""
        return [self.relation(kind, stream) for kind in ("usage", "readings") for stream in STREAMS.values()]

    @_remembered
    def rollup(self, step: str, stream: Stream) -> Relation:
        """The sums of a stream's usage over every `step`."""
        return Relation("rollup", stream, self.folder / "rollup" / step / stream.name, rollup_schema(stream), step)

    def rollups(self, stream: Stream | None = None) -> list[Relation]:
        """The rollups of one stream, or of all."""
        return [self.rollup(step, s) for s in ([stream] if stream else STREAMS.values()) for step in STEPS]

    def cuts(self, stream: Stream) -> Relation:
        """What is kept for ever of a stream's usage; see `cuts.py`."""
        return Relation("usage", stream, self.folder / "cuts" / stream.name, usage_schema(stream))

    def every(self) -> list[Relation]:
        """All that segments may be of."""
        return [*self.relations(), *self.rollups(), *map(self.cuts, STREAMS.values())]

    def sound(self, segment: Segment) -> bool:
        """Read all of a segment; a damaged one goes to the quarantine. OSError when it cannot be read now."""
        try:
            check(segment)
        except SegmentError as error:
            self.put_aside(segment.path, error)
            return False
        return True

    def put_aside(self, path: Path, why: object) -> None:
        """Move a file that cannot be read to the quarantine, and say so in the log."""
        self.quarantine.mkdir(mode=0o750, exist_ok=True)
        target = self.quarantine / path.name
        number = 0
        while target.exists():
            number += 1
            target = self.quarantine / f"{path.name}.{number}"
        path.rename(target)
        sync_folder(self.quarantine)
        sync_folder(path.parent)
        log.error("%s; moved to %s", why, target)


def trees(root: Path) -> list[Tree]:
    """The trees of all nodes of a store, by name."""
    names = sorted(p.name for p in root.iterdir() if p.name.startswith(_PREFIX) and p.is_dir())
    return [Tree(root, name.removeprefix(_PREFIX)) for name in names]
