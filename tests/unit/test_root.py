"""Where a store may be, how it is made, and who may write to it."""

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nasacct.errors import NasacctError
from nasacct.store import root as store


def refusal(status, call, *arguments, **more):
    with pytest.raises(NasacctError) as told:
        call(*arguments, **more)
    assert told.value.status == status, told.value.sentence
    assert "\n" not in told.value.sentence
    return told.value.sentence


@pytest.fixture
def made(tmp_path):
    store.prepare(tmp_path / "store")
    return tmp_path / "store"


def test_new_store_is_closed_to_others(made):
    """Mode 0750 and a store.json with the version; making it again changes nothing."""
    assert stat.S_IMODE(made.stat().st_mode) == 0o750
    assert json.loads((made / "store.json").read_text()) == {"nasacct_store": 1}
    before = (made / "store.json").stat().st_mtime_ns
    store.prepare(made)
    assert (made / "store.json").stat().st_mtime_ns == before
    assert store.existing(made) == made
    assert [p.name for p in made.iterdir()] == ["store.json"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a folder to any group")
def test_reader_group_gets_the_store_and_what_is_made_in_it(tmp_path):
    """The group reads; folders made inside belong to it too."""
    import grp

    group = next(g for g in grp.getgrall() if g.gr_gid not in {0, os.getgid()})
    store.prepare(tmp_path / "store", reader_group=group.gr_name)
    (tmp_path / "store" / "inner").mkdir()
    assert (tmp_path / "store").stat().st_gid == group.gr_gid
    assert (tmp_path / "store" / "inner").stat().st_gid == group.gr_gid


def test_unknown_reader_group_is_refused_before_anything_is_made(tmp_path):
    """A misspelt group leaves no folder behind that the wrong people may read."""
    told = refusal(78, store.prepare, tmp_path / "store", reader_group="no-such-group")
    assert "no-such-group" in told
    assert not (tmp_path / "store").exists()


def test_parent_that_is_missing_is_not_made(tmp_path):
    """The pool may not be mounted yet: what is written underneath would vanish."""
    told = refusal(73, store.prepare, tmp_path / "tank" / "nasacct")
    assert str(tmp_path / "tank") in told
    assert not (tmp_path / "tank").exists()
    store.prepare(tmp_path / "tank" / "nasacct", parents=True)
    assert store.version(tmp_path / "tank" / "nasacct") == 1


def test_file_system_that_forgets_is_refused():
    """A tmpfs is refused with the mend, and taken when it is wanted."""
    root = Path("/dev/shm") / f"nasacct-test-{os.getpid()}"
    try:
        told = refusal(73, store.prepare, root)
        assert "tmpfs" in told
        assert "--volatile" in told
        assert not root.exists()
        store.prepare(root, volatile=True)
        assert store.version(root) == 1
    finally:
        (root / "store.json").unlink(missing_ok=True)
        root.rmdir()


def test_newer_store_is_refused_untouched(made):
    """A later version is read by nobody here and changed by nobody."""
    (made / "store.json").write_text('{"nasacct_store": 2}')
    assert "version 2" in refusal(65, store.prepare, made)
    assert "version 2" in refusal(65, store.existing, made)
    assert [p.name for p in made.iterdir()] == ["store.json"]


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"nasacct_store": "1"}', '{"nasacct_store": true}', "\x00"])
def test_damaged_version_is_refused(made, text):
    """No guess about what a damaged store.json meant."""
    (made / "store.json").write_text(text)
    assert "store.json" in refusal(65, store.existing, made)


def test_place_without_a_store_is_told(tmp_path):
    """Nothing there, an empty folder, a file: each says so."""
    assert "does not exist" in refusal(66, store.existing, tmp_path / "none")
    assert "holds no store" in refusal(66, store.existing, tmp_path)
    (tmp_path / "file").touch()
    refusal(66, store.existing, tmp_path / "file")
    refusal(73, store.prepare, tmp_path / "file")


def test_second_writer_is_told_who_the_first_is(made):
    """The lock of one role is held once, also against another process; another role, or node, is free."""
    with store.lock(made, "nas1", "collect"):
        told = refusal(75, store.lock, made, "nas1", "collect")
        assert f"pid {os.getpid()} on {os.uname().nodename}" in told
        store.lock(made, "nas1", "keep").release()
        store.lock(made, "nas2", "collect").release()
        probe = (
            "from nasacct.store.root import lock; from pathlib import Path; "
            f"lock(Path({str(made)!r}), 'nas1', 'collect')"
        )
        other = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
        assert f"pid {os.getpid()}" in other.stderr
    store.lock(made, "nas1", "collect").release()


def test_lock_ends_with_its_holder(made):
    """A holder that was killed leaves no lock behind."""
    probe = (
        "import signal, sys; from nasacct.store.root import lock; from pathlib import Path\n"
        f"held = lock(Path({str(made)!r}), 'nas1', 'collect'); print('held', flush=True); signal.pause()"
    )
    holder = subprocess.Popen([sys.executable, "-c", probe], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        assert f"pid {holder.pid}" in refusal(75, store.lock, made, "nas1", "collect")
    finally:
        holder.kill()
        holder.communicate()
    store.lock(made, "nas1", "collect").release()


def test_waiting_for_a_mount_ends_with_the_mount_or_the_stop(tmp_path):
    """It says that it waits, ends at once when told to, and needs no waiting where something is mounted."""
    told, stop = [], threading.Event()
    assert store.wait_for_mount(Path("/proc"), stop, told.append)
    assert told == []
    waiter = threading.Thread(target=lambda: told.append(store.wait_for_mount(tmp_path, stop, told.append)))
    waiter.start()
    stop.set()
    waiter.join(10)
    assert told[-1] is False
    assert str(tmp_path) in told[0]


def test_small_file_is_replaced_whole(tmp_path):
    """The new content is there, and nothing beside it."""
    store.write_atomically(tmp_path / "x.json", b"old")
    store.write_atomically(tmp_path / "x.json", b"new")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("x.json", b"new")]
