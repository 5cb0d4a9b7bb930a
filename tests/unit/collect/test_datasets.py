"""The source `datasets`: what of a pool's life is counted for whom."""

import pytest
from zfs_life import REAL, Life, values

from nasacct.collect import objset
from nasacct.collect.datasets import Datasets
from nasacct.collect.lines import ParseError
from nasacct.store.frame import ABSENT
from nasacct.store.schema import DATASETS
from nasacct.store.sums import summed

POOL = "16171923680681405715"
PHOTOS = f"{POOL}-93"
OLD = """5 1 0x01 7 2160 100 200
name                            type data
dataset_name                    7    tank/old
writes                          4    1
nwritten                        4    2
reads                           4    3
nread                           4    4
nunlinks                        4    5
nunlinked                       4    6
"""


def build(admit, kstats):
    return Datasets(admit, 0.001, kstats=kstats)


@pytest.fixture
def life(living):
    return living(build)


def written(life, dataset=PHOTOS):
    """What was written by epochs: what is known, and whether some is unknown."""
    rows = [row for row in life.usage("datasets") if row["dataset"] == dataset]
    epochs = dict.fromkeys(row["epoch"] for row in rows)
    of = {epoch: [row["written_bytes"] for row in rows if row["epoch"] == epoch] for epoch in epochs}
    return [(sum(filter(None, numbers)), None in numbers) for numbers in of.values()]


def test_each_dataset_has_its_own(life):
    """File systems and volumes, by the pool's guid and their number in it; whatever they are called."""
    life.step("1-made")
    batch = life.step("2-written")
    assert {s.keys["dataset"]: s.about["name"] for s in batch.listed} == {
        f"{POOL}-8c": "tank/nas/1001",
        PHOTOS: "tank/nas/1001/photos",
        f"{POOL}-9a": "tank/nas/a name  of four",
        f"{POOL}-a1": "tank/nas/gone",
        f"{POOL}-a8": "tank/vol",
    }
    found = values(batch, "datasets")
    assert found["tank/nas/1001/photos"] == {
        "reads": 160, "read_bytes": 10_485_760, "writes": 80, "written_bytes": 10_485_760,
        "unlinks": 0, "unlinked": 0, "zil_commits": 2, "zil_records": 0, "zil_bytes": 0,
    }  # fmt: skip
    assert (found["tank/nas/1001"]["unlinked"], found["tank/nas/a name  of four"]["written_bytes"]) == (20, 1_048_576)
    assert "tank/vol" not in found
    assert (batch.complete, batch.unknown_fields, batch.note) == (True, 0, "")


def test_a_table_that_is_made_anew_counts_from_nothing(life):
    """After an unmount, a rename that mounts elsewhere, and an import; what the old one had at its end is unknown."""
    for step in ("1-made", "2-written", "3-unmounted", "4-remounted", "5-renamed", "6-destroyed"):
        life.step(step)
    assert written(life) == [(10_485_760, True), (524_288, True), (0, False)]
    assert written(life, f"{POOL}-a1") == [(1_048_576, True)]
    assert life.step("8-exported").listed == []
    batch = life.step("9-imported")
    assert {s.about["name"] for s in batch.listed} >= {"tank/clone", "tank/nas/1001/pictures"}
    assert written(life)[3:] == [(262_144, False)]


def test_what_was_written_before_the_first_look_is_nobodys(life):
    """It is a baseline; a dataset that was mounted since the last look counts from its birth."""
    life.step("2-written")
    assert written(life) == []
    batch = life.step("4-remounted")
    (photos,) = [s for s in batch.listed if s.keys["dataset"] == PHOTOS]
    assert 71_276_618_327 < photos.since_boot < 71_966_960_745
    assert written(life) == [(0, True), (524_288, False)]


def test_between_two_runs_of_the_collector_nothing_is_lost_or_counted_again(life):
    """A table that is the same goes on where it was; one that was made meanwhile counts from then on."""
    life.step("1-made")
    life.begin(build)
    life.step("2-written")
    life.begin(build)
    life.step("4-remounted")
    assert written(life) == [(10_485_760, True), (524_288, False)]
    assert written(life, f"{POOL}-a1") == [(1_048_576, False)]


