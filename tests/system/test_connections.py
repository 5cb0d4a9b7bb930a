"""Real TCP connections into real namespaces: to the byte per connection, also of those that nobody saw alive."""

import socket
import struct
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from spaces import eventually

from nasacct.collect import connections, namespaces
from nasacct.collect.connections import PORT, Connections

pytestmark = pytest.mark.system


@pytest.fixture
def space(world):
    """A namespace with an address, and what listens there."""
    (made,) = world.spaces(addresses=True)
    return made


@pytest.fixture
def watched(space):
    """The connections of the namespace."""
    found = namespaces.inside(space.path, Connections)
    yield found
    found.close()


def listening(space, family=socket.AF_INET, address=None):
    """A listener inside, as rpc.nfsd makes one; connections that it accepts tell their ends."""
    return namespaces.inside(
        space.path, lambda: socket.create_server((address or space.address, PORT), family=family, backlog=1024)
    )


def exchange(server, client, up, down):
    """So many bytes up and down one connection."""
    client.sendall(bytes(up))
    left = up
    while left:
        left -= len(server.recv(min(left, 1 << 16)))
    server.sendall(bytes(down))
    left = down
    while left:
        left -= len(client.recv(min(left, 1 << 16)))


def come_and_go(space, listener):
    """A connection that the client ends in order."""
    client = socket.create_connection((space.address, PORT))
    server = listener.accept()[0]
    client.close()
    server.recv(1)
    server.close()


def moved(connection):
    """What the server received and sent."""
    return connection.received, connection.sent


def test_each_connection_has_its_own_bytes(space, watched):
    """Listed at once, then asked for one by one; its client and its cookie stay the same."""
    with listening(space) as listener:
        pairs = []
        for i in range(3):
            client = socket.create_connection((space.address, PORT))
            pairs.append((listener.accept()[0], client))
            exchange(*pairs[-1], 1000 + i, 5000 + i)
        # what is sent counts when it is acknowledged
        eventually(lambda: sum(c.sent for c in watched.all()) == 15_003)
        found = watched.all()
        assert sorted(map(moved, found)) == [(1000, 5000), (1001, 5001), (1002, 5002)]
        assert {c.client for c in found} == {space.host}
        assert len({c.cookie for c in found}) == 3
        exchange(*pairs[0], 77, 0)
        first = next(c for c in found if c.received == 1000)
        again = watched.again(first)
        assert (moved(again), again.cookie) == ((1077, 5000), first.cookie)
        assert again.rtt_us > 0
        for pair in pairs:
            for end in pair:
                end.close()


def test_both_families_are_listed_at_once(space, watched):
    """A client that came by IPv4 to a listener of both has its own address, not the mapped one."""
    subprocess.run(["ip", "-n", space.name, "link", "set", "lo", "up"], check=True)

    def both():
        Path("/proc/sys/net/ipv6/conf/lo/disable_ipv6").write_text("0\n")
        made = socket.create_server(("::", PORT), family=socket.AF_INET6, dualstack_ipv6=True)
        return made, socket.create_connection(("::1", PORT))

    listener, client = namespaces.inside(space.path, both)
    other = socket.create_connection((space.address, PORT))
    with listener, client, other:
        servers = [listener.accept()[0] for _ in range(2)]
        client.sendall(bytes(66))
        other.sendall(bytes(44))
        eventually(lambda: {c.received for c in watched.all()} == {66, 44})
        assert {c.client: c.received for c in watched.all()} == {"::1": 66, space.host: 44}
        for known in watched.all():
            assert watched.again(known).received == known.received
        for server in servers:
            server.close()


#: How a connection ends, and what was received and sent then: its end in order is one more in a direction. Whether the
#: client's end is still counted when the server was the first depends on who is faster.
ENDS = {
    "the client closes": {(124, 457)},
    "the server closes": {(123, 457), (124, 457)},
    "the client resets": {(123, 456)},
}


@pytest.mark.parametrize("how", ENDS)
def test_the_last_bytes_are_told(space, watched, how):
    """However a connection ends, and only once."""
    with listening(space) as listener:
        client = socket.create_connection((space.address, PORT))
        server = listener.accept()[0]
        exchange(server, client, 123, 456)
        eventually(lambda: [moved(c) for c in watched.all()] == [(123, 456)])
        (known,) = watched.all()
        first, second = (server, client) if how == "the server closes" else (client, server)
        if how == "the client resets":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        first.close()
        eventually(lambda: not second.recv(1) if how != "the client resets" else not watched.all())
        second.close()
        ended = []
        eventually(lambda: ended.extend(watched.ended()[0]) or ended)
        assert [c.cookie for c in ended] == [known.cookie]
        assert moved(ended[0]) in ENDS[how]
        assert watched.again(known) is None
        assert watched.ended() == ([], False)


def test_thousands_that_nobody_saw_alive_are_exact(space, watched):
    """Opened and closed between two looks, from several clients at once: every byte is in a last word."""
    count, size = 3000, 1000
    with listening(space) as listener, ThreadPoolExecutor(8) as pool:

        def serve():
            for i in range(count):
                with listener.accept()[0] as server:
                    while server.recv(1 << 16):
                        pass
                if i % 50 == 0:
                    collect()

        ended, lost = [], []

        def collect():
            some, more = watched.ended()
            ended.extend(some)
            lost.append(more)

        def ask(i):
            with socket.create_connection((space.address, PORT)) as client:
                client.sendall(bytes(size + i % 7))

        serving = pool.submit(serve)
        for _ in pool.map(ask, range(count)):
            pass
        serving.result()
        eventually(lambda: collect() or len(ended) >= count)
    assert not any(lost)
    assert len({c.cookie for c in ended}) == count
    # the client's end counts as one
    assert Counter(c.received for c in ended) == Counter(size + i % 7 + 1 for i in range(count))


def test_ends_for_which_there_was_no_room_are_noticed(space, watched, monkeypatch):
    """The kernel says that some were lost; whoever reads is told, once."""
    monkeypatch.setattr(connections, "_BUFFER", 4096)
    small = namespaces.inside(space.path, Connections)
    with listening(space) as listener:
        for _ in range(60):
            come_and_go(space, listener)
    ended = []
    eventually(lambda: ended.extend(watched.ended()[0]) or len(ended) == 60)
    found, lost = small.ended()
    assert lost
    assert len(found) < 60
    assert small.ended() == ([], False)
    small.close()


def test_a_look_amid_ends_loses_none_of_them(space, watched):
    """Notices that come before or among the answers are kept."""
    with listening(space) as listener:
        come_and_go(space, listener)
        # every look may take in a notice
        ended = []
        eventually(lambda: watched.all() == [] and (ended.extend(watched.ended()[0]) or ended))
        assert len(ended) == 1
