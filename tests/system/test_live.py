"""The live machine on a hundred real namespaces: found, read, told of and let go."""

import contextlib
import errno
import itertools
import os
import resource
import socket
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import spaces
from spaces import eventually, ip, talk

from nasacct.collect import link_events, namespaces
from nasacct.collect.daemon import Collector
from nasacct.collect.events import LinkBorn, LinkEnded, ServerEnded, ServersChanged
from nasacct.collect.links import Links
from nasacct.collect.live import Live
from nasacct.collect.machine import RECENT_NS, Listing, Server
from nasacct.collect.namespaces import Namespaces
from nasacct.collect.speeds import Speeds, asked
from nasacct.collect.watch import Watch
from nasacct.config import Config
from nasacct.config.tables import StaticServer
from nasacct.store.frame import ABSENT, Instant

pytestmark = pytest.mark.system


@pytest.fixture
def live(config):
    machine = Live(config)
    yield machine
    machine.close()


@pytest.fixture
def watch(config):
    found = Watch(config.servers.exportfs)
    yield Listener(found)
    found.close()


def servers_of(machine, some):
    """The listed servers of these namespaces, by name."""
    names = {space.name for space in some}
    return {server.name: server for server in machine.servers().servers if server.name in names}


def counters(machine, *links):
    """rx_bytes, tx_bytes, rx_packets, tx_packets of the host's ends, from one dump; None for one that is not there."""
    dump = machine.links()
    rows = dict(zip(dump.names, dump.values[:, :4].tolist(), strict=True))
    return [tuple(rows[link]) if link in rows else None for link in links]


class Listener:
    """A watch, and what it has told and nobody has asked for yet."""

    def __init__(self, watch):
        self.watch, self.heard = watch, []

    def wait(self, kind, condition=lambda event: True, within_s=5):
        """Take the first event of this kind for which the condition holds, waiting until there is one."""
        until = time.monotonic() + within_s
        while True:
            for event in self.heard:
                if isinstance(event, kind) and condition(event):
                    self.heard.remove(event)
                    return event
            left = until - time.monotonic()
            if left <= 0:
                pytest.fail(f"no {kind.__name__} within {within_s} s, only {self.heard}")
            self.heard += self.watch.poll(left)

    def follow(self, *servers):
        """Have the ends of these servers told from now on; what was told before is forgotten."""
        self.watch.servers(servers)
        self.watch.poll(0)
        self.heard.clear()


@contextlib.contextmanager
def sleeping(*command):
    """A process that sleeps in another network namespace, which the command enters or makes."""
    with subprocess.Popen([*command, "sleep", "60"]) as process:
        try:
            own = Path("/proc/self/ns/net").readlink()
            eventually(lambda: Path(f"/proc/{process.pid}/ns/net").readlink() != own)
            yield process
        finally:
            process.kill()


def other_end(values):
    """What the veth's other end counts: received is sent."""
    return values[1], values[0], values[3], values[2]


@pytest.fixture
def hundred(world):
    return world.spaces(100)


def test_a_hundred_namespaces_are_found_each_with_its_own_link_and_counters(live, hundred):
    """Epochs by cookie, links by what the namespace itself says, counters of the namespace and not of the host."""
    found = servers_of(live, hundred)
    assert {name: server.link for name, server in found.items()} == {s.name: s.link for s in hundred}
    assert len({server.epoch for server in found.values()}) == 100
    assert all(server.epoch.startswith(f"{live.boot_id}/cookie ") for server in found.values())
    host = Path("/proc/net/snmp").read_bytes()
    for space in hundred[::25]:
        text = live.nfsd(found[space.name])
        assert text == subprocess.check_output(["ip", "netns", "exec", space.name, "cat", "/proc/net/snmp"])
        assert text != host


def test_one_dump_agrees_with_every_namespaces_own_file(live, hundred):
    """The host's end mirrors the other one, for all hundred at the same moment."""
    inside = {space.link: space.inside() for space in hundred}
    eventually(lambda: all(n[0] == space.inside()[0] for space, n in zip(hundred, inside.values(), strict=True)))
    dump = dict(zip(inside, counters(live, *inside), strict=True))
    assert dump == {link: other_end(values) for link, values in inside.items()}


