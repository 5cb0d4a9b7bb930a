"""Facts of the store: of each UTC day what saturation is judged by, from usage or as it is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nasacct.reports.attribution.facts import BESIDE, SCALES, Facts, of_scene
from nasacct.reports.attribution.scene import CLASSES, DATA, STEP_S, Disks, Members, Scene
from nasacct.reports.components import parted
from nasacct.reports.grid import Grid
from nasacct.reports.questions import question
from nasacct.reports.scenes import Rows, among, busiest, pressure, seen, syncs
from nasacct.store import judged
from nasacct.store.warehouse import Question
from nasacct.times import of_us

if TYPE_CHECKING:
    from nasacct.reports.attribution.scene import Floats
    from nasacct.reports.layout import Pool
    from nasacct.store.judged import Judged
    from nasacct.store.warehouse import Warehouse

VIEWS = ("disks", "node")
DAY_S = 86_400


def of_time(warehouse: Warehouse, pool: Pool, begin: int, end: int) -> Facts | None:
    """What usage tells between two Unix times on the grid; None when nothing was read of the pool's disks."""
    lo, hi = begin * 1_000_000, end * 1_000_000
    span = {"lo": lo, "hi": hi}
    asked = [Question(question("facts"), span, VIEWS, of_rows=True)]
    if pool.guid is not None:
        asked.append(Question(question("scene_pools"), span | {"pool": pool.guid}, ("pools",), of_rows=True))
    machine, *committed = warehouse.answers(asked, of_us(lo), of_us(hi))
    return of_rows(machine, committed, pool, Grid(lo, hi))


def of_rows(machine: pa.Table, committed: list[pa.Table], pool: Pool, grid: Grid) -> Facts | None:
    """The facts of rows as `facts.sql` gives them, and `scene_pools.sql`."""
    if not len(grid) or not machine.num_rows:
        return None
    of_node = pc.is_null(machine.column("device"))
    disks = Rows(among(machine, "device", pool.disks), ["device"], grid)
    active = disks.growth("ms_io").any(axis=1).reshape(-1)
    if not active.any():
        return None
    node = Rows(machine.filter(of_node), [], grid)
    some, full = pressure(node)
    ios, ms, busy, queue = (disks.growth(name)[active] for name in ("ios", "ms", "ms_io", "ms_weighted"))
    none = np.zeros(ios.shape)
    wait = np.divide(ms, ios, out=np.full(ios.shape, np.nan), where=ios > 0)
    names = tuple(str(key[0]) for key, used in zip(disks.keys, active, strict=True) if used)
    scene = Scene(
        pool=pool.name,
        rotational=pool.rotational is not False,
        transactional=pool.transactional,
        start=grid.start_us // 1_000_000,
        present=seen(disks.covered()[active], node),
        disks=Disks(names, none, none, none, none, np.minimum(busy / 1e3 / STEP_S, 1.0), queue / 1e3 / STEP_S, wait),
        members=Members((), np.zeros((0, len(CLASSES), len(grid)))),
        some=some,
        full=full,
        sync_s=syncs(committed, grid, pool),
        component=pool.component,
        beside=busiest(machine, pool.beside, grid),
    )
    return of_scene(scene)


def table(facts: Facts) -> pa.Table:
    """Facts as they are kept: a row a sample, whole numbers of small units, NULL where there is none."""
    columns: dict[str, Any] = {"present": pa.array(facts.present)}
    for name, scale in {**SCALES, "beside": BESIDE}.items():
        numbers = getattr(facts, name)
        if numbers is None:
            continue
        known = np.isfinite(numbers)
        whole = np.rint(np.where(known, numbers, 0) * scale).clip(0, 2**31 - 1).astype(np.int32)
        columns[name] = pa.array(whole, mask=~known)
    return pa.table(columns)


def said(facts: Facts) -> dict[str, Any]:
    """What is said of all rows."""
    return {"start": facts.start, "step_s": STEP_S, "rotational": facts.rotational}


def devices(name: str, pool: Pool | None) -> dict[str, Any]:
    """Which disks facts under a name are of, and which are beside these, for the lookout; None: all there are."""
    if pool is None or not pool.ids:
        return {"disks": None if parted(name)[1] == DATA else []}
    return {"disks": list(pool.disks)} | ({"beside": list(pool.beside)} if pool.beside else {})


def kept(file: Judged) -> Facts:
    """Facts of a file. SegmentError when it is damaged, NasacctError when it is newer, OSError."""
    rows, told = judged.read_table(file)

    def column(name: str, scale: int) -> Floats:
        counts: Any = rows.column(name)
        numbers: Floats = counts.cast(pa.float64()).to_numpy(zero_copy_only=False) / scale
        return numbers

    numbers = (column(name, scale) for name, scale in SCALES.items())
    beside = column("beside", BESIDE) if "beside" in rows.column_names else None
    present: Any = rows.column("present").to_numpy(zero_copy_only=False)
    return Facts(int(told["start"]), bool(told["rotational"]), present, *numbers, beside=beside)
