"""The servers of the bench: named network namespaces, each with a veth to the host.

The "host" is a network namespace of the bench's own, and the names lie on a tmpfs that only the bench's mount
namespace has. So nothing needs to be removed: the kernel does it when the last process of the bench has ended.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import struct
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from nasacct.collect.namespaces import FOLDER, inside

_NFSD, _STAND_IN = "rpc/nfsd", "snmp"
_CLONE_NEWNS, _CLONE_NEWNET = 0x00020000, 0x40000000
_MS_REC, _MS_PRIVATE, _MS_SHARED = 0x4000, 0x40000, 0x100000
_RTM_NEWLINK, _NLM_F_REQUEST, _IFF_UP, _IFLA_IFNAME = 16, 1, 1, 3
#: The server's end of its veth, and the sysctl that keeps the kernel from sending router solicitations through it.
_INNER = "eth0"
_NO_IPV6 = "/proc/sys/net/ipv6/conf/{}/disable_ipv6"


@dataclass(frozen=True, slots=True)
class Fleet:
    """The servers' names, the host's ends of their veths in the same order, and how long making them took (s)."""

    names: list[str]
    links: list[str]
    took_s: float


def isolate() -> None:
    """Move this process to namespaces of its own, with a loopback. Raises OSError; not root: PermissionError.

    Must be called before any thread is started.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    _checked(libc.unshare(_CLONE_NEWNS | _CLONE_NEWNET), "unshare")
    _checked(libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None), "making / private")
    _checked(libc.mount(b"tmpfs", b"/run", b"tmpfs", 0, None), "mounting /run")
    # /sys/class/net shows the namespace in which it was mounted
    _checked(libc.mount(b"sysfs", b"/sys", b"sysfs", 0, None), "mounting /sys")
    # as systemd has it on every host: what `ip netns` mounts is then mounted twice
    _checked(libc.mount(b"none", b"/", None, _MS_REC | _MS_SHARED, None), "making / shared")
    _quiet()
    _up("lo")


def make(count: int) -> Fleet:
    """Make the servers. Raises OSError or subprocess.CalledProcessError."""
    began = time.monotonic()
    names = [f"s{i:05d}" for i in range(count)]
    links = [f"nfs-{name}" for name in names]
    lines = []
    for name, link in zip(names, links, strict=True):
        lines += [
            f"netns add {name}",
            f"link add {link} type veth peer name {_INNER} netns {name}",
            f"link set {link} up",
        ]
    subprocess.run(["ip", "-batch", "-"], input="\n".join(lines), text=True, check=True)
    for name in names:
        inside(f"{FOLDER}/{name}", _bring_up)
    return Fleet(names, links, time.monotonic() - began)


def counter() -> str:
    """What is read of each namespace below /proc/net: where the kernel has no nfsd, something as long."""
    return _NFSD if Path("/proc/net", _NFSD).exists() else _STAND_IN


def _bring_up() -> None:
    _quiet()
    _up("lo")
    _up(_INNER)


def _quiet() -> None:
    for which in ("all", "default"):
        with contextlib.suppress(FileNotFoundError):
            # /proc/sys/net is that of the calling thread's namespace
            Path(_NO_IPV6.format(which)).write_text("1", encoding="ascii")


def _up(name: str) -> None:
    """Set an interface of the calling thread's namespace up."""
    text = name.encode() + b"\0"
    attribute = struct.pack("=HH", 4 + len(text), _IFLA_IFNAME) + text.ljust((len(text) + 3) & ~3, b"\0")
    body = struct.pack("=BxHiII", socket.AF_UNSPEC, 0, 0, _IFF_UP, _IFF_UP) + attribute
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as sock:
        sock.send(struct.pack("=IHHII", 16 + len(body), _RTM_NEWLINK, _NLM_F_REQUEST, 1, 0) + body)


def _checked(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
