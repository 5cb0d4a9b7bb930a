"""Which disks make up which pool, and whose exports lie on it."""

import series

from nasacct.reports.layout import Pool, layout, scans
from nasacct.store.warehouse import Warehouse

#: In µs: series begin at that moment.
START = 1795428000000000
BUSY = """
disks disk=d1 device=sdb ms_io 0+100x3
disks disk=d2 device=sda ms_io 0+100x3
disks disk=d3 device=sdc ms_io 0+0x3
nfsd server=101 rc_nocache 0+1x3
nfsd server=101 rc_hits 0+0x3
nfsd server=101 rc_misses 0+0x3
"""


def of(tmp_path, text, seconds=30):
    """The layout of the node of these series."""
    series.write(text, tmp_path)
    (warehouse,) = Warehouse(tmp_path).by_node()
    return layout(warehouse, START, START + seconds * 1_000_000)


def test_what_nobody_told_is_one_pool(tmp_path):
    """All disks that were busy, all servers that were asked anything; nothing is said of what is not known."""
    assert of(tmp_path, BUSY) == (
        Pool(
            name="nas1",
            kind="disk",
            disks=("sda", "sdb"),
            rotational=None,
            transactional=False,
            txg_timeout_s=None,
            servers=("101",),
            known=False,
        ),
    )
    assert scans(Warehouse(tmp_path), START, START + 30_000_000).num_rows == 0


def test_without_a_busy_disk_there_is_no_pool(tmp_path):
    """Nobody can have kept it busy."""
    assert of(tmp_path, BUSY.replace("+100x3", "+0x3")) == ()
