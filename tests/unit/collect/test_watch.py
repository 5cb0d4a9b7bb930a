"""Births and ends noticed at once: real processes, a real state directory, the kernel's own messages."""

import gc
import os
import select
import subprocess
import threading
import time
from pathlib import Path

import pytest

from nasacct.collect import process
from nasacct.collect.machine import Server
from nasacct.collect.watch import HOLD_S, ServerEnded, ServersChanged, Watch


@pytest.fixture
def watch(tmp_path):
    """A watch on a state directory and a folder of namespaces that do not exist yet."""
    found = Watch(tmp_path / "state", tmp_path / "netns")
    yield found
    found.close()


@pytest.fixture
def sleeper():
    with subprocess.Popen(["sleep", "60"]) as child:
        try:
            yield child
        finally:
            child.kill()


def until(watch, wanted, within_s=5):
    """Wait, as the daemon's loop does, until an event of this kind comes; the event, and how long it took."""
    began = time.monotonic()
    while (now := time.monotonic()) < began + within_s:
        if select.select([watch], [], [], began + within_s - now)[0]:
            for event in watch.poll(0):
                if isinstance(event, wanted):
                    return event, time.monotonic() - began
    pytest.fail(f"no {wanted.__name__} within {within_s} s")


def server(pid):
    return Server("1", f"boot/{pid}.{process.started('/proc', pid)}", pid=pid)


def test_the_end_of_a_process_is_told_at_once(watch, sleeper):
    """Long before the next cycle, and once only."""
    watch.servers([server(sleeper.pid)])
    assert watch.poll(0) == []
    sleeper.kill()
    event, took = until(watch, ServerEnded)
    assert event.server.pid == sleeper.pid
    assert took < 1
    assert watch.poll(0) == []


def test_the_end_of_a_server_that_is_no_longer_listed_is_told(watch, sleeper):
    """Its pid file goes before it does; its last reading is wanted all the same."""
    watch.servers([server(sleeper.pid)])
    watch.servers([])
    assert watch.poll(0) == []
    sleeper.kill()
    assert until(watch, ServerEnded)[0].server.pid == sleeper.pid


def test_a_server_that_ended_before_it_was_followed_has_ended(watch, sleeper):
    """Nothing more happens to it that could wake anybody, so the watch is ready at once."""
    found = server(sleeper.pid)
    sleeper.kill()
    sleeper.wait()
    watch.servers([found])
    assert until(watch, ServerEnded)[0].server == found


def test_a_pid_used_again_is_not_followed(watch, sleeper):
    """The process of that pid began at another time than the server's."""
    other = Server("1", f"boot/{sleeper.pid}.1", pid=sleeper.pid)
    watch.servers([other])
    assert until(watch, ServerEnded)[0].server == other


def test_a_server_that_starts_is_told_at_once(watch, tmp_path):
    """From nothing at all to its pid file."""
    folder = tmp_path / "state" / "servers" / "123"
    folder.mkdir(parents=True)
    assert until(watch, ServersChanged)[0].paths == (str(folder.parent),)
    (folder / "pid").write_text("4711")
    event, took = until(watch, ServersChanged)
    assert event.paths == (str(folder),)
    assert took < 1


def test_a_changed_configuration_is_told(watch, tmp_path):
    """Exports come and go while the server runs."""
    folder = tmp_path / "state" / "servers" / "123"
    folder.mkdir(parents=True)
    until(watch, ServersChanged)
    (folder / "config.yml").write_text("---\n")
    assert until(watch, ServersChanged)[0].paths == (str(folder),)


def test_a_name_in_the_folder_of_namespaces_is_told(watch, tmp_path):
    """And its going."""
    folder = tmp_path / "netns"
    folder.mkdir()
    until(watch, ServersChanged)
    (folder / "a").touch()
    assert until(watch, ServersChanged)[0].paths == (str(folder / "a"),)
    (folder / "a").unlink()
    assert until(watch, ServersChanged)[0].paths == (str(folder / "a"),)


def test_waiting_ends_with_the_time(watch):
    """Nothing happens, nothing is told."""
    until_s = time.monotonic() + 10
    events = [None]
    while events and time.monotonic() < until_s:  # links of earlier tests' namespaces may still be going
        began = time.monotonic()
        events = watch.poll(0.05)
    assert events == []
    assert time.monotonic() - began >= 0.04


def test_following_and_closing_leave_no_descriptor_open(tmp_path, sleeper):
    """Neither of servers that ended nor of those that live; a dead server's namespace is let go within a second."""

    def open_files():
        return len(list(Path("/proc/self/fd").iterdir()))

    gc.collect()  # what earlier tests left behind shall not be closed meanwhile
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.join()
    before = open_files()
    watch = Watch(tmp_path / "state", tmp_path / "netns")
    idle = open_files()
    watch.servers([server(sleeper.pid), server(os.getpid())])
    assert open_files() == idle + 4
    killed = time.monotonic()
    sleeper.kill()
    until(watch, ServerEnded)
    told = time.monotonic()
    while open_files() > idle + 2:
        assert time.monotonic() - told < 5
    assert time.monotonic() - killed >= HOLD_S
    watch.close()
    assert open_files() == before
