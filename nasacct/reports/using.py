"""Using: whose the disk time of a pool's day was, hour by hour, as it is kept with what was judged of the day.

A row is a server's part of an hour, in seconds of the pool's median disk; `server` NULL is what no server's requests
explain. The rows of an hour are all of what was measured in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from nasacct.reports.attribution.reach import reached
from nasacct.reports.attribution.scene import STEP_S
from nasacct.reports.attribution.used import Judged, used
from nasacct.reports.facts import DAY_S
from nasacct.reports.scenes import scene
from nasacct.store.judged import start_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from nasacct.reports.attribution.engine import Model
    from nasacct.reports.attribution.scene import Scene
    from nasacct.reports.layout import Pool
    from nasacct.store.warehouse import Warehouse

HOUR_S = 3600
_COLUMNS: dict[str, pa.DataType] = {"hour": pa.int64(), "server": pa.string(), "disk_s": pa.float64()}
SCHEMA = pa.schema(_COLUMNS)
#: Less than that (seconds of an hour) is told as nobody's.
_LEAST_S = 0.001


def of_day(warehouse: Warehouse, pool: Pool, day: date, model: Model, told: Iterable[dict[str, Any]]) -> pa.Table:
    """The rows of a UTC day (SCHEMA), by its model and its episodes as they were `told`. NasacctError."""
    verdicts = list(told)
    begin = start_of(day)
    tables = []
    for hour in range(begin, begin + DAY_S, HOUR_S):
        seen = scene(warehouse, hour * 1_000_000, (hour + HOUR_S) * 1_000_000, pool)
        if seen is not None:
            tables.append(_of_hour(reached(seen), hour, model, verdicts))
    return pa.concat_tables(tables) if tables else SCHEMA.empty_table()


def _of_hour(seen: Scene, hour: int, model: Model, verdicts: Iterable[dict[str, Any]]) -> pa.Table:
    found = used(seen, model, [each for one in verdicts if (each := _judged(seen, one)) is not None])
    members = found.members.sum(axis=1)
    told = np.flatnonzero(members >= _LEAST_S)
    servers: list[str | None] = [seen.members.names[at] for at in told]
    seconds = members[told].tolist()
    left = float(found.whole.sum()) - sum(seconds)
    return pa.table(
        {
            "hour": [hour] * (len(servers) + 1),
            "server": [*servers, None],
            "disk_s": [*seconds, max(left, 0.0)],
        },
        SCHEMA,
    )


def _judged(seen: Scene, told: dict[str, Any]) -> Judged | None:
    """An episode that lies in a scene, as its verdict divides it; None where it has none, or lies elsewhere."""
    verdict = told.get("verdict")
    if not verdict or verdict["withheld"]:
        return None
    last = min(told["to"], told["from"] + verdict["judged_s"])
    first, end = (round((at - seen.start) / STEP_S) for at in (told["from"], last))
    first, end = max(first, 0), min(end, len(seen))
    if first >= end:
        return None
    shares = {each["name"]: each["share"] for each in verdict["entities"] if each["kind"] == "server"}
    return Judged(first, end, shares)