def test_a_dataset_that_is_renamed_where_it_is_keeps_its_counters(life):
    """The next head of a journal file has its name."""
    life.step("2-written")
    path = life.kstats / "tank" / "objset-0x93"
    path.write_bytes(path.read_bytes().replace(b"tank/nas/1001/photos", b"tank/nas/1001/films"))
    batch = life.look()
    assert "tank/nas/1001/films" in {s.about["name"] for s in batch.listed}
    assert (batch.rows, batch.ended) == ({}, [])


def test_a_broken_file_is_that_datasets_trouble(life):
    """Of one that is not known yet it is not known either whether it is there."""
    life.step("1-made")
    (life.kstats / "tank" / "objset-0x93").write_bytes(b"62 1")
    batch = life.look()
    (why,) = batch.failed.values()
    assert why.endswith("objset-0x93: line 1: it has no newline at its end, so it was cut; read the file again")
    assert (batch.complete, batch.note, len(batch.listed), batch.ended) == (True, why, 5, [])
    (life.kstats / "tank" / "objset-0xff").write_bytes(b"")
    assert life.look().complete is False


def test_what_ends_while_it_is_read_has_ended(life, monkeypatch):
    """Its file says so as it is opened, or read."""
    life.step("1-made")
    (life.kstats / "tank" / "objset-0x93").unlink()
    (life.kstats / "tank" / "objset-0x93").symlink_to("nowhere")
    batch = life.look()
    assert (batch.complete, [s.keys["dataset"] for s in batch.ended]) == (True, [PHOTOS])


def test_where_reading_takes_too_much_it_is_done_less_often(tmp_path, monkeypatch):
    """So that it takes half of its share."""
    life = Life(tmp_path, monkeypatch, lambda admit, kstats: Datasets(admit, 0.001, 1e-6, kstats=kstats))
    life.step("1-made")
    (source,) = life.sampler.sources
    assert source.pace_s > 100
    life.end()


def test_an_older_zfs_counts_less():
    """What it does not count is absent, and never 0."""
    found = objset.parse(OLD)
    assert (found.name, found.made_ns, found.unknown) == ("tank/old", 100, ())
    assert found.values == (3, 4, 1, 2, 5, 6, ABSENT, ABSENT, ABSENT)


def test_a_newer_zfs_may_count_more():
    """What nobody knows is counted and kept out."""
    newer = OLD.replace(" 7 2160", " 9 2160") + "zil_new_count                   4    1\nbrand_new  %s4    1\n" % (
        " " * 21
    )
    found = objset.parse(newer)
    assert found.unknown == ("brand_new",)
    assert found.values == objset.parse(OLD).values


def test_another_table_is_no_dataset():
    """Of files that are called otherwise none is opened."""
    with pytest.raises(ParseError) as error:
        objset.parse((REAL / "life" / "1-made" / "dmu_tx").read_bytes())
    assert "no dataset_name" in str(error.value)
    assert [objset.number_of(name) for name in ("objset-0x9f", "objset-0xzz", "iostats", "objset-0x")] == [
        0x9F, None, None, None,
    ]  # fmt: skip


def test_a_sum_stays_though_the_end_of_one_life_is_unknown(life):
    """A rollup has what is certain, and says that there is more that nobody knows."""
    for step in ("1-made", "2-written", "3-unmounted"):
        life.step(step)
    usage = life.usage_table("datasets")
    rows = {row["dataset"]: row for row in summed(usage, DATASETS, 86_400_000_000).to_pylist()}
    photos = rows[PHOTOS]
    assert (photos["written_bytes"], photos["written_bytes_more"], photos["written_bytes_unknown"]) == (
        10_485_760,
        0,
        1,
    )
    assert photos["zil_commits"] is None
    other = rows[f"{POOL}-9a"]
    assert (other["written_bytes"], other["written_bytes_unknown"], other["zil_commits"]) == (1_048_576, 0, 2)
