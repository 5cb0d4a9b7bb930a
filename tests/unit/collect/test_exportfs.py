"""Discovery in the state directory of osctl-exportfs, on trees as it writes them, and on hostile ones."""

import os
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasacct.collect import process
from nasacct.collect.exportfs import Exportfs
from nasacct.collect.exportfs_config import ConfigTroubleError, parse
from nasacct.collect.machine import Export

FIXTURES = Path(__file__).parents[2] / "fixtures" / "exportfs"
HOSTILE = sorted((FIXTURES / "hostile").glob("*.yml"))
BTIME = 1_700_000_000
#: When the pid files of these trees were written, after boot.
WRITTEN_S = 500.0


class Tree:
    """A state directory beside a /proc, both made by the test."""

    def __init__(self, folder):
        self.state, self.proc = folder / "state", folder / "proc"
        self.process("self", 0, netns=1)
        (self.proc / "stat").write_text(f"cpu  1 2 3\nintr 5 0\nbtime {BTIME}\nprocesses 7\n")

    def process(self, pid, start_s=WRITTEN_S - 0.01, *, netns=4026532427, name="runit", state="S"):
        """A process that began so many seconds after boot."""
        folder = self.proc / str(pid)
        (folder / "ns").mkdir(parents=True, exist_ok=True)
        ticks = round(start_s * process.TICKS)
        fields = f"{state} 1 {'0 ' * 17}{ticks} 1000 2 3"
        (folder / "stat").write_text(f"{pid} ({name}) {fields}\n")
        (folder / "ns" / "net").unlink(missing_ok=True)
        (folder / "ns" / "net").symlink_to(f"net:[{netns}]")
        return f"boot/{pid}.{ticks}"

    def dies(self, pid):
        (self.proc / str(pid) / "stat").unlink()

    def server(self, name, pid="", config="plain.yml"):
        """A server with this in its pid file (None: no such file), and a configuration of the fixtures."""
        folder = self.state / "servers" / name
        folder.mkdir(parents=True, exist_ok=True)
        if pid is not None:
            (folder / "pid").write_text(str(pid))
            os.utime(folder / "pid", (BTIME + WRITTEN_S,) * 2)
        self.config(name, (FIXTURES / config).read_bytes())
        return folder

    def config(self, name, data):
        path = self.state / "servers" / name / "config.yml"
        path.write_bytes(data)
        self.age = getattr(self, "age", 1000) - 1
        os.utime(path, (time.time() - self.age,) * 2)
        return path

    def exportfs(self):
        return Exportfs("boot", self.state, str(self.proc))


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


def names(listing):
    return [server.name for server in listing.servers]


def test_a_running_server_is_listed_with_all_that_its_configuration_says(tree):
    """Epoch, default link, address, exports and threads."""
    epoch = tree.process(4711)
    tree.server("123", 4711)
    listing = tree.exportfs().read()
    (server,) = listing.servers
    assert (listing.complete, listing.notes) == (True, ())
    assert (server.name, server.epoch, server.pid) == ("123", epoch, 4711)
    assert (server.link, server.address) == ("nfs-123", "172.16.128.10")
    options = "fsid=0b9c6f4e-2f0a-4f6e-9d39-0f2b6f8f7a10,rw,sync,no_subtree_check,no_root_squash"
    assert server.exports == (
        Export("/tank/1001/private", "/export/1001", "172.16.8.21/32", options),
        Export("/tank/1001/private", "/export/1001", "192.0.2.77/32", options),
    )
    assert (server.about["threads"], server.about["netns"], server.about["found"]) == (8, 4026532427, "exportfs")


def test_a_named_interface_is_taken_instead_of_the_default(tree):
    """Netif in the configuration wins over nfs-<name>."""
    tree.process(4711)
    tree.server("123", 4711, "netif.yml")
    (server,) = tree.exportfs().read().servers
    assert (server.link, server.exports, server.about["threads"]) == ("storage7", (), 64)


def test_repeated_and_binary_strings_of_ruby_are_understood(tree):
    """Ruby writes an anchor for what it has written before, and base64 for bytes of unknown encoding."""
    tree.process(4711)
    tree.server("7", 4711, "repeated.yml")
    (server,) = tree.exportfs().read().servers
    first = Export("/tank/7/private", "/tank/7/private", "*", "rw")
    assert server.exports == (first, first, Export("/tank/škola", "/export/škola", "10.0.0.0/8", "ro"))


