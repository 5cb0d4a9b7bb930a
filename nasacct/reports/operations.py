"""Operations: what clients asked servers for, and how often: NFSv4's operations, NFSv3's procedures.

Of NFSv4 every server counts its operations, which come several in one call (a compound). Of NFSv3, and of how much time
threads worked on something, the kernel tells of servers only where the inside of nfsd is read.

These counters have no bounds. A step whose edge cuts what was read once has a share of it by time, and may have had
all; so may a step with an edge at 5 minutes, but there nothing tells what was read after more than two intervals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from nasacct.reports.questions import question
from nasacct.reports.sums import added, column, judged
from nasacct.store.nfs_names import PROC3
from nasacct.store.schema import OPS, PROCEDURES
from nasacct.store.warehouse import Question

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nasacct.reports.steps import Steps
    from nasacct.store.views import Piece
    from nasacct.store.warehouse import Warehouse

#: What is told of each.
MEASURES = ("operations", "thread_us")
#: Of each view the columns that count: protocol and name -> measure -> column.
COUNTED: dict[str, dict[str, dict[str, str]]] = {
    "ops": {f"NFSv4 {m.name.removeprefix('op_')}": {"operations": m.name} for m in OPS.usage},
    "inside": {
        **{f"NFSv3 {name}": {"operations": f"{name}_calls", "thread_us": f"{name}_us"} for name in PROC3},
        # the calls in which operations of NFSv4 come
        "NFSv4 compound": {"operations": "compound_calls", "thread_us": "compound_us"},
        "other other": {"operations": "other_calls", "thread_us": "other_us"},
    },
}
assert {*PROC3, "compound", "other"} == set(PROCEDURES)
#: What `usage_operations.sql` is filled with for a column.
SUM = 'CAST(sum("{c}") AS BIGINT) AS "{c}", count(*) - count("{c}") AS "{c}_unknown"'
#: Rows of a view as `usage_cut.sql` wants them, one for each operation, which stands in the place of the server.
_ROWS = """SELECT node, name AS server, CAST(NULL AS VARCHAR) AS client, epoch, t0_us, t1_us, begun_us, over_us, whole,
           '{measure}' AS measure, m, CAST(0 AS BIGINT) AS more, CAST(m IS NULL AS BIGINT) AS unknown
    FROM (SELECT node, epoch, t0_us, t1_us, begun_us, over_us, whole, {named}
          FROM {view} WHERE server IS NOT NULL AND ($of IS NULL OR server = $of))
    UNPIVOT INCLUDE NULLS (m FOR name IN ({names}))"""
_TIMES = ("node", "server", "epoch", "t0_us", "t1_us", "begun_us", "over_us", "whole")


def protocol(who: str) -> tuple[str, str]:
    """The protocol and the name of an operation."""
    version, _, name = who.partition(" ")
    return version, name


def of_steps(
    warehouse: Warehouse, divided: Steps, views: Mapping[str, Sequence[Piece]], server: str | None = None
) -> pa.Table:
    """Usage by operation (`who`), of all servers of a node or of one, with the columns of `sums.judged`.

    Only operations that were done. NasacctError when the store cannot be asked.
    """

    def cut(found: list[pa.Table]) -> list[Question]:
        if all(pc.all(table.column("inside")).as_py() is not False for table in found):
            return []
        params = {"by": "server", "server": None, "of": server} | divided.params
        return [Question(_cut(divided), params, views, {*_TIMES, *_every_column()}, divided.tables)]

    asked = []
    for view, counted in COUNTED.items():
        columns = [c for by_measure in counted.values() for c in by_measure.values()]
        fits = divided.fits(views[view])
        sums = ",\n       ".join(SUM.format(c=c) for c in columns)
        filled = {"rows": divided.placed(view, fits=fits), "inside": divided.inside(fits=fits), "sums": sums}
        sql, params = question("usage_operations", **filled), {"server": server} | divided.params
        asked.append(Question(sql, params, {view: views[view]}, {*_TIMES, *columns}, divided.tables))
    found = warehouse.answers(asked, then=cut)
    inside = [
        part
        for table, counted in zip(found, COUNTED.values(), strict=False)
        for part in _told(table.filter(table.column("inside")), counted)
    ]
    return judged(_done(added([*inside, *found[len(asked) :]], MEASURES)), divided.spans, MEASURES)


def _told(table: pa.Table, counted: Mapping[str, Mapping[str, str]]) -> list[pa.Table]:
    """A table for each operation, of one for all."""
    keys = {name: table.column(name) for name in ("node", "lo")}
    found = []
    for who, columns in counted.items():
        sums: dict[str, Any] = keys | {"who": pa.array([who] * len(table), pa.string())}
        for measure, name in columns.items():
            none = pa.array([0] * len(table), pa.int64())
            sums |= {measure: table.column(name), f"{measure}_more": none}
            sums[f"{measure}_unknown"] = table.column(f"{name}_unknown")
        found.append(pa.table(sums))
    return found


def _done(sums: pa.Table) -> pa.Table:
    """The sums of operations of which any was certainly, or perhaps, done in any step."""
    possible: Any = pc.add(
        pc.fill_null(column(sums, "operations"), 0), pc.fill_null(column(sums, "operations_more"), 0)
    )
    most = sums.append_column("most", possible).group_by(["node", "who"]).aggregate([("most", "max")])
    done = {(row["node"], row["who"]) for row in most.to_pylist() if row["most_max"]}
    pairs = zip(column(sums, "node").to_pylist(), column(sums, "who").to_pylist(), strict=True)
    return sums.filter(pa.array([pair in done for pair in pairs], pa.bool_()))


def _cut(divided: Steps) -> str:
    rows = []
    for view, counted in COUNTED.items():
        for measure in MEASURES:
            columns = {who: by_measure[measure] for who, by_measure in counted.items() if measure in by_measure}
            if columns:
                named = ", ".join(f'"{name}" AS "{who}"' for who, name in columns.items())
                names = ", ".join(f'"{who}"' for who in columns)
                rows.append(_ROWS.format(view=view, measure=measure, named=named, names=names))
    sums = [
        f"max({m}) FILTER (measure = '{measure}') AS {measure}{kind}"
        for measure in MEASURES
        for m, kind in (("m", ""), ("more", "_more"), ("unknown", "_unknown"))
    ]
    filled = {"rows": "\n    UNION ALL\n    ".join(rows), "sums": ",\n       ".join(sums)}
    return question("usage_cut", parts=divided.placed("parts"), **filled)


def _every_column() -> set[str]:
    return {c for counted in COUNTED.values() for by_measure in counted.values() for c in by_measure.values()}
