"""One node's tree in a store: where its journal, its segments and what was put aside lie.

    ROOT/node=N/journal/*.journal               what the collector writes
    ROOT/node=N/usage/STREAM/*.parquet          growth between readings
    ROOT/node=N/readings/STREAM/*.parquet       counters as they were read
    ROOT/node=N/rollup/STEP/STREAM/*.parquet    sums of usage over 5m, 1h, 1d
    ROOT/node=N/quarantine/                     what cannot be read

Segments tell by their names and footers what they hold; see `segments.py`.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from nasacct.store.schema import STREAMS, Stream
from nasacct.store.segment_file import check, sync_folder
from nasacct.store.segments import SegmentError
from nasacct.store.tables import readings_schema, usage_schema

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from nasacct.store.segments import Segment

log = logging.getLogger(__name__)

_PREFIX = "node="


@dataclass(frozen=True, slots=True)
class Relation:
    """One stream's readings or usage in one node's tree: the folder of its segments, and its columns."""

    kind: Literal["usage", "readings"]
    stream: Stream
    folder: Path
    schema: pa.Schema

    @property
    def order(self) -> list[tuple[str, Literal["ascending", "descending"]]]:
        """How rows lie in a segment: by key, epoch and time; readings by the clock that never steps."""
        time = "t0" if self.kind == "usage" else "boot_us"
        return [(name, "ascending") for name in (*self.stream.keys, "epoch", time)]

    def __str__(self) -> str:
        return f"{self.kind} of {self.stream.name}"


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

    def relation(self, kind: Literal["usage", "readings"], stream: Stream) -> Relation:
        """One stream's usage or readings."""
        schema = usage_schema(stream) if kind == "usage" else readings_schema(stream)
        return Relation(kind, stream, self.folder / kind / stream.name, schema)

    def relations(self) -> list[Relation]:
        """The usage and the readings of every stream."""
        return [self.relation(kind, stream) for kind in ("usage", "readings") for stream in STREAMS.values()]

    def rollup(self, step: str, stream: Stream) -> Path:
        """Where the sums of a stream's usage over every `step` lie."""
        return self.folder / "rollup" / step / stream.name

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
