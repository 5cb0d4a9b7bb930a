"""Stores in each state of their life, and files of theirs that are damaged the way a person or a disk would."""

import csv
import hashlib
import io
import json
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
from journals import Recorder

from nasacct.reports.usage_rows import usage
from nasacct.store.check.whole import check
from nasacct.store.expiry import Rules
from nasacct.store.schema import NFSD
from nasacct.store.segments import KEY
from nasacct.store.shelf import shelf
from nasacct.store.tree import Tree

STAY = Rules({"readings": 40, "usage": 400}, grace_s=1e12)
GO = Rules({"readings": 40, "usage": 400}, grace_s=-1e12)


def at(text):
    """Seconds since 1970 of a moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def record(where, *, start="2026-11-23T23:00:00+00:00", minutes=90, node="nas1"):
    """Two days' servers: one that is always busy, one that ends with a last reading and one that is just gone."""
    recorder = Recorder(where, node=node, start=start, interval_s=60)
    things = [recorder.thing("nfsd", server=f"srv{i}") for i in range(3)]
    machine = recorder.thing("node")
    for i in range(minutes):
        if i and i % 15 == 0:
            recorder.rotate()
        if i == minutes // 3:
            recorder.final(things.pop(), {"read_bytes": 123_456, "calls": 60})
        if i == minutes // 2:
            things.pop()
        recorder.cycle({t: {"read_bytes": 1000 * i + n} for n, t in enumerate(things)} | {machine: {"forks": i}})
    return recorder


def faults(where):
    """What is wrong: kind and file's name."""
    return [(f.kind, f.path.name) for f in check(where).findings]


def segment(where, kind="usage", stream=NFSD, number=0):
    """One visible segment of a stream."""
    tree = Tree(where, "nas1")
    relation = tree.rollup(kind, stream) if kind[0].isdigit() else tree.relation(kind, stream)
    return sorted(shelf(relation.folder).visible, key=lambda s: s.name)[number].path


def rewrite(path, change, **said):
    """Write a segment anew as the product would, with rows that `change` gives and other words in its footer.

    Digest and checksums are right; gives the new file.
    """
    table = pq.read_table(path)
    footer = json.loads(table.schema.metadata[KEY]) | said
    table = change(table)
    footer |= {"rows": len(table)} if "rows" not in said else {}
    path.unlink()
    written = path.with_name("new")
    meta = {KEY: json.dumps(footer).encode()}
    pq.write_table(table.replace_schema_metadata(meta), written, write_page_checksum=True, row_group_size=1000)
    digest = hashlib.sha256(written.read_bytes()).hexdigest()[:16]
    return written.rename(path.with_name(f"{path.name[: -len(digest) - len('.parquet')]}{digest}.parquet"))


def same(table):
    return table


def columns(table, name, values):
    """The table with another column in the place of that one."""
    return table.set_column(table.schema.get_field_index(name), name, values)


def bigger(table, name="read_bytes", by=1):
    """The table with one value that is larger."""
    values = table.column(name).to_pylist()
    i = next(i for i, v in enumerate(values) if v)
    values[i] += by
    return columns(table, name, pa.array(values, table.schema.field(name).type))


def answers(root):
    """What a store answers: usage by server, as a whole and by hour, as CSV."""
    found = {}
    for name, step in (("by_server", None), ("by_hour", "1h")):
        rows = usage(root, "server", step=step)
        out = io.StringIO()
        # later releases may say more
        measures = ("read_bytes", "written_bytes", "received_bytes", "sent_bytes", "calls")
        names = ["server", "node", "from", "to", *(f"{m}{end}" for m in measures for end in ("", "_max", "_quality"))]
        writer = csv.DictWriter(out, names, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        found[name] = out.getvalue()
    return found
