"""What servers show: the inventory has it from the journal, and whoever knows more says more."""

import logging
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journals import Recorder

from nasacct.store import cuts, inventory, shown
from nasacct.store.inventory import EVER, Statement
from nasacct.store.keep import Rules, keep
from nasacct.store.root import hold
from nasacct.store.shown_dataset import dataset
from nasacct.store.tree import Tree
from nasacct.times import us

KEPT = Rules({"readings": 40, "usage": 400}, 1e12)
START = datetime.fromisoformat("2026-11-23T10:00:00+00:00")
PHOTOS = {"dir": "/tank/nas/1001/photos/private", "as": "/export/1001/photos", "address": "192.0.2.10"}
#: What changes from cycle to cycle of those whose streams have no read_bytes.
OF = {"space": "used_bytes"}
KNOWN = {"dataset": "1001/photos", "pool": "tank/nas", "address": "192.0.2.10"}


@pytest.mark.parametrize(
    ("directory", "path", "said"),
    [
        ("/tank/nas/1001/photos/private", "/export/1001/photos", {"dataset": "1001/photos", "pool": "tank/nas"}),
        ("/tank/1001/private", "/export/1001", {"dataset": "1001", "pool": "tank"}),
        ("/tank/nas/1001/private/private", "/nas/1001/private", {"dataset": "nas/1001/private", "pool": "tank"}),
        (
            "/tank/vpsadmin/mount/12.clone/private",
            "/export/1001/photos-2026-11-27T01:00:00Z",
            {"dataset": "1001/photos", "snapshot": "2026-11-27T01:00:00Z"},
        ),
        (
            "/tank/vpsadmin/mount/12.clone/private",
            "/export/1001-2026-11-27T02:00:00+01:00",
            {"dataset": "1001", "snapshot": "2026-11-27T02:00:00+01:00"},
        ),
        ("/srv/data", "/data", {"dataset": "data", "pool": "srv"}),
        ("/srv/data", "/pub", {"dataset": "srv/data"}),
        ("/", "/", {}),
    ],
)
def test_directory_and_path_tell_the_dataset(directory, path, said):
    """As vpsAdmin makes them; a snapshot is of its dataset, wherever its clone is; else it is what it is called."""
    assert dataset(directory, path) == said


@given(directory=st.text(st.sampled_from("/a1-T:Z.é\n"), max_size=20), path=st.text(max_size=40))
def test_whatever_they_are_they_tell_a_dataset_or_nothing(directory, path):
    """Every property is a text that is not empty."""
    said = dataset(directory, path)
    assert set(said) <= {"dataset", "pool", "snapshot"}
    assert all(said.values())


@pytest.fixture
def recorder(tmp_path):
    return Recorder(tmp_path, start=START.isoformat(), interval_s=60)


@pytest.fixture
def tree(recorder):
    return Tree(recorder.root, "nas1")


def server(recorder, about, name="123", life="1"):
    found = recorder.thing("nfsd", f"boot/{name}/{life}", server=name)
    found.about = about
    return found


def cycles(recorder, *things):
    """A journal file of three cycles; the next begins a new one."""
    for n in range(3):
        recorder.cycle({t: {OF.get(t.source, "read_bytes"): n} for t in things})
    recorder.rotate()


def kept(tree):
    assert keep(tree, START.timestamp(), KEPT) == 0
    return inventory.read(tree.root).things("server")


def test_the_keeper_tells_what_servers_show(recorder, tree):
    """From as long as anybody can ask; of a server without a configuration nothing; that is no change of hands."""
    one, other = server(recorder, PHOTOS), server(recorder, {"address": "192.0.2.11"}, "7")
    cycles(recorder, one, other)
    cycles(recorder, one, other)
    assert kept(tree) == {"nas1/123": [(*EVER, KNOWN)]}
    (statement,) = inventory.read(tree.root).statements
    assert statement.by == "osctl-exportfs"
    assert cuts.known(tree.root) == ()
    assert kept(tree) == {"nas1/123": [(*EVER, KNOWN)]}
    assert len(inventory.read(tree.root).statements) == 1


