"""Scenes of the store: what a sample has of usage, and who saturated the disks of a recording whose truth is known."""

import dataclasses
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import series
from hypothesis import given
from hypothesis import strategies as st

from nasacct.reports.attribution import engine, episodes, how
from nasacct.reports.attribution.episodes import Episode
from nasacct.reports.attribution.saturation import saturated
from nasacct.reports.attribution.scene import CLASSES, STEP_S
from nasacct.reports.grid import Grid, Placed
from nasacct.reports.layout import Pool
from nasacct.reports.scenes import scene
from nasacct.store.warehouse import Warehouse

START = datetime(2026, 11, 23, 10, tzinfo=UTC)


def us(seconds):
    return int((START + timedelta(seconds=seconds)).timestamp() * 1_000_000)


def placed(grid, *told):
    """Rows of (from, to), in seconds after the start, of one subject."""
    begin, end = (np.array(list(map(us, each)), np.int64) for each in zip(*told, strict=True))
    return Placed(grid, begin, end, np.zeros(len(told), np.int64), 1)


def test_a_sample_has_the_part_of_each_row_that_lies_in_it():
    """By time; and long rows cover no sample."""
    grid = Grid(us(0), us(40))
    found = placed(grid, (-5, 5), (5, 10), (12, 32), (32, 38)).growth(np.array([100.0, 10, 200, 0]))
    assert found.tolist() == [pytest.approx([60, 80, 100, 20])]
    assert placed(grid, (0, 10), (12, 32), (34, 40)).covered().tolist() == [[True, False, False, True]]


spans = st.lists(
    st.tuples(st.integers(-30, 70), st.integers(0, 40), st.integers(0, 2), st.integers(0, 10**12)), max_size=20
)


@given(spans)
def test_each_subject_has_its_own_rows(told):
    """Whatever rows there are of several subjects, as long as those of one do not overlap."""
    grid, kept = Grid(us(0), us(50)), []
    for begin, length, subject, value in sorted(told, key=lambda each: (each[2], each[0])):
        if not kept or kept[-1][2] != subject or kept[-1][1] <= begin:
            kept.append((begin, begin + length, subject, value))
    expected = np.zeros((3, len(grid)))
    for begin, end, subject, value in kept:
        for sample in range(len(grid)):
            inside = min(end, 10 * sample + 10) - max(begin, 10 * sample)
            expected[subject, sample] += value * max(inside, 0) / max(end - begin, 1)
            # what took no time is of the sample that it begins
            expected[subject, sample] += value if begin == end and 0 <= begin - 10 * sample < 10 else 0
    columns = [np.array(each, np.int64) for each in zip(*kept, strict=True)] or [np.zeros(0, np.int64)] * 4
    begin, end = (np.array([us(int(at)) for at in each], np.int64) for each in columns[:2])
    found = Placed(grid, begin, end, columns[2], 3).growth(columns[3].astype(float))
    # what took no time takes a µs
    assert np.allclose(found, expected, rtol=1e-6, atol=1e6)


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 10**6)), min_size=1, max_size=20))
def test_nothing_is_lost_in_samples(lengths):
    """Whatever the rows' lengths: samples add up to all of it."""
    at, told, values = 0, [], []
    for length, value in lengths:
        told.append((at, at + length))
        values.append(float(value))
        at += length
    assert placed(Grid(us(0), us(at + STEP_S)), *told).growth(np.array(values)).sum() == pytest.approx(sum(values))


def test_nfsv3_without_a_look_inside_is_told_by_its_bytes(tmp_path):
    """Calls that move much are reads and writes, the others lookups."""
    series.write(
        "nfsd server=a read_bytes 0+1000000x9\nnfsd server=a rc_nocache 0+50x9\ndisks disk=d device=sda ms_io 0+5000x9",
        tmp_path,
    )
    found = scene(Warehouse(tmp_path).by_node()[0], us(0), us(90))
    rates = dict(zip(CLASSES, found.members.activity[0].mean(axis=1).tolist(), strict=True))
    assert rates == pytest.approx({**dict.fromkeys(CLASSES, 0), "read_mb": 0.1, "reads": 5})
    assert found.disks.busy.tolist() == [pytest.approx([0.5] * 9)]


def test_what_a_server_took_of_threads_and_disks_and_what_the_machine_did_itself(tmp_path):
    """Of each server, and of all jobs together; where nobody counts it, it is not known."""
    text = """
        disks disk=d device=sda ms_io 0+5000x9
        nfsd server=a read_bytes 0+1000000x9
        nfsd server=b read_bytes 0+1000000x9
    """
    series.write(text, tmp_path / "without")
    found = scene(Warehouse(tmp_path / "without").by_node()[0], us(0), us(90))
    assert found.members.thread_s is found.members.physical_mb is found.local_mb is None
    series.write(
        text
        + """
        inside server=b read_us 0+5000000x9
        threads server=b disk_read_bytes 0+20000000x9
        local job=backup disk_read_bytes 0+30000000x9
        local job=zfs%20recv taken_bytes 0+40000000x9
        """,
        tmp_path / "with",
    )
    found = scene(Warehouse(tmp_path / "with").by_node()[0], us(0), us(90))
    assert found.members.names == ("a", "b")
    assert found.members.thread_s.mean(axis=1).tolist() == pytest.approx([0, 0.5])
    assert found.members.physical_mb.mean(axis=1).tolist() == pytest.approx([0, 2])
    assert found.local_mb.mean() == pytest.approx(3)
    assert found.local_written_mb.mean() == pytest.approx(4)


