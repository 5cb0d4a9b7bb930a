"""What tests of the keeper share: a journal to be kept, and what there is of it afterwards."""

from datetime import UTC, datetime

import pyarrow as pa
from journals import Recorder

from nasacct.store.keep import Rules
from nasacct.store.schema import NFSD, STREAMS
from nasacct.store.segment_file import read
from nasacct.store.shelf import shelf
from nasacct.store.tables import rollup_schema
from nasacct.store.warehouse import Warehouse

#: Nothing that is replaced is deleted, or all of it at once, whatever the clock of this machine says.
RULES = Rules({"readings": 40, "usage": 400}, grace_s=1e12)
AT_ONCE = Rules({"readings": 40, "usage": 400}, grace_s=-1e12)
ADDED = (
    "SELECT server, epoch, sum(read_bytes)::BIGINT AS m, sum(read_bytes_more)::BIGINT AS more FROM nfsd GROUP BY ALL"
)


def at(text):
    """Seconds since 1970 of a moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def record(where, *, minutes=60, file_minutes=15, start="2026-11-23T10:00:00+00:00", every=60, node="nas1"):
    """Two busy servers, one of which is started anew after half of the time."""
    recorder = Recorder(where, node=node, start=start, interval_s=every)
    first, second = (recorder.thing("nfsd", server=s) for s in ("srv1", "srv2"))
    for i in range(minutes * 60 // every):
        if i and i * every % (file_minutes * 60) == 0:
            recorder.rotate()
        if i == minutes * 30 // every:
            second = recorder.thing("nfsd", "boot-second-life", server="srv2")
        recorder.cycle({first: {"read_bytes": 1000 * i}, second: {"read_bytes": 10 * i + 7, "calls": i}})
    return recorder


def record_days(where):
    """A week of three servers from ten o'clock on: long gaps, ends without a last reading, and a fall."""
    recorder = Recorder(where, interval_s=10)
    things = [recorder.thing("nfsd", server=f"srv{i}") for i in range(3)]
    for i in range(500):
        if i % 40 == 39:
            recorder.rotate()
        if i == 250:
            things[1] = recorder.thing("nfsd", "boot-again", server="srv1")
        now = {t: {"read_bytes": 1000 * i + n, "calls": i if i != 300 or n else 5} for n, t in enumerate(things)}
        if i % 7 == 0:
            now[things[2]] = None
        recorder.cycle(now, seconds=[9, 10, 290, 1300, 6000][i % 5 if i % 60 < 50 else 1])


def added(where):
    """What usage adds up to, by server and epoch."""
    rows = Warehouse(where).query(ADDED, views=["nfsd"]).to_pylist()
    return {(r["server"], r["epoch"]): (r["m"], r["more"]) for r in rows}


def levels(tree, stream="nfsd", kind="usage"):
    """The levels of the visible segments of a stream."""
    return sorted(s.level for s in shelf(tree.relation(kind, STREAMS[stream]).folder).visible)


def everything(tree):
    """Every file below the tree with its content, but for the keeper's notes."""
    return {p: p.read_bytes() for p in tree.folder.rglob("*") if p.is_file() and p.name != "keep.json"}


def in_segments(tree):
    """Bytes read by epoch, in usage segments."""
    tables = [
        read(s.path, tree.relation("usage", NFSD).schema) for s in shelf(tree.relation("usage", NFSD).folder).visible
    ]
    return by_epoch(pa.concat_tables(tables))


def rolled(tree, step):
    """Bytes read by epoch, in rollups."""
    tables = [read(s.path, rollup_schema(NFSD)) for s in shelf(tree.rollup(step, NFSD).folder).visible]
    return by_epoch(pa.concat_tables(tables))


def by_epoch(table):
    """Bytes read by epoch."""
    rows = table.group_by("epoch").aggregate([("read_bytes", "sum")]).to_pylist()
    return {r["epoch"]: r["read_bytes_sum"] for r in rows}
