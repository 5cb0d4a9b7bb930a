"""What each client moved over real connections into a real namespace, as the collector sees and the ledger tells it."""

import contextlib
import socket
import struct
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from journals import usage_of
from spaces import eventually

from nasacct.collect import connections, namespaces
from nasacct.collect.collector import Collector
from nasacct.collect.connections import PORT
from nasacct.collect.doctor import examine
from nasacct.collect.live import Live
from nasacct.collect.machine import Server
from nasacct.collect.process import started
from nasacct.store.ledger import Terms
from nasacct.store.schema import STREAMS

pytestmark = pytest.mark.system

SHORT, SIZE = 2000, 700
#: linux/tcp.h
TCP_REPAIR = 19


@pytest.fixture
def reading(config):
    """Collects links and clients; `frames` is what the journal would hold."""
    config = config.model_copy(update={"sources": config.sources.model_copy(update={"enabled": ("links", "clients")})})
    machine, frames = Live(config), []
    begun = machine.now()
    with Collector(config, machine, frames.append) as collector:
        yield collector, lambda stream: usage(machine, begun, frames, stream)


def usage(machine, begun, frames, stream):
    """The rows of a stream that the keeper would make."""
    return usage_of(STREAMS[stream], frames, begun, Terms(10**9), machine.boot_id)


def doubts(rows):
    """How many bytes may have been anybody's, for each time in which somebody may have come and gone unheard of."""
    return [row["received_bytes_more"] for row in rows if row["client"] is None]


def by_client(collector, rows):
    """Address -> [received, sent, by how much it may be more]."""
    ids = next(s for s in collector.sampler.sources if s.name == "clients")._ids
    told = {}
    for row in rows:
        if row["client"] is None:
            continue
        sums = told.setdefault(row["client"], [0, 0, 0])
        sums[0] += row["received_bytes"]
        sums[1] += row["sent_bytes"]
        sums[2] += row["received_bytes_more"] + row["sent_bytes_more"]
    return {address: told.get(ids(address), [0, 0, 0]) for address in CLIENTS_OF}


#: Two addresses of the host's end.
CLIENTS_OF = []


@pytest.fixture
def space(world):
    """A namespace whose host's end has a second address, so that there are two clients."""
    (made,) = world.spaces(addresses=True)
    second = f"198.19.{made.number}.1"
    subprocess.run(["ip", "address", "add", f"{second}/32", "dev", made.link], check=True)
    subprocess.run(["ip", "-n", made.name, "route", "add", f"{second}/32", "dev", "eth0"], check=True)
    CLIENTS_OF[:] = [made.host, second]
    return made


def connect(space, address):
    """A connection of this client."""
    return socket.create_connection((space.address, PORT), 30, (address, 0))