@pytest.mark.parametrize("pid", [None, "", "\n"])
def test_a_stopped_server_is_not_listed_and_nothing_is_missing(tree, pid):
    """Without a pid file, or with an empty one, a server is stopped."""
    tree.server("123", pid)
    listing = tree.exportfs().read()
    assert (listing.servers, listing.complete, listing.notes) == ((), True, ())


def test_without_a_state_directory_there_are_no_servers(tree):
    """It is on tmpfs and is made anew after each boot: its absence is a complete answer."""
    listing = tree.exportfs().read()
    assert (listing.servers, listing.complete) == ((), True)


@pytest.mark.parametrize("name", ["a) S 1 0 0 0", "((", "x\ny) Z (", ") "])
def test_the_start_time_is_found_behind_any_process_name(tree, name):
    """A name may hold brackets, blanks and line ends."""
    epoch = tree.process(4711, name=name)
    tree.server("123", 4711)
    assert [s.epoch for s in tree.exportfs().read().servers] == [epoch]


@pytest.mark.parametrize("state", ["Z", "X"])
def test_a_zombie_is_no_server(tree, state):
    """Its namespace is gone already."""
    tree.process(4711, state=state)
    tree.server("123", 4711)
    listing = tree.exportfs().read()
    assert (listing.servers, listing.complete) == ((), True)
    assert "no live process" in listing.notes[0]


def test_a_pid_of_nobody_is_no_server(tree):
    """The server died without taking its pid file along."""
    tree.server("123", 4711)
    listing = tree.exportfs().read()
    assert (listing.servers, listing.complete) == ((), True)


@pytest.mark.parametrize(("after_s", "listed"), [(1.5, True), (4.0, False)])
def test_a_process_younger_than_the_pid_file_is_another_one(tree, after_s, listed):
    """Beyond the exactness of the clocks, a process that began after the file was written has the pid again."""
    tree.process(4711, WRITTEN_S + after_s)
    tree.server("123", 4711)
    assert bool(tree.exportfs().read().servers) is listed


def test_a_clock_set_forward_makes_no_server_disappear(tree):
    """Processes then look younger than their pid files; the control group says whose they are."""
    tree.process(4711, WRITTEN_S + 3600)
    (tree.proc / "4711" / "cgroup").write_text("0::/osctl/exportfs/server/123/payload\n")
    tree.server("123", 4711)
    tree.server("12", 4711)
    assert names(tree.exportfs().read()) == ["123"]


def test_a_process_in_the_hosts_own_namespace_is_no_server(tree):
    """Whatever has the pid now, it is no container of osctl-exportfs."""
    tree.process(4711, netns=1)
    tree.server("123", 4711)
    listing = tree.exportfs().read()
    assert (listing.servers, listing.complete) == ((), True)
    assert "host's own network namespace" in listing.notes[0]


def test_a_pid_used_again_within_the_slack_is_noticed(tree):
    """The same pid file with the same pid, but another start: the first server has ended."""
    first = tree.process(4711)
    tree.server("123", 4711)
    exportfs = tree.exportfs()
    assert [s.epoch for s in exportfs.read().servers] == [first]
    tree.process(4711, WRITTEN_S + 1)
    assert exportfs.read().servers == ()
    tree.dies(4711)
    assert exportfs.read().servers == ()
    tree.process(4711, WRITTEN_S + 1)
    assert exportfs.read().servers == ()


def test_a_restarted_server_is_another_epoch(tree):
    """Pid and start are new; a configuration that cannot be read now is not filled up from the life before."""
    tree.process(4711)
    folder = tree.server("123", 4711, "netif.yml")
    exportfs = tree.exportfs()
    assert [s.link for s in exportfs.read().servers] == ["storage7"]
    tree.dies(4711)
    second = tree.process(4712)
    tree.server("123", 4712)
    (folder / "config.yml").unlink()
    (server,) = exportfs.read().servers
    assert (server.epoch, server.link, server.address) == (second, "nfs-123", None)


