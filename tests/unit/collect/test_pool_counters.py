"""The source `pools`: what is added up of each pool."""

import pytest
from zfs_life import REAL, values

from nasacct.collect.pool_counters import Pools
from nasacct.store.frame import ABSENT
from nasacct.store.schema import POOL_STATES, POOLS, WAITS

POOL, BUSY = "16171923680681405715", "16610281448410176773"


def build(admit, kstats):
    return Pools(admit, 0.001, kstats=kstats)


@pytest.fixture
def life(living):
    return living(build)


@pytest.fixture
def busy(living):
    return living(build, "busy")


def sums(life, pool):
    """What the ledger knows of a pool (None: of the host), measure by measure."""
    rows = [row for row in life.usage("pools") if row["pool"] == pool]
    names = [measure.name for measure in POOLS.measures if measure.kind == "counter"]
    return {name: sum(row[name] for row in rows if row[name] is not None) for name in names}


def txgs(life, lines):
    """Give the pool another history."""
    path = life.kstats / "tank" / "txgs"
    head = path.read_text().splitlines()[0]
    path.write_text("\n".join([head, *lines, ""]))


def test_a_busy_pool(busy):
    """Groups that were committed since the first look, who waited for them and how long, what the ARC wrote."""
    busy.step("1-busy")
    found = values(busy.step("2-done"), "pools")
    pool = found["tank"]
    assert {name: pool[name] for name in POOLS.index if not name.startswith(("waits_", "tx_"))} == {
        "committed": 13,
        "missed": 0,
        "dirty_bytes": 52_510_720,
        "read_bytes": 0,
        "written_bytes": 43_287_552,
        "reads": 0,
        "writes": 832,
        "open_us": 12_183_735,
        "quiesce_us": 431,
        "wait_us": 1_273,
        "sync_us": 11_789_604,
        "longest_sync_us": 1_109_353,
        "pending_us": 0,
        "state": POOL_STATES.index("ONLINE"),
        "arc_reads": 0,
        "arc_writes": 485,
        "arc_read_bytes": 0,
        "arc_written_bytes": 36_308_608,
        "direct_read_bytes": 0,
        "direct_written_bytes": 0,
        "trimmed_bytes": 0,
    }
    waits = {name: pool[name] for name in WAITS if pool[name]}
    assert waits == {
        "waits_14": 15, "waits_19": 21, "waits_20": 37, "waits_21": 36, "waits_22": 36, "waits_23": 32, "waits_24": 41,
        "waits_25": 8, "waits_26": 7, "waits_27": 15, "waits_28": 2, "waits_29": 4, "waits_30": 6,
    }  # fmt: skip
    host = found[None]
    assert (host["tx_delayed"], host["tx_over_max"], host["committed"]) == (373, 83, ABSENT)
    assert sums(busy, None)["tx_delayed"] == 373 - 114
    assert sums(busy, BUSY)["sync_us"] == 11_789_604


def test_what_was_before_the_first_look_is_nobodys(busy):
    """Of this run; while a group is synced it is told since when."""
    batch = busy.step("1-busy")
    assert values(batch, "pools")["tank"]["committed"] == 0
    assert values(batch, "pools")["tank"]["pending_us"] == 1_240_370
    assert set(sums(busy, BUSY).values()) == set(sums(busy, None).values()) == {0}


def test_groups_that_nobody_saw_are_counted(life):
    """The ring has room for a hundred; what they did is unknown."""
    life.step("6-destroyed")
    found = values(life.step("7-turned"), "pools")["tank"]
    assert (found["committed"], found["missed"]) == (99, 384 - 33)
    assert sums(life, POOL)["missed"] == 384 - 33


def test_a_pool_that_is_imported_counts_from_then_on(life):
    """All its groups are its own; of what it had counted before the export nothing is counted again."""
    life.step("7-turned")
    life.step("8-exported")
    batch = life.step("9-imported")
    (pool,) = [s for s in batch.listed if s.keys["pool"]]
    assert 142_709_252_246 < pool.since_boot < 148_950_993_646
    found = values(batch, "pools")["tank"]
    assert (found["committed"], found["missed"]) == (10, 0)
    assert sums(life, POOL)["committed"] == 10
    assert sums(life, POOL)["arc_reads"] == found["arc_reads"] > 0


