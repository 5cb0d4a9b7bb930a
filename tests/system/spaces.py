"""Real network namespaces with veths, whose names carry the test process's pid so that they are surely removed."""

import contextlib
import itertools
import os
import re
import socket
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from nasacct.collect import namespaces

FOLDER = Path(namespaces.FOLDER)
_OWN = re.compile(r"na(\d+)[nv]\d+")


def ip(*commands):
    """Run commands of iproute2, all in one go."""
    text = "".join(f"{command}\n" for command in commands)
    done = subprocess.run(["ip", "-batch", "-"], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stderr}\n{text}"


def eventually(condition, within_s=10):
    """Ask again until the condition holds; its value."""
    until = time.monotonic() + within_s
    while not (value := condition()):
        if time.monotonic() > until:
            pytest.fail(f"not within {within_s} s: {condition.__doc__ or condition}")
        time.sleep(0.005)
    return value


def talk(space, size):
    """Move `size` bytes of payload by TCP from the host into the namespace, and half as many back."""

    def listen():
        return socket.create_server((space.address, 4000))

    with namespaces.inside(space.path, listen) as server:

        def serve():
            with server.accept()[0] as peer:
                left = size
                while left:
                    left -= len(peer.recv(min(left, 1 << 16)))
                peer.sendall(bytes(size // 2))

        thread = threading.Thread(target=serve)
        thread.start()
        with socket.create_connection((space.address, 4000)) as client:
            client.sendall(bytes(size))
            left = size // 2
            while left:
                left -= len(client.recv(min(left, 1 << 16)))
        thread.join()


@dataclass(frozen=True)
class Space:
    """A namespace with a veth: `link` is the host's end, eth0 the one inside."""

    name: str
    link: str
    number: int

    @property
    def path(self):
        return str(FOLDER / self.name)

    @property
    def host(self):
        """The address of the host's end."""
        return f"198.18.{self.number // 64}.{self.number % 64 * 4 + 1}"

    @property
    def address(self):
        """The address inside."""
        return f"198.18.{self.number // 64}.{self.number % 64 * 4 + 2}"

    def inside(self):
        """What eth0 inside says in /proc/net/dev: (received bytes, sent bytes, received packets, sent packets)."""

        def read():
            for line in Path("/proc/thread-self/net/dev").read_text().splitlines():
                name, _, numbers = line.partition(":")
                if name.strip() == "eth0":
                    words = numbers.split()
                    return int(words[0]), int(words[8]), int(words[1]), int(words[9])
            return None

        return namespaces.inside(self.path, read)

    def host_view(self):
        """(received bytes, sent bytes) of the server, as the host's end has them."""
        statistics = Path("/sys/class/net", self.link, "statistics")
        return tuple(int((statistics / name).read_text()) for name in ("tx_bytes", "rx_bytes"))

    def gone(self):
        """Whether the host's end is there no more."""
        return not Path("/sys/class/net", self.link).exists()


class World:
    """Makes namespaces and takes them away."""

    def __init__(self):
        self.prefix = f"na{os.getpid()}"
        self._numbers = itertools.count(1)

    def spaces(self, count=1, *, addresses=False):
        """So many namespaces with a veth each, up at both ends, in one run of ip(8)."""
        made = [self.nothing() for _ in range(count)]
        self.make(*made, addresses=addresses)
        return made

    def make(self, *made, addresses=False):
        """Make namespaces of these names."""
        ip(*(f"netns add {s.name}" for s in made))
        for space in made:
            namespaces.inside(space.path, _without_ipv6)
        ip(*(f"link add {s.link} type veth peer name eth0 netns {s.name}" for s in made))
        for space in made:
            Path(f"/proc/sys/net/ipv6/conf/{space.link}/disable_ipv6").write_text("1")
        ip(*(f"link set {s.link} up" for s in made))
        for space in made:
            subprocess.run(["ip", "-n", space.name, "link", "set", "eth0", "up"], check=True)
        if addresses:
            for space in made:
                ip(f"address add {space.host}/30 dev {space.link}")
                subprocess.run(
                    ["ip", "-n", space.name, "address", "add", f"{space.address}/30", "dev", "eth0"], check=True
                )

    def nothing(self):
        """Names for a namespace that is not made."""
        number = next(self._numbers)
        return Space(f"{self.prefix}n{number}", f"{self.prefix}v{number}", number)

    def bare(self):
        """A namespace without any interface but its own loopback."""
        space = self.nothing()
        ip(f"netns add {space.name}")
        return space

    def take_away(self, *spaces):
        """Remove the namespaces, and with them the veths, as soon as nobody keeps them alive."""
        ip(*(f"netns del {s.name}" for s in spaces))

    def close(self):
        _remove(self.prefix)


def _without_ipv6():
    for which in ("default", "all"):
        with contextlib.suppress(FileNotFoundError):
            Path(f"/proc/sys/net/ipv6/conf/{which}/disable_ipv6").write_text("1")


def _remove(prefix):
    """Remove every namespace and every interface with this beginning."""
    for link in Path("/sys/class/net").iterdir():
        if link.name.startswith(prefix):
            subprocess.run(["ip", "link", "del", link.name], check=False, stderr=subprocess.DEVNULL)
    for path in FOLDER.iterdir() if FOLDER.is_dir() else ():
        if path.name.startswith(prefix):
            subprocess.run(["ip", "netns", "del", path.name], check=False, stderr=subprocess.DEVNULL)


def remove_leftovers():
    """Of test processes that were killed."""
    folders = [folder for folder in (Path("/sys/class/net"), FOLDER) if folder.is_dir()]
    names = [path.name for folder in folders for path in folder.iterdir()]
    for match in filter(None, map(_OWN.fullmatch, names)):
        if not Path(f"/proc/{match[1]}").exists():
            _remove(f"na{match[1]}")
