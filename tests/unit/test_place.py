"""The place of a store as an administrator sees it."""

import os
from pathlib import Path

from nasacct.collect.surroundings import init_system
from nasacct.store import place, root


def test_place_tells_who_owns_it_and_who_writes(tmp_path):
    """Owner and mode, and the locks that are held at this moment only."""
    store = tmp_path / "store"
    root.prepare(store)
    assert place.look(store).held == ()
    with root.lock(store, "nas1", "collect"), root.lock(store, "nas1", "keep"):
        found = place.look(store)
    assert found.held == ("nas1/collect", "nas1/keep")
    assert place.look(store).held == ()
    assert found.owner.endswith(" 0750")
    assert found.readable
    space = os.statvfs(store)
    assert abs(found.free_bytes - space.f_bavail * space.f_frsize) < 1e9
    assert 0 < found.free_bytes <= found.total_bytes


def test_place_that_does_not_exist_is_that_of_its_nearest_folder():
    """Before the store is made, the doctor says where it would be."""
    found = place.look(Path("/dev/shm/none/of/these"))
    assert (found.kind, found.point, found.forgets) == ("tmpfs", "/dev/shm", "a tmpfs")
    assert found.owner is None


def test_init_system_is_recognised(tmp_path):
    """By what each leaves in /run, or by the name of process 1."""
    (tmp_path / "proc" / "1").mkdir(parents=True)
    comm = tmp_path / "proc" / "1" / "comm"
    comm.write_text("init\n")
    assert "(process 1 is init)" in init_system(tmp_path)
    comm.write_text("runit\n")
    assert init_system(tmp_path).startswith("runit")
    (tmp_path / "run" / "systemd" / "system").mkdir(parents=True)
    assert init_system(tmp_path).startswith("systemd")