def test_traffic_of_known_size_is_counted_on_both_sides_alike(live, world):
    """20 MB in and 10 MB back: the dump equals /proc/net/dev inside to the byte, and holds the payload."""
    (space,) = world.spaces(addresses=True)
    source = Links(admit=lambda subject: 1)
    listing = live.servers()
    source.read(live, listing)
    talk(space, 20_000_000)

    def settled():
        """Both ends say the same, twice in a row."""
        before = space.inside()
        return counters(live, space.link) == [other_end(before)] and space.inside() == before and before

    received, sent, received_packets, sent_packets = eventually(settled)
    assert 20_000_000 < received < 20_000_000 * 1.05
    assert 10_000_000 < sent < 10_000_000 * 1.1
    rows = source.read(live, listing).rows["links"]
    assert [received, sent, received_packets, sent_packets, 0, 0, 0, 0] in rows.values.tolist()


def test_births_and_deaths_while_sampling_lose_no_byte(config, world):
    """Servers come and go between and during cycles; every link's growth from its first to its last row is all of it.

    The links are taken away first and the namespaces after them, as osctl-exportfs does it.
    """
    frames = []
    old, truth = world.spaces(20, addresses=True), {}
    with Collector(config, Live(config), frames.append) as collector:
        collector.tick()
        for round_ in range(3):
            new = world.spaces(10, addresses=True)
            for space in (new[0], old[0]):
                talk(space, 100_000 * (round_ + 1))
            collector.changed()
            collector.tick()
            leaving, old = [new[0], *old[:5]], [*old[5:], *new[1:]]
            talk(leaving[1], 50_000)
            for space in leaving:
                truth[space.link] = eventually(lambda s=space: _settled(collector.machine, s))
            ip(*(f"link del {space.link}" for space in leaving))
            world.take_away(*leaving)
            eventually(lambda: collector.changed() or _ended(frames) >= truth.keys())
            collector.tick()
        listed = {s.keys["link"] for s in frames[-1].batches[0].listed}
    assert listed >= {space.link for space in old}
    assert not listed & truth.keys()
    assert _final(frames) == truth
    # who was born while it ran counts from a listing in which it was not
    born = {s.keys["link"]: s.after for frame in frames[1:] for s in frame.births if s.keys["server"]}
    assert len(born) == 30
    assert all(after is not None for after in born.values())


def _settled(machine, space):
    """Both ends say the same: (received, sent) bytes of the server."""
    inside = space.inside()
    return counters(machine, space.link) == [other_end(inside)] and inside[:2]


def _ended(frames):
    return {s.keys["link"] for frame in frames for batch in frame.batches for s in batch.ended}


def _final(frames):
    """The final (received, sent) bytes by link."""
    subjects = {s.sid: s for frame in frames for s in frame.births}
    found = {}
    for frame in frames:
        for batch in frame.batches:
            rows = batch.rows.get("links")
            if rows is not None and rows.final:
                for sid, values in zip(rows.sids.tolist(), rows.values.tolist(), strict=True):
                    found[subjects[sid].keys["link"]] = tuple(values[:2])
    return found


def test_a_link_taken_away_before_its_namespace_tells_both_directions(live, watch, world):
    """The host's end knows what it sent, the other end's message what that one sent."""
    (space,) = world.spaces(addresses=True)
    talk(space, 1_000_000)
    received, sent = eventually(lambda: _settled(live, space))
    ip(f"link del {space.link}")
    event = watch.wait(LinkEnded, lambda e: e.name == space.link)
    assert event.counters[:2] == (sent, received)


def test_a_namespace_taken_away_first_tells_one_direction_or_both(live, watch, world):
    """What the server received is exact; what it sent is exact or unknown, and never a wrong number."""
    (space,) = world.spaces(addresses=True)
    talk(space, 1_000_000)
    received, sent = eventually(lambda: _settled(live, space))
    world.take_away(space)
    event = watch.wait(LinkEnded, lambda e: e.name == space.link)
    assert event.counters[1] == received
    assert event.counters[0] in (ABSENT, sent)


def test_a_namespace_whose_counters_are_kept_open_is_let_go(live, watch, world):
    """The end is told, the last reading still works, and the veth is gone as soon as the server is unlisted."""
    (space,) = world.spaces()
    server = servers_of(live, [space])[space.name]
    watch.follow(server)
    text = live.nfsd(server)
    world.take_away(space)
    ended = watch.wait(ServerEnded)
    assert ended.server == server
    assert live.nfsd(server) == text
    assert counters(live, space.link) != [None]
    live.servers()
    eventually(lambda: counters(live, space.link) == [None])
    with pytest.raises(OSError, match=r"."):
        live.nfsd(server)


