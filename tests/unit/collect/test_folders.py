"""inotify on directories that come and go, with the kernel's own events."""

import select
import shutil
import time
from pathlib import Path

import pytest

from nasacct.collect.folders import Folders
from nasacct.collect.inotify import Inotify

FILES = ("config.yml", "pid")


@pytest.fixture
def watch(request):
    """Make Folders that are closed at the end."""

    def make(*args):
        folders = Folders(*args)
        request.addfinalizer(folders.close)
        return folders

    return make


def seen(folders, *expected):
    """Whether these paths are told of as changed, in time."""
    missing, until = {str(path) for path in expected}, time.monotonic() + 5
    while missing and time.monotonic() < until:
        select.select([folders], [], [], 0.1)
        missing -= folders.changes()
    return not missing


def test_what_comes_into_a_folder_and_goes_is_told(tmp_path, watch):
    """A new name and a deleted one."""
    folders = watch([str(tmp_path)])
    (tmp_path / "a").touch()
    assert seen(folders, tmp_path / "a")
    (tmp_path / "a").unlink()
    assert seen(folders, tmp_path / "a")


def test_a_folder_that_does_not_exist_yet_is_told_when_it_comes(tmp_path, watch):
    """However many steps of its path are missing, and whatever was in it by then."""
    wanted = tmp_path / "run" / "osctl" / "exportfs" / "servers"
    folders = watch([str(wanted)], [str(wanted)], FILES)
    (tmp_path / "run").mkdir()
    assert folders.changes() == set()
    (wanted / "1").mkdir(parents=True)
    assert seen(folders, wanted)
    (wanted / "1" / "pid").write_text("4711")
    assert seen(folders, wanted / "1")


def test_a_folder_removed_and_made_again_is_watched_again(tmp_path, watch):
    """As after the end and the next start of osctl-exportfs."""
    wanted = tmp_path / "state" / "servers"
    (wanted / "1").mkdir(parents=True)
    folders = watch([str(wanted)], [str(wanted)], FILES)
    for _ in range(3):
        shutil.rmtree(tmp_path / "state")
        assert seen(folders, wanted)
        (wanted / "2").mkdir(parents=True)
        assert seen(folders, wanted)
        (wanted / "2" / "pid").write_text("4711")
        assert seen(folders, wanted / "2")


def test_a_folder_renamed_away_and_replaced_is_watched_again(tmp_path, watch):
    """The new one counts, not the one that has another name now."""
    wanted = tmp_path / "servers"
    wanted.mkdir()
    folders = watch([str(wanted)])
    wanted.rename(tmp_path / "old")
    assert seen(folders, wanted)
    wanted.mkdir()
    assert seen(folders, wanted)
    (tmp_path / "old" / "x").touch()
    (wanted / "y").touch()
    told, until = set(), time.monotonic() + 5
    while str(wanted / "y") not in told and time.monotonic() < until:
        told |= folders.changes()
    assert told == {str(wanted / "y")}


def test_a_folder_that_took_anothers_place_unseen_is_found_by_arming_again(tmp_path, watch):
    """A rename over an ancestor's child raises no event in the child; the daemon arms at every listing."""
    wanted = tmp_path / "a" / "b" / "servers"
    wanted.mkdir(parents=True)
    folders = watch([str(wanted)])
    (tmp_path / "a").rename(tmp_path / "old")
    wanted.mkdir(parents=True)
    folders.arm()
    (wanted / "y").touch()
    assert seen(folders, wanted / "y")


def test_of_the_files_of_a_server_only_the_named_ones_count(tmp_path, watch):
    """The lock is taken often and exports are written anew, which says nothing."""
    server = tmp_path / "servers" / "1"
    server.mkdir(parents=True)
    folders = watch([str(tmp_path / "servers")], [str(tmp_path / "servers")], FILES)
    (server / "lock").touch()
    (server / "exports").write_text("x")
    assert folders.changes() == set()
    (server / "new").write_text("x")
    (server / "new").rename(server / "config.yml")
    assert seen(folders, server)


def test_a_server_made_while_nobody_looked_is_watched(tmp_path, watch):
    """Its directory and the files in it came between two looks."""
    servers = tmp_path / "servers"
    servers.mkdir()
    folders = watch([str(servers)], [str(servers)], FILES)
    (servers / "1").mkdir()
    (servers / "1" / "pid").write_text("1")
    assert folders.changes() == {str(servers / "1")}
    (servers / "1" / "pid").write_text("2")
    assert seen(folders, servers / "1")


def test_lost_events_mean_look_at_everything(tmp_path, watch):
    """More happened than the kernel keeps: the answer says so, and watching goes on."""
    folders = watch([str(tmp_path)])
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    for _ in range(limit // 6 + 2):
        for name in "ab":
            (tmp_path / name).touch()
            (tmp_path / name).unlink()
    assert folders.changes() is None
    (tmp_path / "c").touch()
    assert seen(folders, tmp_path / "c")


def test_a_server_made_while_events_were_lost_is_watched(tmp_path, watch):
    """What nobody was told of is found when the loss is noticed."""
    servers = tmp_path / "servers"
    servers.mkdir()
    folders = watch([str(servers)], [str(servers)], FILES)
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    for _ in range(limit // 3 + 2):
        (servers / "x").touch()
        (servers / "x").unlink()
    (servers / "1").mkdir()
    assert folders.changes() is None
    (servers / "1" / "pid").write_text("1")
    assert seen(folders, servers / "1")


def test_a_full_table_of_watches_is_said_once_and_costs_no_error(tmp_path, watch, monkeypatch, caplog):
    """Without a watch, changes are found by the listing that comes every minute."""

    def full(self, path, mask):
        raise OSError(28, "No space left on device", path)

    monkeypatch.setattr(Inotify, "add", full)
    folders = watch([str(tmp_path)])
    folders.arm()
    assert folders.changes() == set()
    (record,) = caplog.records
    assert record.getMessage().startswith(f"{tmp_path} cannot be watched (No space left on device); raise ")


def test_no_descriptor_stays_open(tmp_path):
    """Closing closes everything."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    folders = Folders([str(tmp_path), str(tmp_path / "x")])
    folders.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