def test_a_half_written_configuration_costs_no_server(tree):
    """The server lives, so it is listed with its defaults, then with what the file says once it is whole."""
    tree.process(4711)
    tree.server("123", 4711, "hostile/half.yml")
    exportfs = tree.exportfs()
    listing = exportfs.read()
    assert [(s.name, s.link) for s in listing.servers] == [("123", "nfs-123")]
    assert listing.complete
    assert "config.yml is not understood" in listing.notes[0]
    tree.config("123", (FIXTURES / "netif.yml").read_bytes())
    listing = exportfs.read()
    assert ([s.link for s in listing.servers], listing.notes) == (["storage7"], ())


def test_what_was_understood_stays_while_the_file_is_being_written(tree):
    """A good configuration of the same life is not given up for a broken one."""
    tree.process(4711)
    tree.server("123", 4711, "netif.yml")
    exportfs = tree.exportfs()
    exportfs.read()
    tree.config("123", b"---\naddress: [")
    listing = exportfs.read()
    assert [s.link for s in listing.servers] == ["storage7"]
    assert len(listing.notes) == 1


def test_a_vanished_configuration_costs_no_server(tree):
    """The listing runs into a server being deleted: as long as its process lives it is there."""
    tree.process(4711)
    (tree.server("123", 4711) / "config.yml").unlink()
    listing = tree.exportfs().read()
    assert [(s.name, s.link) for s in listing.servers] == [("123", "nfs-123")]
    assert "cannot be read (no such file or directory)" in listing.notes[0]


@pytest.mark.parametrize("text", ["soon", "-4", "0", "12 13", "99999999999999999999", "\x1b[2J", "\xff"])
def test_a_pid_file_that_holds_no_pid_makes_the_listing_incomplete(tree, text):
    """A server may live there, so nobody may conclude that it does not; the others are listed."""
    tree.process(4711)
    tree.server("1", 4711)
    tree.server("2", text)
    listing = tree.exportfs().read()
    assert (names(listing), listing.complete) == (["1"], False)
    assert "server 2 may live" in listing.notes[0]
    assert listing.notes[0].isprintable()


def test_a_pid_file_that_cannot_be_read_makes_the_listing_incomplete(tree):
    """Here it is a directory."""
    tree.process(4711)
    tree.server("1", 4711)
    (tree.server("2", None) / "pid").mkdir()
    listing = tree.exportfs().read()
    assert (names(listing), listing.complete) == (["1"], False)
    assert "server 2 may live but cannot be examined (is a directory)" in listing.notes[0]


def test_a_process_whose_stat_cannot_be_understood_makes_the_listing_incomplete(tree):
    """Without a start time there is no epoch."""
    tree.process(4711)
    (tree.proc / "4711" / "stat").write_text("4711 (runit) S 1 2")
    tree.server("1", 4711)
    assert not tree.exportfs().read().complete