def test_a_pool_has_its_own_disks_and_servers(tmp_path):
    """And what ZFS tells of it; that disks read nothing for nfsd's threads says nothing there."""
    series.write(
        """
        disks disk=d device=sda ms_io 0+5000x9
        disks disk=e device=sdb ms_io 0+1000x9
        nfsd server=a read_bytes 0+1000000x9
        nfsd server=b read_bytes 0+1000000x9
        threads server=b disk_read_bytes 0+20000000x9
        pools pool=7 longest_sync_us 0 0 0 21000000 0+0x5
        pools pool=8 longest_sync_us 0+9000000x9
        local job=backup disk_read_bytes 0+30000000x9
        scans pool=7 function=scrub issued_bytes 0+20000000x9
        scans pool=7 function=scrub copies_hundredths 200+0x9
        layout pool=7 name=tank system=zfs role=data device=sdb slices 1+0x9
        layout pool=7 name=tank system=zfs role=special device=sda slices 1+0x9
        """,
        tmp_path,
    )
    pool = Pool(
        name="tank",
        kind="zfs",
        disks=("sdb",),
        rotational=False,
        transactional=True,
        txg_timeout_s=15,
        servers=("b",),
        known=True,
        guid="7",
    )
    warehouse = Warehouse(tmp_path).by_node()[0]
    found = scene(warehouse, us(0), us(90), pool)
    assert (found.pool, found.disks.names, found.members.names) == ("tank", ("sdb",), ("b",))
    assert (found.rotational, found.transactional) == (False, True)
    assert found.sync_s.tolist() == [0, 0, 6, 0, 0, 0, 0, 0, 0]
    assert found.members.physical_mb is None
    # what a scan read is apart from what processes did; nobody knows how much of it special disks did
    assert (found.local_mb.mean(), found.scanned_mb.mean()) == (pytest.approx(3), pytest.approx(4))
    special = dataclasses.replace(pool, name="tank/special", component="special", disks=("sda",))
    assert scene(warehouse, us(0), us(90), special).scanned_mb is None
    unknown = scene(warehouse, us(0), us(90), dataclasses.replace(pool, known=False))
    assert (unknown.disks.names, unknown.members.names) == (("sdb",), ("a", "b"))


def test_a_node_without_disks_has_no_scene(tmp_path):
    """Nobody can be accused of what was not seen."""
    series.write("nfsd server=a read_bytes 0+1000x9", tmp_path)
    assert scene(Warehouse(tmp_path).by_node()[0], us(0), us(90)) is None


@pytest.fixture(scope="module")
def demo(replayed_demo):
    """Eleven minutes of six real NFS servers on one throttled disk."""
    warehouse = Warehouse(replayed_demo).by_node()[0]
    lo, hi = (int(at.timestamp() * 1_000_000) for at in warehouse.extent(("disks", "nfsd")))
    return scene(warehouse, lo, hi)


#: When each who saturated the disk did so, in samples (tests/fixtures/recordings/demo/GROUND_TRUTH.md).
TRUTH = {"102": Episode(7, 18), "103": Episode(39, 50), "105": Episode(53, 62)}


def test_the_disk_is_saturated_when_somebody_did_so(demo):
    """And at no other time."""
    found = episodes.found(saturated(demo), demo.present)
    inside = np.zeros(len(demo), bool)
    for each in found:
        inside[each.first : each.end] = True
    for each in TRUTH.values():
        assert inside[each.first + 1 : each.end - 1].all()
    assert not inside[18:38].any()


HOW = {"102": "random_read", "103": "sync_write", "105": "metadata"}


@pytest.mark.parametrize("guilty", TRUTH)
def test_who_saturated_a_real_disk_is_named(demo, guilty):
    """Random reads, writes each of which is synced, a storm of metadata; nobody else is, of members."""
    model = engine.learned(demo, list(TRUTH.values()))
    judged = engine.looked_at(demo, TRUTH[guilty], list(TRUTH.values()), model)
    verdict = judged.verdict
    named = [each for each in verdict.culprits if each.kind == "member"]
    assert [each.name for each in named] == [guilty]
    assert named[0].share > 0.5
    assert named[0].blame > max(each.blame for each in verdict.entities if each.name != guilty)
    member = [demo.members.names.index(guilty)]
    assert how.told(member, judged.window, model.costs, judged.fitted.parts) == HOW[guilty]
    assert abs(how.began(member, judged.window, model.costs) - TRUTH[guilty].first) <= 1