def test_what_a_living_server_comes_to_show_the_next_head_tells(recorder, tree):
    """As exactly as files are begun; usage is kept around the moment, and who ended stays what it was."""
    one = server(recorder, PHOTOS)
    cycles(recorder, one)
    one.subject.about = PHOTOS | {"dir": "/tank/nas/1001/films/private", "as": "/export/1001/films"}
    at = us(START) + 180_000_000
    cycles(recorder, one)
    cycles(recorder)
    cycles(recorder)
    found = kept(tree)["nas1/123"]
    assert found == [(EVER[0], at, KNOWN), (at, EVER[1], KNOWN | {"dataset": "1001/films"})]
    assert cuts.known(tree.root) == (at,)


def test_a_new_life_tells_from_its_birth_on(recorder, tree):
    """To the moment of the birth, where its source knows it."""
    cycles(recorder, server(recorder, PHOTOS))
    born = us(START) + 170_000_001
    films = {"dir": "/tank/nas/1001/films/private", "as": "/export/1001/films", "born_ns": born * 1000}
    cycles(recorder, server(recorder, films, life="2"))
    cycles(recorder)
    assert kept(tree)["nas1/123"][1] == (born, EVER[1], {"dataset": "1001/films", "pool": "tank/nas"})


def test_what_was_told_by_hand_stays(recorder, tree):
    """Of a server it holds against its configuration."""
    by_hand = Statement("server", "nas1/123", EVER[0], {"dataset": "mine"}, 1)
    inventory.tell(tree.root, [by_hand])
    cycles(recorder, server(recorder, PHOTOS))
    cycles(recorder)
    assert kept(tree) == {"nas1/123": [(*EVER, {"dataset": "mine"})]}


def test_the_keeper_goes_on_when_it_cannot_tell(recorder, tree, caplog):
    """While somebody else tells, and when the inventory is damaged; the next file's head says it again."""
    one = server(recorder, PHOTOS)
    cycles(recorder, one)
    cycles(recorder, one)
    with hold(tree.root / "inventory.lock", "taken", "wait"):
        assert kept(tree) == {}
    (record,) = [r for r in caplog.records if r.name == shown.__name__]
    assert record.levelno == logging.WARNING
    assert "being told already" in record.getMessage()
    cycles(recorder, one)
    assert kept(tree) == {"nas1/123": [(*EVER, KNOWN)]}
    path = tree.root / inventory.FILE
    path.write_text(path.read_text().replace("photos", "fotos"))
    cycles(recorder, one)
    assert keep(tree, START.timestamp(), KEPT) == 0
    assert "is damaged" in caplog.text


def test_the_keeper_tells_what_datasets_are_called(recorder, tree):
    """By their guids; one that was renamed is called so from the next head on, and no usage changed hands."""
    one = recorder.thing("space", "zfs/42", dataset="42")
    one.about = {"name": "tank/nas/1001"}
    cycles(recorder, one)
    one.subject.about = {"name": "tank/nas/1002"}
    cycles(recorder, one)
    cycles(recorder)
    assert keep(tree, START.timestamp(), KEPT) == 0
    known = inventory.read(tree.root)
    names = [(*i[:2], i.properties["name"]) for i in known.things("dataset")["nas1/42"]]
    at = us(START) + 180_000_000
    assert names == [(EVER[0], at, "tank/nas/1001"), (at, EVER[1], "tank/nas/1002")]
    assert {statement.by for statement in known.statements} == {"zfs"}
    assert cuts.known(tree.root) == ()


def test_the_keeper_tells_what_the_kernel_calls_datasets_and_pools(recorder, tree):
    """By the ids that these have there; the host, which is no pool, is called nothing."""
    things = [recorder.thing("datasets", "boot/7-9f/1", dataset="7-9f"), recorder.thing("pools", "boot/7/1", pool="7")]
    for thing, name in zip(things, ("tank/nas/a name  of four", "tank"), strict=True):
        thing.about = {"name": name}
    cycles(recorder, *things, recorder.thing("pools", "boot/dmu_tx/1", pool=None))
    cycles(recorder)
    assert keep(tree, START.timestamp(), KEPT) == 0
    known = inventory.read(tree.root)
    assert {id_: i[0].properties for id_, i in known.things("dataset").items()} == {
        "nas1/7-9f": {"name": "tank/nas/a name  of four"},
        "nas1/7": {"name": "tank"},
    }
    assert {statement.by for statement in known.statements} == {"zfs"}
