"""By what kind of request somebody used the disks, of made-up pools whose truth is known."""

import pytest
from pools import Pool

from nasacct.reports.attribution import engine, episodes, how
from nasacct.reports.attribution.saturation import saturated

FIRST, END = 400, 460


def told(pool, **more):
    """How `one` used the disks, and since which sample."""
    scene = pool.scene()
    found = episodes.found(saturated(scene), scene.present)
    model = engine.learned(scene, found)
    inside = episodes.Episode(FIRST, END)
    judged = engine.looked_at(scene, inside, found, model)
    one = [scene.members.names.index("one")]
    return (
        how.told(one, judged.window, model.costs, judged.fitted.parts, **more),
        how.began(one, judged.window, model.costs),
    )


@pytest.mark.parametrize(
    ("kind", "plant"),
    [
        ("random_read", lambda pool: pool.read("one", FIRST, END, calls=330, miss=1)),
        ("seq_read", lambda pool: pool.read("one", FIRST, END, calls=160, miss=1, size_mb=4)),
        ("sync_write", lambda pool: pool.commit("one", FIRST, END, calls=300)),
        ("bulk_write", lambda pool: pool.write("one", FIRST, END, mb=200)),
    ],
)
def test_how_and_since_when(kind, plant):
    """Since the sample in which it began."""
    pool = Pool()
    plant(pool)
    found, began = told(pool)
    assert found == kind
    assert abs(began - FIRST) <= 1


def test_where_nothing_waits_for_commits_they_are_writes():
    """Of a dataset with sync=disabled nobody is told to have synced much."""
    pool = Pool()
    pool.commit("one", FIRST, END, calls=300)
    assert told(pool, unsynced=True)[0] == "bulk_write"


def test_who_did_nothing_did_it_in_no_way():
    """Nor since when."""
    pool = Pool()
    pool.read("two", FIRST, END, calls=330, miss=1)
    pool.activity[pool.members.index("one")] = 0
    assert told(pool) == (None, None)
