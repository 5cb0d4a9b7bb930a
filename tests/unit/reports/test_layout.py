"""Which disks make up which pool, and whose exports lie on it."""

import pytest
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
nfsd server=102 rc_nocache 0+1x3
nfsd server=102 rc_hits 0+0x3
nfsd server=102 rc_misses 0+0x3
"""
#: A mirror of sda, sdb and an SSD for its log; the machine's own disk sdc, of which nobody knows whether it rotates.
TANK = """
layout pool=7 name=tank system=zfs role= device= slices 3+0x3
layout pool=7 name=tank system=zfs role= device= txg_timeout_s 15+0x3
layout pool=7 name=tank system=zfs role=data device=sda slices 1+0x3
layout pool=7 name=tank system=zfs role=data device=sda rotational 1+0x3
layout pool=7 name=tank system=zfs role=data device=sdb slices 1+0x3
layout pool=7 name=tank system=zfs role=data device=sdb rotational ? ? ? ?
layout pool=7 name=tank system=zfs role=log device=sdd slices 1+0x3
layout pool=7 name=tank system=zfs role=log device=sdd rotational 0+0x3
layout pool=sdc name=sdc system=disk role=data device=sdc slices 1+0x3
layout pool=sdc name=sdc system=disk role=data device=sdc rotational ? ? ? ?
"""
PLACED = """
places server=101 pool=7 dataset=71 objset=7-8c exports 1+0x3
places server=101 pool=7 dataset=71 objset=7-8c sync 2+0x3
places server=102 pool=7 dataset=72 objset=7-93 exports 1+0x3
places server=102 pool=7 dataset=72 objset=7-93 sync 2+0x3
places server=102 pool=7 dataset=73 objset=7-9a exports 1+0x3
places server=102 pool=7 dataset=73 objset=7-9a sync ? ? ? ?
"""


def of(tmp_path, text, seconds=30):
    """The layout of the node of these series."""
    series.write(text, tmp_path)
    (warehouse,) = Warehouse(tmp_path).by_node()
    return layout(warehouse, START, START + seconds * 1_000_000)


def test_what_nobody_told_is_one_pool(tmp_path):
    """The busiest disk, all servers that were asked anything; nothing is said of what is not known."""
    assert of(tmp_path, BUSY) == (
        Pool(
            name="nas1",
            kind="disk",
            disks=("sda",),
            rotational=None,
            transactional=False,
            txg_timeout_s=None,
            servers=("101", "102"),
            known=False,
            unplaced=("101", "102"),
        ),
    )
    assert scans(Warehouse(tmp_path), START, START + 30_000_000).num_rows == 0


def test_without_a_busy_disk_there_is_no_pool(tmp_path):
    """Nobody can have kept it busy."""
    assert of(tmp_path, BUSY.replace("+100x3", "+0x3") + TANK) == ()


def test_pools_have_the_disks_and_servers_that_were_told(tmp_path):
    """A disk of which it is not known makes none that rotates doubtful; the machine's own disk is nobody's."""
    own, tank, log = of(tmp_path, BUSY + TANK + PLACED)
    assert (log.name, log.whole, log.component) == ("tank/log", "tank", "log")
    assert tank == Pool(
        name="tank",
        kind="zfs",
        disks=("sda", "sdb"),
        rotational=True,
        transactional=True,
        txg_timeout_s=15,
        servers=("101", "102"),
        known=True,
        others={"log": ("sdd",)},
        guid="7",
        ids=("7",),
        datasets={"101": ("7-8c",), "102": ("7-93", "7-9a")},
        unsynced=("101",),
    )
    assert (own.name, own.disks, own.rotational, own.transactional, own.servers, own.known, own.guid) == (
        "sdc", ("sdc",), None, False, (), True, None,
    )  # fmt: skip


def test_what_disks_do_in_a_pool_is_judged_by_itself(tmp_path):
    """Each class with its own disks and kind, in the pool's words for all else; caches and spares are none.

    A disk of several roles is of the first. Whose data are never synced does not wait for the log.
    """
    more = "".join(
        f"layout pool=7 name=tank system=zfs role={role} device={device} {measure}+0x3\n"
        for role, device, kind in (
            ("special", "sde", 1), ("dedup", "sdf", 0), ("dedup", "sda", 1), ("log", "sdf", 0), ("cache", "sdg", 0),
            ("spare", "sdh", 1),
        )
        for measure in ("slices 1", f"rotational {kind}")
    )  # fmt: skip
    found = {pool.name: pool for pool in of(tmp_path, BUSY + TANK + PLACED + more)}
    assert set(found) == {"sdc", "tank", "tank/special", "tank/dedup", "tank/log"}
    whole = found["tank"]
    special, dedup, log = (found[f"tank/{each}"] for each in ("special", "dedup", "log"))
    assert (special.disks, special.rotational, special.beside, special.servers) == (("sde",), True, (), ("101", "102"))
    assert (dedup.disks, dedup.rotational, dedup.beside) == (("sdf",), False, ("sda", "sdb"))
    assert (log.disks, log.rotational, log.beside, log.servers) == (("sdd",), False, ("sda", "sdb"), ("102",))
    assert {pool.components for pool in found.values() if pool.whole == "tank"} == {("data", "special", "dedup", "log")}
    for part in (special, dedup, log):
        assert (part.guid, part.ids, part.transactional, part.txg_timeout_s) == (whole.guid, whole.ids, True, 15)


def test_a_server_of_which_nobody_told_may_use_any_pool(tmp_path):
    """And a disk of no pool, too: who is left out could not be found guilty, and others would be."""
    text = BUSY + TANK + PLACED.replace("places server=102 pool=7", "places server=102 pool=9")
    found = {pool.name: pool for pool in of(tmp_path / "one", text)}
    servers = {name: pool.servers for name, pool in found.items()}
    assert servers == {"tank": ("101", "102"), "tank/log": ("102",), "sdc": ("102",)}
    assert {(pool.known, pool.unplaced) for pool in found.values()} == {(True, ("102",))}
    text += "disks disk=d5 device=sdx ms_io 0+7x3\n"
    rest = next(pool for pool in of(tmp_path / "two", text) if pool.name == "nas1")
    assert (rest.disks, rest.servers, rest.known, rest.ids) == (("sdx",), ("102",), True, ())


@pytest.mark.parametrize(("kind", "name"), [("md", "md0"), ("disk", "sdb")])
def test_pools_that_share_disks_are_one(tmp_path, kind, name):
    """Whoever uses one of them keeps the other waiting; what they share for a log or a cache is not meant."""
    more = f"""
