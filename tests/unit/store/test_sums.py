"""Sums of sums: what is joined when files of rollups become one."""

import random

import pyarrow as pa

from nasacct.store.schema import NFSD
from nasacct.store.sums import added, joined
from nasacct.store.tables import rollup_schema

SCHEMA = rollup_schema(NFSD)
ORDER = [(name, "ascending") for name in ("server", "epoch", "bucket", "row_t0")]


def sums(seed, rows=60):
    """Sorted sums of few servers and buckets, some of them there several times."""
    chosen = random.Random(seed)
    made = []
    for _ in range(rows):
        row = {name: chosen.randrange(5) for name in SCHEMA.names}
        row |= {"node": "n", "server": chosen.choice(["a", "b", None]), "epoch": chosen.choice("ef")}
        row |= {"bucket": chosen.randrange(4) * 300_000_000, "row_t0": chosen.choice([None, None, 7]), "row_t1": None}
        made.append(row | {"repeated_calls": chosen.choice([None, 3])})
    return pa.Table.from_pylist(made, schema=SCHEMA).sort_by(ORDER)


def test_joining_sorted_sums_is_adding_all_of_them():
    """Only rows with a neighbour like them are added; the others pass as they are."""
    for seed in range(20):
        table = sums(seed)
        assert len(joined(table, NFSD)) < len(table)
        assert joined(table, NFSD).equals(added(table, NFSD))


def test_sums_without_doubles_stay_as_they_are():
    """So does a table of one row or none."""
    table = added(sums(1), NFSD)
    for part in (table, table.slice(0, 1), table.slice(0, 0)):
        assert joined(part, NFSD).equals(part)
