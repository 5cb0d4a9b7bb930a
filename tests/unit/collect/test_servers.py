"""Servers from several ways of discovery, and the ones that the configuration names."""

import os
import subprocess
from types import SimpleNamespace

import pytest

from nasacct.collect import process
from nasacct.collect.machine import Listing, Server
from nasacct.collect.servers import Servers, configured
from nasacct.collect.static import Static
from nasacct.config.tables import Servers as Settings
from nasacct.config.tables import StaticServer


def way(*servers, complete=True, notes=()):
    """A way of discovery that finds these servers."""
    return SimpleNamespace(read=lambda: Listing(servers, complete, notes))


def server(name, epoch, netns, found):
    return Server(name, epoch, about={"netns": netns, "found": found})


def test_a_namespace_found_twice_is_one_server_and_the_earlier_way_wins():
    """osctl-exportfs knows the name and the addresses, the folder of namespaces only that there is one."""
    first, second = server("123", "b/1.2", 7, "exportfs"), server("other", "b/cookie 9", 7, "netns")
    assert Servers([way(first), way(second)]).read().servers == (first,)


def test_servers_whose_namespace_cannot_be_seen_are_all_kept():
    """Not to know the namespace is no reason to take two for one."""
    both = server("1", "b/1.1", None, "exportfs"), server("2", "b/2.2", None, "exportfs")
    assert Servers([way(*both)]).read().servers == both


def test_the_same_epoch_is_listed_once():
    """Two entries of the configuration name the same process."""
    both = server("1", "b/1.1", None, "static"), server("2", "b/1.1", None, "static")
    assert Servers([way(*both)]).read().servers == both[:1]


def test_two_servers_of_one_name_are_told_apart():
    """In different namespaces they are different servers, and neither may be counted as the other."""
    listing = Servers([way(server("123", "b/1.1", 7, "exportfs")), way(server("123", "b/cookie 9", 8, "netns"))]).read()
    assert [(s.name, s.epoch) for s in listing.servers] == [("123", "b/1.1"), ("123 (netns)", "b/cookie 9")]
    assert listing.notes == ("two servers are named 123; one is listed as 123 (netns)",)


def test_one_incomplete_way_makes_the_listing_incomplete():
    """And says why."""
    listing = Servers([way(complete=False, notes=("it hangs",)), way(server("1", "e", 7, "netns"))]).read()
    assert (listing.complete, listing.notes, len(listing.servers)) == (False, ("it hangs",), 1)


def test_a_configured_process_is_a_server_while_it_lives(request):
    """Under the name and the link that the configuration gives it."""
    with subprocess.Popen(["unshare", "--user", "--net", "sleep", "60"]) as sleeper:
        request.addfinalizer(sleeper.kill)
        static = Static("boot", [StaticServer(name="nas", pid=sleeper.pid, link="veth7")])
        (found,) = static.read().servers
        started = process.started("/proc", sleeper.pid)
        assert (found.name, found.link, found.epoch) == ("nas", "veth7", f"boot/{sleeper.pid}.{started}")
        sleeper.kill()
        sleeper.wait()
        listing = static.read()
        assert (listing.servers, listing.complete) == ((), True)


def test_a_configured_process_in_the_hosts_namespace_is_the_hosts_own_server():
    """A NAS without namespaces: its link is an interface of the host, not the other end of one."""
    (found,) = Static("boot", [StaticServer(name="nas", pid=os.getpid(), link="eth0")]).read().servers
    assert found.about["in_host"] == 1


def test_a_configured_namespace_that_is_not_there_is_a_stopped_server(tmp_path):
    """Complete, without a word."""
    listing = Static("boot", [StaticServer(name="nas", namespace=str(tmp_path / "none"))]).read()
    assert (listing.servers, listing.complete, listing.notes) == ((), True, ())


@pytest.mark.parametrize("path", ["/proc/self/ns/net", __file__])
def test_a_configured_path_without_a_namespace_of_its_own_is_told_of(path):
    """The host's own namespace is named by pid; a plain file is none."""
    listing = Static("boot", [StaticServer(name="nas", namespace=path)]).read()
    assert listing.servers == ()
    assert "for the host's own server configure pid = 1" in listing.notes[0]


def test_the_configuration_says_which_ways_are_gone(tmp_path):
    """All of them, or none."""
    assert len(configured("boot", Settings(static=(StaticServer(name="a", pid=1),)))._ways) == 3
    assert configured("boot", Settings(exportfs=None, namespaces=False)).read() == Listing(())