layout pool={name} name={name} system={kind} role=data device=sdb slices 1+0x3
layout pool=8 name=fast system=zfs role=data device=sde slices 1+0x3
layout pool=8 name=fast system=zfs role=log device=sdd slices 1+0x3
"""
    placed = PLACED.replace("server=102 pool=7", f"server=102 pool={name}")
    found = {pool.name: pool for pool in of(tmp_path, BUSY + TANK + more + placed)}
    assert set(found) == {"tank", "tank/log", "sdc", "fast", "fast/log"}
    assert (found["tank"].ids, found["tank"].servers) == (("7", name), ("101", "102"))
    assert found["tank"].disks == ("sda", "sdb")


def test_what_was_so_at_the_last_look_is_so_for_a_while(tmp_path):
    """A pool that stands still is not asked, nor is every pool within a minute."""
    known = TANK.replace("+0x3", "+0x1").replace("? ? ? ?", "? ?").strip().replace("\n", " . . . . . . . .\n")
    series.write(BUSY.replace("x3", "x9") + known, tmp_path)
    (warehouse,) = Warehouse(tmp_path).by_node()
    (tank,) = [pool for pool in layout(warehouse, START + 60_000_000, START + 90_000_000) if pool.name == "tank"]
    assert tank.disks == ("sda", "sdb")


def test_scans_are_told_by_the_pools_names(tmp_path):
    """Of a mirror twice what is issued; of a pool that nobody told of, under the name of the one that has all disks."""
    scrub = "scans pool=7 function=scrub "
    scrub = f"{scrub} issued_bytes 0 500 900 900\n{scrub} copies_hundredths 200+0x3\n"
    series.write(BUSY + TANK + scrub, tmp_path / "told")
    series.write(BUSY + scrub, tmp_path / "untold")
    for folder, name in (("told", "tank"), ("untold", "nas1")):
        (warehouse,) = Warehouse(tmp_path / folder).by_node()
        assert scans(warehouse, START, START + 30_000_000).to_pylist() == [
            {"t0_us": START, "t1_us": START + 10_000_000, "pool": name, "bytes": 1000},
            {"t0_us": START + 10_000_000, "t1_us": START + 20_000_000, "pool": name, "bytes": 800},
        ]