def test_the_counters_of_an_ended_server_stay_open_for_its_last_reading(live, world, monkeypatch):
    """A listing made between the end and the last reading does not cost it; the listing after that closes them.

    So it is with nfsd's own file, which keeps no namespace alive; here the stand-in is said to be such a file.
    """
    monkeypatch.setattr(namespaces, "COUNTER", "snmp")
    (space,) = world.spaces()
    server = servers_of(live, [space])[space.name]
    text = live.nfsd(server)
    world.take_away(space)
    live.servers()
    assert live.nfsd(server) == text
    live.servers()
    eventually(lambda: counters(live, space.link) == [None])


def test_a_pid_used_again_gives_no_counters(live):
    """The process began at another time than the server did."""
    with pytest.raises(FileNotFoundError, match="the server has ended"):
        live.nfsd(Server("1", f"{live.boot_id}/{os.getpid()}.1", pid=os.getpid()))


def test_a_namespace_that_is_no_longer_listed_has_not_ended(live, watch, world):
    """A listing may be incomplete; only the namespace's own end is told."""
    space = world.bare()
    server = servers_of(live, [space])[space.name]
    watch.follow(server)
    watch.follow()
    assert watch.watch.poll(0.1) == []
    world.take_away(space)
    assert watch.wait(ServerEnded).server == server


def test_a_name_used_again_is_another_server(live, watch, world):
    """Even under the same inode number: the old epoch has ended, and its counters are not the new one's."""
    space = world.bare()
    first = servers_of(live, [space])[space.name]
    watch.follow(first)
    world.take_away(space)
    ip(f"netns add {space.name}")
    assert watch.wait(ServerEnded).server == first
    with pytest.raises(FileNotFoundError, match="another namespace has taken its place"):
        live.nfsd(first)
    second = servers_of(live, [space])[space.name]
    assert second.epoch != first.epoch
    assert live.nfsd(second)


def test_a_link_that_comes_later_is_found(live, watch, world):
    """The namespace was listed before it had a veth: the watch tells, and the next listing has it."""
    space = world.bare()
    assert servers_of(live, [space])[space.name].link is None
    watch.follow()
    ip(f"link add {space.link} type veth peer name eth0 netns {space.name}")
    watch.wait(ServersChanged, lambda e: not e.paths)
    assert servers_of(live, [space])[space.name].link == space.link
    ip(f"link del {space.link}", f"link add {space.link} type veth peer name eth0 netns {space.name}")
    assert servers_of(live, [space])[space.name].link == space.link


def test_a_namespace_is_told_of_when_it_is_mounted(live, watch, world):
    """Its name is there before it is; the kernel tells of the mount by the mount table alone."""
    space = world.nothing()
    spaces.FOLDER.mkdir(exist_ok=True)
    Path(space.path).touch()
    watch.wait(ServersChanged, lambda e: space.path in e.paths)
    assert not servers_of(live, [space])
    assert watch.watch.poll(0.2) == []
    with sleeping("unshare", "--net") as process:
        subprocess.run(["mount", "--bind", f"/proc/{process.pid}/ns/net", space.path], check=True)
        watch.wait(ServersChanged, lambda e: space.path in e.paths)
        assert servers_of(live, [space])


def test_the_veth_to_another_namespace_is_no_link_of_the_host(live, world):
    """Two namespaces joined to each other: the host has no end of that veth, whatever its number is in there."""
    one, two = world.bare(), world.bare()
    ip(f"link add name eth0 netns {one.name} type veth peer name eth0 netns {two.name}")
    assert [s.link for s in servers_of(live, [one, two]).values()] == [None, None]


def test_no_descriptor_is_left_behind(config, world):
    """After fifty servers were found, read, followed and gone, as many are open as before."""
    machine, watch = Live(config), Watch(config.servers.exportfs)
    machine.links(), machine.servers(), machine.file("proc/stat")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(2):
        some = world.spaces(25)
        found = servers_of(machine, some)
        assert len(found) == 25
        watch.servers(found.values())
        for server in found.values():
            machine.nfsd(server)
        machine.links()
        assert len(list(Path("/proc/self/fd").iterdir())) == before + 25
        world.take_away(*some)
        ended = set()
        while len(ended) < 25:
            ended |= {e.server.name for e in watch.poll(5) if isinstance(e, ServerEnded)}
        assert not servers_of(machine, some)
        assert len(list(Path("/proc/self/fd").iterdir())) == before
    watch.close()
    machine.close()


