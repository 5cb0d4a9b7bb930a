"""What datasets hold, whose they are, and when they are full, by way of the keeper."""

import shutil

import pytest
from journals import Recorder

from nasacct.reports.space import space
from nasacct.store import inventory
from nasacct.store.inventory import EVER, Statement
from nasacct.store.keep import Rules, keep
from nasacct.store.tree import Tree

GB = 10**9
DAYS = 20
NAMES = {"1": "tank", "2": "tank/nas/1001", "3": "tank/nas/1001/photos", "4": "tank/nas/10010", "5": "tank/gone"}
NONE = {"quota_bytes": None, "refquota_bytes": None, "snapshots_bytes": 0}


def told(kind, thing, **said):
    return Statement(kind, thing, EVER[0], said, 1)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Twenty days in which 1001's photos grow by 2 GB a day; after ten of them the quota above was raised by 50 GB."""
    where = tmp_path_factory.mktemp("space")
    recorder = Recorder(where, start="2026-11-01T00:00:00+00:00", interval_s=21600)
    things = {guid: recorder.thing("space", f"zfs/{guid}", dataset=guid) for guid in NAMES}
    for guid, thing in things.items():
        thing.about = {"name": NAMES[guid]}
    server = recorder.thing("nfsd", "boot/1", server="123")
    server.about = {"dir": "/tank/nas/1001/photos/private", "as": "/export/1001/photos"}
    for look in range(4 * DAYS + 1):
        if look and look % 4 == 0:
            recorder.rotate()
        used = look * GB // 2
        quota = (100 if look < 40 else 150) * GB
        mine = {"used_bytes": used, "referenced_bytes": used, "available_bytes": quota - used, **NONE}
        read = {
            things["1"]: {"used_bytes": 900 * GB, "referenced_bytes": 1, "available_bytes": 500 * GB, **NONE},
            things["2"]: mine | {"referenced_bytes": 1, "quota_bytes": quota},
            things["3"]: mine,
            things["4"]: {"used_bytes": GB, "referenced_bytes": GB, "available_bytes": GB, **NONE},
        }
        if look < 30:
            read[things["5"]] = mine
        recorder.cycle(read | {server: {"read_bytes": look}})
    assert keep(Tree(where, "nas1"), recorder.now.wall_ns / 1e9, Rules({"readings": 40, "usage": 400}, 1e12)) == 0
    member = told("member", "1001", name="somebody")
    inventory.tell(where, [member, told("export", "123", server="123", dataset="1001/photos", member="1001")])
    return where


def test_every_dataset_that_is_there_is_told(store):
    """As it was read last; what is no more is not; a neighbour whose name begins alike is nobody's."""
    found = {one.name: one for one in space(store)}
    assert list(found) == ["tank", "tank/nas/1001", "tank/nas/1001/photos", "tank/nas/10010"]
    photos = found["tank/nas/1001/photos"]
    assert (photos.used_bytes, photos.available_bytes, photos.quota_bytes) == (40 * GB, 110 * GB, None)
    assert found["tank/nas/1001"].quota_bytes == 150 * GB
    assert (photos.node, photos.dataset, photos.at.isoformat()) == ("nas1", "3", "2026-11-21T00:00:00+00:00")
    whose = {name: (one.export, one.member, one.member_name) for name, one in found.items()}
    nobodys = (None, None, None)
    assert whose == {
        "tank": nobodys,
        "tank/nas/1001": nobodys,
        "tank/nas/1001/photos": ("123", "1001", "somebody"),
        "tank/nas/10010": nobodys,
    }
    assert [one.name for one in space(store, "1001")] == ["tank/nas/1001/photos"]
    assert space(store, "1002") == []


def test_a_raised_quota_is_no_growth(store):
    """Of the dataset that has it, and of those below it: 110 GB are left, 2 GB a day go."""
    found = {one.name: one for one in space(store)}
    for name in ("tank/nas/1001", "tank/nas/1001/photos"):
        one = found[name]
        assert one.days == DAYS
        assert one.growth_bytes_per_day == pytest.approx(2 * GB, rel=0.01)
        assert [round(each) for each in (one.full_days_low, one.full_days, one.full_days_high)] == [55, 55, 55]
    tank = found["tank"]
    assert (tank.is_foreseen, tank.full_days_low, tank.full_days) == (True, None, None)


def test_whoever_is_below_an_export_is_its_members(store, tmp_path):
    """And without an export of its own."""
    shutil.copytree(store, tmp_path / "store")
    inventory.tell(tmp_path / "store", [told("server", "nas1/7", dataset="1001", pool="tank/nas")])
    inventory.tell(tmp_path / "store", [told("export", "7", server="7", member="1001")])
    exports = {one.name: one.export for one in space(tmp_path / "store", "1001")}
    assert exports == {"tank/nas/1001": "7", "tank/nas/1001/photos": "123"}


def test_a_dataset_without_an_export_is_whose_it_was_told_to_be(store, tmp_path):
    """By its name below the pool that servers' datasets are in; so are those below it, and nobody's neighbour is."""
    shutil.copytree(store, tmp_path / "store")
    inventory.tell(tmp_path / "store", [told("dataset", "4", name="1001", member="1002")])
    inventory.tell(tmp_path / "store", [told("member", "1002", name="other", into="1003")])
    found = {one.name: (one.export, one.member) for one in space(tmp_path / "store")}
    assert found == {
        "tank": (None, None),
        "tank/nas/1001": (None, "1003"),
        "tank/nas/1001/photos": ("123", "1001"),
        "tank/nas/10010": (None, None),
    }


def test_names_of_today_are_in_the_journal(tmp_path):
    """Before a keeper has told them to the inventory, and after a dataset was renamed."""
    recorder = Recorder(tmp_path)
    thing = recorder.thing("space", "zfs/1", dataset="1")
    for name in ("tank/old", "tank/new"):
        thing.about = {"name": name}
        if thing.subject:
            thing.subject.about = thing.about
            recorder.rotate()
        recorder.cycle({thing: {"used_bytes": 1, "available_bytes": 1}})
        recorder.cycle({thing: {"used_bytes": 2, "available_bytes": 1}})
        assert [one.name for one in space(tmp_path)] == [name]


def test_a_store_without_space_has_none(tmp_path):
    """The source is off unless it is named."""
    Recorder(tmp_path)
    assert space(tmp_path) == []