def test_an_import_that_nobody_saw_is_a_new_life_too(life):
    """The pool was there in each of two looks."""
    life.step("7-turned")
    batch = life.step("9-imported")
    assert len({row["epoch"] for row in life.usage("pools") if row["pool"] == POOL}) == 2
    assert values(batch, "pools")["tank"]["committed"] == 10


def test_a_pool_that_could_not_be_read_at_first_has_a_baseline(life):
    """It was there, though the last look did not find it."""
    life.step("7-turned")
    there = (life.kstats / "tank" / "guid").read_bytes()
    (life.kstats / "tank" / "guid").write_text("")
    assert [s.keys["pool"] for s in life.look().listed] == [None]
    (life.kstats / "tank" / "guid").write_bytes(there)
    assert values(life.look(), "pools")["tank"]["committed"] == 0


def test_each_run_of_the_collector_has_sums_of_its_own(busy):
    """What was committed between two of them is in none; the host's own counters go on."""
    busy.step("1-busy")
    busy.look()
    busy.begin(build)
    busy.step("2-done")
    assert (sums(busy, BUSY)["committed"], sums(busy, None)["tx_delayed"]) == (0, 373 - 114)
    rows = [row for row in busy.usage("pools") if row["pool"] == BUSY]
    assert len({row["epoch"] for row in rows}) == 2
    assert [row["committed"] for row in rows if row["committed"] is None] == [None]


def test_a_histogram_that_is_set_to_0_goes_on(busy):
    """Whoever writes to its file does that: what it counts then has come since."""
    busy.step("1-busy")
    busy.step("2-done")
    (busy.kstats / "tank" / "dmu_tx_assign").write_bytes(b"")
    busy.look()
    assert sums(busy, BUSY)["waits_20"] == 37
    shown = REAL / "busy" / "1-busy" / "tank" / "dmu_tx_assign"
    (busy.kstats / "tank" / "dmu_tx_assign").write_bytes(shown.read_bytes())
    busy.look()
    assert sums(busy, BUSY)["waits_20"] == 37 + 22


def test_longer_waits_than_there_are_buckets_for_are_in_the_last(busy):
    """As shorter ones are in the first."""
    busy.step("2-done")
    path = busy.kstats / "tank" / "dmu_tx_assign"
    lines = path.read_text().splitlines()
    more = [f"{1 << power} ns".ljust(32) + "4    1" for power in range(31, 36)]
    head = lines[0].replace(" 31 ", f" {31 + len(more)} ", 1)
    path.write_text("\n".join([head, *lines[1:], *more, ""]))
    found = values(busy.look(), "pools")["tank"]
    assert [found[f"waits_{n}"] for n in range(30, 34)] == [0, 1, 1, 3]


def test_without_a_history_nothing_is_known_of_groups(life):
    """`zfs_txg_history` may be 0."""
    life.step("1-made")
    txgs(life, [])
    found = values(life.look(), "pools")["tank"]
    assert [found[name] for name in ("committed", "missed", "sync_us", "longest_sync_us", "pending_us")] == [ABSENT] * 5
    assert found["arc_writes"] >= 0


def test_a_state_that_nobody_knows_is_unknown(life):
    """A suspended one is told."""
    life.step("1-made")
    (life.kstats / "tank" / "state").write_text("SUSPENDED\n")
    assert POOL_STATES[values(life.look(), "pools")["tank"]["state"]] == "SUSPENDED"
    (life.kstats / "tank" / "state").write_text("TRANSITIONING\n")
    batch = life.look()
    assert (values(batch, "pools")["tank"]["state"], batch.unknown_fields) == (ABSENT, 1)


def test_broken_files_are_that_pools_trouble(life):
    """The host's own counters are read all the same, and the other way round."""
    life.step("1-made")
    (life.kstats / "tank" / "iostats").write_bytes(b"12 1")
    (life.kstats / "dmu_tx").write_bytes(b"12 1")
    batch = life.look()
    assert sorted(why.partition(": ")[0] for why in batch.failed.values()) == ["dmu_tx", "tank"]
    assert (batch.ended, batch.complete) == ([], True)
    life.begin(build)
    batch = life.look()
    assert (batch.listed, batch.complete) == ([], False)
