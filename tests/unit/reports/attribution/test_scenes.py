"""Scenes of the store: what a sample has of usage, and who saturated the disks of a recording whose truth is known."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import series
from hypothesis import given
from hypothesis import strategies as st

from nasacct.collect.replay import replay
from nasacct.config.tables import Config
from nasacct.reports.attribution import engine, episodes
from nasacct.reports.attribution.episodes import Episode
from nasacct.reports.attribution.saturation import saturated
from nasacct.reports.attribution.scene import CLASSES, STEP_S
from nasacct.reports.scenes import Grid, Rows, scene
from nasacct.store.warehouse import Warehouse

START = datetime(2026, 11, 23, 10, tzinfo=UTC)
DEMO = Path(__file__).parents[3] / "fixtures" / "recordings" / "demo" / "recording.jsonl.zst"


def us(seconds):
    return int((START + timedelta(seconds=seconds)).timestamp() * 1_000_000)


def rows(*told):
    """Rows of (from, to, value), in seconds after the start."""
    begin, end, values = zip(*told, strict=True)
    table = {"t0_us": list(map(us, begin)), "t1_us": list(map(us, end)), "m": values}
    return Rows(pa.table(table, pa.schema([("t0_us", pa.int64()), ("t1_us", pa.int64()), ("m", pa.int64())])))


def test_a_sample_has_the_part_of_each_row_that_lies_in_it():
    """By time; what is unknown is nothing, and long rows cover no sample."""
    grid = Grid(us(0), us(40))
    found = grid.growth(rows((-5, 5, 100), (5, 10, 10), (12, 32, 200), (32, 38, None)), "m")
    assert found.tolist() == pytest.approx([60, 80, 100, 20])
    assert grid.covered(rows((0, 10, 1), (12, 32, 1), (34, 40, 1))).tolist() == [True, False, False, True]


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 10**6)), min_size=1, max_size=20))
def test_nothing_is_lost_in_samples(lengths):
    """Whatever the rows' lengths: samples add up to all of it."""
    at, told = 0, []
    for length, value in lengths:
        told.append((at, at + length, value))
        at += length
    assert Grid(us(0), us(at + STEP_S)).growth(rows(*told), "m").sum() == pytest.approx(sum(v for _, _, v in told))


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


def test_a_node_without_disks_has_no_scene(tmp_path):
    """Nobody can be accused of what was not seen."""
    series.write("nfsd server=a read_bytes 0+1000x9", tmp_path)
    assert scene(Warehouse(tmp_path).by_node()[0], us(0), us(90)) is None


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Eleven minutes of six real NFS servers on one throttled disk."""
    where = tmp_path_factory.mktemp("demo") / "store"
    replay(DEMO, Config(root=where))
    warehouse = Warehouse(where).by_node()[0]
    lo, hi = (int(at.timestamp() * 1_000_000) for at in warehouse.extent(("disks", "nfsd")))
    return scene(warehouse, lo, hi)


#: When each who saturated the disk did so, in samples (tests/fixtures/recordings/demo/GROUND_TRUTH.md).
TRUTH = {"server:102": Episode(7, 18), "server:103": Episode(39, 50), "server:105": Episode(53, 62)}


def test_the_disk_is_saturated_when_somebody_did_so(demo):
    """And at no other time."""
    found = episodes.found(saturated(demo), demo.present)
    inside = np.zeros(len(demo), bool)
    for each in found:
        inside[each.first : each.end] = True
    for each in TRUTH.values():
        assert inside[each.first + 1 : each.end - 1].all()
    assert not inside[18:38].any()


@pytest.mark.parametrize("guilty", TRUTH)
def test_who_saturated_a_real_disk_is_named(demo, guilty):
    """Random reads, writes each of which is synced, a storm of metadata; nobody else is, of members."""
    model = engine.learned(demo, list(TRUTH.values()))
    verdict = engine.judged(demo, TRUTH[guilty], list(TRUTH.values()), model)
    named = [each for each in verdict.culprits if each.kind == "member"]
    assert [each.name for each in named] == [guilty]
    assert named[0].share > 0.5
    assert named[0].blame > max(each.blame for each in verdict.entities if each.name != guilty)