def test_too_few_descriptors_fail_servers_one_by_one(live, world):
    """Who is open already is read on; the others fail with a sentence, and are read once there is room."""
    some = world.spaces(5)
    found = list(servers_of(live, some).values())
    live.nfsd(found[0])
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert limits[0] == limits[1]
    spare = os.open("/dev/null", os.O_RDONLY)
    os.close(spare)
    resource.setrlimit(resource.RLIMIT_NOFILE, (spare, limits[1]))
    try:
        assert live.nfsd(found[0])
        for server in found[1:]:
            with pytest.raises(OSError, match=r"too many open files .* raise LimitNOFILE") as raised:
                live.nfsd(server)
            assert raised.value.errno == errno.EMFILE
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert all(live.nfsd(server) for server in found)


def test_without_cookies_the_inode_number_is_the_identity_and_this_is_said(world, monkeypatch):
    """On kernels before 5.14 the socket option is unknown, as the one asked for here is on every kernel."""
    monkeypatch.setattr(namespaces, "_SO_NETNS_COOKIE", 9999)
    space = world.bare()
    found = {s.name: s for s in Namespaces("boot", counter="snmp").read().servers}[space.name]
    assert found.epoch == f"boot/netns {Path(space.path).stat().st_ino}"
    assert "may be used again" in found.about["identity"]


def test_a_namespace_without_the_counter_file_is_no_server(world):
    """As every namespace is where the module nfsd is not loaded; a stand-in is only taken when asked for."""
    space = world.bare()
    listing = Namespaces("boot", counter="rpc/no-such-file").read()
    assert (listing.servers, listing.complete) == ((), True)
    assert space.name in {s.name for s in Namespaces("boot", counter="snmp").read().servers}


def test_a_configured_namespace_has_the_configured_name(config, world):
    """And is not listed a second time under its own; the link is found, or the configured one."""
    one, two = world.spaces(2)
    entries = (
        StaticServer(name="nas1", namespace=one.name),
        StaticServer(name="nas2", namespace=two.path, link="other0"),
    )
    machine = Live(Config(root=config.root, node="n", servers={"counter": "snmp", "exportfs": None, "static": entries}))
    servers = {s.name: s for s in machine.servers().servers}
    assert (servers["nas1"].link, servers["nas2"].link) == (one.link, "other0")
    assert not servers.keys() & {one.name, two.name}
    assert machine.nfsd(servers["nas1"])
    machine.close()


@pytest.fixture
def container(config, world):
    """A server as osctl-exportfs makes it: an anonymous namespace, held by a process, with its pid in a file."""
    (space,) = world.spaces(addresses=True)
    with sleeping("ip", "netns", "exec", space.name) as init:
        folder = config.servers.exportfs / "servers" / "123"
        folder.mkdir(parents=True)
        (folder / "config.yml").write_text(f"---\naddress: {space.address}\nnetif: {space.link}\nexports: []\n")
        (folder / "pid").write_text(str(init.pid))
        yield space, init


def test_a_server_of_osctl_exportfs_is_found_once_and_read_by_its_pid(live, world, container):
    """Its namespace still has a name here, which loses against the state directory; then it has none."""
    space, init = container
    listing = live.servers()
    assert [s.name for s in listing.servers if s.name in ("123", space.name)] == ["123"]
    world.take_away(space)
    (server,) = [s for s in live.servers().servers if s.name == "123"]
    assert (server.pid, server.link) == (init.pid, space.link)
    assert live.nfsd(server) == Path(f"/proc/{init.pid}/net/snmp").read_bytes()


def test_the_passing_names_of_osctl_exportfs_are_no_servers(live, config, request):
    """For a moment each starting server's namespace has a name of six hexadecimal digits."""
    name = f"{os.getpid():06x}"[-6:]
    ip(f"netns add {name}")
    request.addfinalizer(lambda: ip(f"netns del {name}"))
    assert name in [s.name for s in live.servers().servers]
    config.servers.exportfs.mkdir()
    assert name not in [s.name for s in live.servers().servers]