def test_every_byte_of_thousands_of_connections_is_its_clients(reading, space):
    """Long ones, short ones that nobody saw alive, of two clients at once, up to the end of the server."""
    collector, rows = reading
    truth = Counter()
    listener = namespaces.inside(space.path, lambda: socket.create_server((space.address, PORT), backlog=1024))
    # a failure ends the test, it does not hang it
    listener.settimeout(30)
    collector.tick()
    collector.tick()
    with listener, ThreadPoolExecutor(9) as pool:

        def serve(one):
            with one:
                one.settimeout(60)
                got = 0
                while data := one.recv(1 << 16):
                    got += len(data)
                one.sendall(bytes(got // 2))

        def accept():
            for _ in range(SHORT + 2):
                pool.submit(serve, listener.accept()[0])

        def ask(i):
            with connect(space, CLIENTS_OF[i % 2]) as client:
                client.sendall(bytes(SIZE + i))
                client.shutdown(socket.SHUT_WR)
                got = 0
                while data := client.recv(1 << 16):
                    got += len(data)
                # either end of a connection counts as one
                return CLIENTS_OF[i % 2], SIZE + i + 1, got + 1

        accepting = pool.submit(accept)
        long = [connect(space, address) for address in CLIENTS_OF]
        with ThreadPoolExecutor(4) as several:
            for i, (client, received, sent) in enumerate(several.map(ask, range(SHORT))):
                truth[client, 0] += received
                truth[client, 1] += sent
                if i % 300 == 0:
                    collector.tick()
        accepting.result()
        for i, one in enumerate(long):
            one.sendall(bytes(10_000 + i))
            truth[CLIENTS_OF[i], 0] += 10_000 + i

        def told():
            collector.tick()
            found = by_client(collector, rows("clients"))
            return all(tuple(found[a][:2]) == (truth[a, 0], truth[a, 1]) for a in CLIENTS_OF) and found

        found = eventually(told, within_s=90)
        assert [found[address][2] for address in CLIENTS_OF] == [0, 0]
        for one in long:
            one.close()
    assert {row["epoch"].count("/") for row in rows("clients")} == {1}
    # payload is less than what the link carried, and most of it
    link = sum(r["received_bytes"] for r in rows("links") if r["server"] == space.name)
    assert 0.5 * link < sum(truth[a, 0] for a in CLIENTS_OF) < link


@contextlib.contextmanager
def connected(space, listener, address, port=0):
    """Both ends of a connection, the server's first; at the end the client resets it."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.settimeout(30)
        client.bind((address, port))
        client.connect((space.address, PORT))
        server = listener.accept()[0]
        server.settimeout(30)
        with server:
            yield server, client
            client.close()
            # ConnectionResetError, or it is closed already
            with contextlib.suppress(OSError):
                server.recv(1)


def move(server, client, size):
    """So many bytes to the server."""
    client.sendall(bytes(size))
    left = size
    while left:
        left -= len(server.recv(left))


@pytest.fixture
def listener(space):
    """What listens in the namespace."""
    with namespaces.inside(space.path, lambda: socket.create_server((space.address, PORT), backlog=1024)) as made:
        made.settimeout(30)
        yield made


def received(collector, rows):
    """What the two clients sent, after another cycle, and by how much it may be more."""
    collector.tick()
    found = by_client(collector, rows("clients"))
    return [(found[address][0], found[address][2]) for address in CLIENTS_OF]


def test_a_port_that_is_used_again_is_another_connection(reading, space, listener):
    """The same two ends, in one cycle and over several: every life of it counts, and none twice."""
    collector, rows = reading
    collector.tick()
    collector.tick()
    total = 0
    for i in range(60):
        with connected(space, listener, CLIENTS_OF[0], 40_000) as (server, client):
            move(server, client, 500 + i)
            total += 500 + i
            if i % 7 == 0:
                collector.tick()
                move(server, client, 50)
                total += 50
    eventually(lambda: received(collector, rows) == [(total, 0), (0, 0)])


def test_many_behind_one_address_are_one_client(reading, space, listener):
    """Each has a connection of its own; some go meanwhile."""
    collector, rows = reading
    collector.tick()
    collector.tick()
    with contextlib.ExitStack() as opened:
        pairs = [opened.enter_context(connected(space, listener, CLIENTS_OF[0])) for _ in range(150)]
        with connected(space, listener, CLIENTS_OF[1]) as other:
            for i, pair in enumerate(pairs):
                move(*pair, 100 + i)
            move(*other, 77)
            total = sum(100 + i for i in range(150))
            eventually(lambda: received(collector, rows) == [(total, 0), (77, 0)])
        for pair in pairs[::2]:
            move(*pair, 1000)
    eventually(lambda: received(collector, rows) == [(total + 75_000, 0), (77, 0)])


def test_a_client_that_dies_keeps_what_arrived(reading, space, listener):
    """Nothing more is heard of it, until somebody asks its machine: what arrived by then is told to the byte."""
    collector, rows = reading
    collector.tick()
    collector.tick()
    with connected(space, listener, CLIENTS_OF[0]) as (server, client):
        move(server, client, 4000)
        eventually(lambda: received(collector, rows)[0] == (4000, 0))
        # a socket under repair closes without a word, as one whose machine has lost its power
        client.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        client.close()
        assert received(collector, rows)[0] == (4000, 0)
        assert len(listed(collector)) == 1
        server.sendall(b"are you there?")
        with pytest.raises(ConnectionResetError):
            server.recv(1)
        server.close()
        eventually(lambda: received(collector, rows)[0] == (4000, 0) and not listed(collector))


def listed(collector):
    """The connections that the source holds to live."""
    source = next(s for s in collector.sampler.sources if s.name == "clients")
    return [live for server in source._servers.values() for live in server.live.values()]


def test_where_the_kernel_had_no_room_for_ends_the_truth_is_possible(reading, space, listener, monkeypatch):
    """What is told of clients is theirs; the rest of what moved meanwhile may be anybody's, and no more is said."""
    monkeypatch.setattr(connections, "_BUFFER", 4096)
    collector, rows = reading
    collector.tick()
    collector.tick()
    before = len(doubts(rows("clients")))
    for _ in range(80):
        with connected(space, listener, CLIENTS_OF[0]) as (server, client):
            move(server, client, 900)

    def doubted():
        collector.tick()
        return len(doubts(rows("clients"))) > before

    eventually(doubted)
    ((certain, _), _) = received(collector, rows)
    more = doubts(rows("clients"))
    assert certain < 80 * 900 <= certain + sum(more)


def test_a_namespace_that_goes_is_not_kept(reading, world, space):
    """Its sockets are closed when its end is told, after a last look at its connections."""
    collector, rows = reading
    listener = namespaces.inside(space.path, lambda: socket.create_server((space.address, PORT)))
    collector.tick()
    collector.tick()
    client = socket.create_connection((space.address, PORT))
    server = listener.accept()[0]
    client.sendall(bytes(4321))
    left = 4321
    while left:
        left -= len(server.recv(left))
    subprocess.run(["ip", "netns", "del", space.name], check=True)
    collector.changed()
    for one in (client, server, listener):
        one.close()
    eventually(lambda: collector.changed() or space.gone(), within_s=20)
    assert sum(row["received_bytes"] for row in rows("clients")) == 4321
    # but for who was there before the first cycle
    assert len(doubts(rows("clients"))) <= 1


def test_a_server_that_is_known_by_its_process_is_looked_into(config, space):
    """As those of osctl-exportfs are, whose namespaces have no name; one that has ended is not taken for another."""
    child = subprocess.Popen(["ip", "netns", "exec", space.name, "sleep", "infinity"])
    machine = Live(config)
    try:
        there = f"/proc/{child.pid}/ns/net"
        eventually(lambda: Path(there).samefile(space.path))
        born = started("/proc", child.pid)
        epochs = [f"{machine.boot_id}/{child.pid}.{at}" for at in (born, born + 1)]
        alive, gone = (Server("a", epoch, child.pid, namespace=there) for epoch in epochs)
        listener = namespaces.inside(space.path, lambda: socket.create_server((space.address, PORT)))
        with listener, connect(space, CLIENTS_OF[1]), contextlib.closing(machine.connections(alive)) as watched:
            assert [one.client for one in watched.all()] == [CLIENTS_OF[1]]
        with pytest.raises(FileNotFoundError, match="the server has ended"):
            machine.connections(gone)
    finally:
        machine.close()
        child.kill()
        child.wait()


def test_doctor_says_who_is_connected(config, space):
    """Of every server where the source is on; else whether it could be."""
    listener = namespaces.inside(space.path, lambda: socket.create_server((space.address, PORT)))
    with listener, connect(space, CLIENTS_OF[0]), connect(space, CLIENTS_OF[1]), connect(space, CLIENTS_OF[1]):
        machine = Live(config)
        try:
            (off,) = (found for found in examine(config, machine) if found.name == "clients")
            on = config.model_copy(update={"sources": config.sources.model_copy(update={"enabled": ("clients",)})})
            (told,) = (found for found in examine(on, machine) if found.name == "clients")
        finally:
            machine.close()
    assert (off.state, off.mend) == ("note", "to know them, name clients in sources.enabled")
    assert off.found.startswith("not collected; a server's are listed in ")
    assert told.state == "ok"
    assert told.found.startswith("3 connections of 2 clients, listed in ")