def test_a_configuration_is_parsed_only_when_its_file_changed(tree):
    """Size, time and inode number unchanged: not even a changed content is looked at."""
    tree.process(4711)
    path = tree.server("123", 4711, "netif.yml") / "config.yml"
    exportfs = tree.exportfs()
    before = exportfs.read().servers
    status = path.stat()
    path.write_bytes(path.read_bytes().replace(b"10.0.0.10", b"10.0.0.99"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert exportfs.read().servers == before
    os.utime(path)
    assert [s.address for s in exportfs.read().servers] == ["10.0.0.99"]


def test_a_file_changed_twice_within_one_time_stamp_is_read_again(tree):
    """A stamp as young as the reading proves nothing."""
    tree.process(4711)
    path = tree.server("123", 4711, "netif.yml") / "config.yml"
    exportfs = tree.exportfs()
    os.utime(path)
    stamp = path.stat().st_mtime_ns
    exportfs.read()
    path.write_bytes(path.read_bytes().replace(b"10.0.0.10", b"10.0.0.99"))
    os.utime(path, ns=(stamp, stamp))
    assert [s.address for s in exportfs.read().servers] == ["10.0.0.99"]


@pytest.mark.parametrize("path", HOSTILE, ids=lambda p: p.stem)
def test_a_hostile_configuration_is_noted_and_the_server_listed(tree, path):
    """Nothing is raised, nothing crashes, and the server has its defaults."""
    tree.process(4711)
    tree.server("123", 4711, f"hostile/{path.name}")
    listing = tree.exportfs().read()
    assert [(s.name, s.link) for s in listing.servers] == [("123", "nfs-123")]
    assert len(listing.notes) == 1
    assert listing.notes[0].isprintable()


def test_a_huge_configuration_is_not_even_parsed(tree):
    """Beyond a megabyte it is no configuration."""
    tree.process(4711)
    tree.server("123", 4711)
    tree.config("123", b"address: 1.2.3.4\nx: " + b"y" * (1 << 20))
    listing = tree.exportfs().read()
    assert [s.address for s in listing.servers] == [None]
    assert "larger than" in listing.notes[0]


def test_values_of_the_wrong_kind_are_passed_over_one_by_one(tree):
    """No tag makes an object, and a mapping is no address."""
    tree.process(4711)
    tree.server("123", 4711, "misfit.yml")
    listing = tree.exportfs().read()
    (server,) = listing.servers
    assert (server.link, server.address) == ("nfs-123", None)
    assert server.exports == (Export("/tank/1", "/export/1", "10.0.0.1/32", ""),)
    assert "address, netif, options, exports of an unknown kind" in listing.notes[0]


@pytest.mark.parametrize("name", [b"caf\xe9", b"a\nb", b"\x1b[31m"])
def test_a_strange_name_is_listed_in_a_form_that_can_be_written_and_shown(tree, name):
    """Neither bytes that are no UTF-8 nor control characters reach a file or a terminal."""
    tree.process(4711)
    tree.server(os.fsdecode(name), 4711)
    (server,) = tree.exportfs().read().servers
    assert server.name.isprintable()
    assert server.name.encode()


@given(
    st.one_of(
        st.binary(max_size=300),
        st.text(alphabet="&*!|>-:[]{},?#%@'\" \n\taexportsdirnetif1~\\u\ud800", max_size=300).map(
            lambda text: text.encode("utf-8", "surrogatepass")
        ),
    )
)
def test_no_text_makes_the_parser_raise_anything_else(data):
    """Whatever stands in config.yml: understood, or a ConfigTroubleError with a sentence that can be shown."""
    try:
        config = parse(data)
    except ConfigTroubleError as err:
        texts = [str(err)]
    else:
        texts = [config.address, config.netif, *(e.directory for e in config.exports)]
    for text in texts:
        assert text is None or (text.encode() is not None and text.isprintable())


@pytest.fixture
def container():
    """A real process in a network namespace of its own."""
    with subprocess.Popen(["unshare", "--user", "--net", "sleep", "60"]) as sleeper:
        try:
            own = process.namespace("/proc", "self")
            until = time.monotonic() + 10
            while process.namespace("/proc", sleeper.pid) in (own, None):
                assert time.monotonic() < until, "unshare made no namespace"
            yield sleeper
        finally:
            sleeper.kill()


def test_with_a_real_process_a_server_lives_and_dies(tmp_path, container):
    """Listed under its real start time while it lives, gone with it; an older pid file is not about this process."""
    tree = Tree(tmp_path)
    folder = tree.server("123", container.pid)
    exportfs = Exportfs("boot", tree.state)
    assert exportfs.read().servers == ()  # the file is of 2023
    os.utime(folder / "pid")
    (server,) = exportfs.read().servers
    stat = Path(f"/proc/{container.pid}/stat").read_text()
    assert server.epoch == f"boot/{container.pid}.{stat.rpartition(')')[2].split()[19]}"
    assert abs(server.about["born_ns"] / 1e9 - time.time()) < 30
    assert server.about["netns"] == int(str(Path(f"/proc/{container.pid}/ns/net").readlink())[5:-1])
    container.kill()
    container.wait()
    listing = exportfs.read()
    assert (listing.servers, listing.complete) == ((), True)


def test_a_real_process_of_the_host_is_no_server(tmp_path):
    """This very process has the pid that the file names."""
    tree = Tree(tmp_path)
    os.utime(tree.server("123", os.getpid()) / "pid")
    listing = Exportfs("boot", tree.state).read()
    assert listing.servers == ()
    assert "host's own" in listing.notes[0]
