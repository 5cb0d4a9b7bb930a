"""The kernel's answers about calls in flight in real namespaces, with and without the module nfsd."""

import errno
import os
from pathlib import Path

import pytest
from spaces import eventually

from nasacct.collect import kernels, namespaces
from nasacct.collect.rpc_status import RpcStatus

pytestmark = pytest.mark.system


def sockets():
    """How many sockets this process has open."""
    links = []
    for fd in Path("/proc/self/fd").iterdir():
        try:
            links.append(str(fd.readlink()))
        except FileNotFoundError:
            continue
    return sum(link.startswith("socket:") for link in links)


def test_where_no_nfsd_is_the_kernel_says_so_and_nothing_is_kept(world):
    """ENOENT without the module; ENODEV with it, of a namespace in which no server is up, where asking is safe."""
    (space,) = world.spaces()
    before = sockets()
    try:
        status = namespaces.inside(space.path, RpcStatus)
    except OSError as error:
        assert error.errno == errno.ENOENT  # noqa: PT017  which it is depends on the kernel
    else:
        if kernels.judge(os.uname().release).state == "safe":
            with pytest.raises(OSError, match="No such device"):
                status.calls()
            assert status.threads() == 0
        status.close()
    assert sockets() == before


def test_a_socket_that_is_closed_lets_its_namespace_go(world, monkeypatch):
    """It keeps it alive as long as it is open, whatever the family is."""
    # a family that every kernel has stands in for nfsd's
    monkeypatch.setattr("nasacct.collect.rpc_status.FAMILY", "nlctrl")
    (space,) = world.spaces()
    status = namespaces.inside(space.path, RpcStatus)
    world.take_away(space)
    assert not space.gone()
    status.close()
    eventually(space.gone)