def test_a_stop_in_osctls_order_is_told_with_the_last_bytes(live, watch, world, container):
    """The container's init dies, then the host deletes the link: both ends are told at once, with what was received."""
    space, init = container
    talk(space, 1_000_000)
    received, sent = eventually(lambda: _settled(live, space))
    world.take_away(space)
    (server,) = [s for s in live.servers().servers if s.name == "123"]
    watch.follow(server)
    init.kill()
    assert watch.wait(ServerEnded).server == server
    subprocess.run(["ip", "link", "del", space.link], check=False, stderr=subprocess.DEVNULL)
    event = watch.wait(LinkEnded, lambda e: e.name == space.link)
    assert event.counters[1] == received
    assert event.counters[0] in (ABSENT, sent)


def test_lost_link_messages_are_made_up_for(world, monkeypatch):
    """More came than the buffer holds: births and ends are found by a look at everything."""
    monkeypatch.setattr(link_events, "_BUFFER", 4096)
    one, _ = world.spaces(2)
    events = link_events.LinkEvents()
    new = world.spaces(20)
    world.take_away(one)
    eventually(lambda: one.link not in dict(map(reversed, socket.if_nameindex())))
    found = []
    for _ in range(3):
        found += events.read()
    events.close()
    assert {e.name for e in found if isinstance(e, LinkBorn)} >= {space.link for space in new}
    assert [e.name for e in found if isinstance(e, LinkEnded)] == [one.link]
    assert ServersChanged() in found


def test_a_renamed_link_is_told_and_shown_in_time(live, watch, world, monkeypatch):
    """The counters go on under their epoch; the new name is told at once."""
    (space,) = world.spaces()
    dump = live.links()
    epoch = dump.epochs[dump.names.index(space.link)]
    watch.follow()
    ip(f"link set {space.link} down", f"link set {space.link} name {space.link}r")
    assert watch.wait(LinkBorn, lambda e: e.name == f"{space.link}r")
    live._links._named_until = 0
    dump = live.links()
    assert dump.epochs[dump.names.index(f"{space.link}r")] == epoch


def test_a_dump_of_links_is_given_twice_only_while_it_is_recent(live, monkeypatch):
    """And only to who says that it need not be begun later."""
    at = live.now()
    monkeypatch.setattr(live._links, "_now", lambda: at)
    dump = live.links()
    assert dump.at == at
    at = Instant(at.wall_ns + RECENT_NS, at.boot_ns + RECENT_NS)
    assert live.links(dump.at.boot_ns - 1) is dump
    later = live.links(dump.at.boot_ns)
    assert later.at == at
    assert live.links(0) is later
    assert live.links() is not later
    latest = live.links(0)
    at = Instant(at.wall_ns, at.boot_ns + RECENT_NS + 1)
    assert live.links(0) is not latest


def test_host_files_are_read_anew_each_time(live):
    """Through a kept descriptor, whole, however many lines the kernel hands out at once."""
    first = live.file("proc/uptime")
    eventually(lambda: live.file("proc/uptime") != first)
    assert live.file("proc/net/dev").count(b":") == len(socket.if_nameindex())
    assert live.file("proc/stat").splitlines()[-1].startswith(b"softirq ")
    with pytest.raises(FileNotFoundError):
        live.file("proc/no-such-file")


def test_clocks_and_identity_are_the_machines(live):
    """Both clocks in ns, and the boot id that every epoch begins with."""
    at = live.now()
    assert abs(at.wall_ns - time.time_ns()) < 1e9
    assert abs(at.boot_ns - time.clock_gettime_ns(time.CLOCK_BOOTTIME)) < 1e9
    assert np.all([e.startswith(live.boot_id) for e in live.links().epochs])
    assert live.kernel == os.uname().release


def test_what_a_named_link_can_carry_is_what_the_kernel_says_of_it(live, world):
    """Of servers' own nothing is asked, for a veth says the same whatever it carries."""
    mine, other = world.spaces(2)
    nobody, subjects = Listing(()), itertools.count(1)
    links = Links(lambda _: next(subjects), [mine.link])
    speeds = Speeds(lambda _: next(subjects), links.uplinks)
    links.read(live, nobody)
    batch = speeds.read(live, nobody)
    assert [subject.keys["link"] for subject in batch.listed] == [mine.link]
    said = int(Path(f"/sys/class/net/{mine.link}/speed").read_text())
    assert batch.rows["speeds"].values.tolist() == [[said, 1]]
    assert other.link in live.links().names
    world.take_away(mine)
    eventually(mine.gone)
    assert asked(live, mine.link) == (None, None)
