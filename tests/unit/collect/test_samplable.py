"""Doctor says whether calls in flight can be sampled, and asks for them only where that does no harm."""

import errno

import pytest

from nasacct.collect.machine import Listing, Server
from nasacct.collect.samplable import look
from nasacct.config import Config

SAFE, UNSAFE, NEW = "6.12.117", "6.12.95", "7.4.1"


class Nas:
    """Two servers: in the namespace of the first one no nfsd is up."""

    def __init__(self, kernel, error=None):
        self.kernel, self.error, self.asked = kernel, error, []

    def calls_in_flight(self, server):
        if self.error is not None:
            raise self.error
        self.asked.append(server.name)
        self.server = server
        return self

    def calls(self):
        if self.server.name == "down":
            raise OSError(errno.ENODEV, "No such device")
        return [None] * 3

    def close(self):
        self.asked.append("closed")


LISTING = Listing((Server("down", "boot/1"), Server("up", "boot/2")))


def told(kernel, *, wanted, force=False, error=None):
    enabled = ["nfsd", *(["inflight"] if wanted else [])]
    config = Config.model_validate({"sources": {"enabled": enabled}, "inflight": {"force": force}})
    nas = Nas(kernel, error)
    return look(config, nas, LISTING), nas.asked


@pytest.mark.parametrize(("wanted", "state"), [(True, "ok"), (False, "note")])
def test_on_a_safe_kernel_one_server_is_asked(wanted, state):
    """The first one with an nfsd; its sockets are closed."""
    found, asked = told(SAFE, wanted=wanted)
    assert (found.state, asked) == (state, ["down", "closed", "up", "closed"])
    assert "up has 3 calls in flight" in found.found
    assert bool(found.mend) != wanted


@pytest.mark.parametrize("kernel", [UNSAFE, NEW])
def test_on_another_kernel_nobody_is_asked(kernel):
    """Missing when it is wanted, worth knowing when not; the reason is said."""
    for wanted, state in ((True, "missing"), (False, "note")):
        found, asked = told(kernel, wanted=wanted)
        assert (found.state, asked) == (state, [])
        assert kernel.rpartition(".")[0] in found.found
        assert bool(found.mend) == wanted


def test_the_configuration_may_force_it():
    """And is reminded of what it does."""
    found, asked = told(UNSAFE, wanted=True, force=True)
    assert (found.state, "up" in asked) == ("note", True)
    assert "forced by the configuration, although" in found.found


def test_what_is_in_the_way_is_named():
    """With the server, and the mend."""
    found, _ = told(SAFE, wanted=True, error=PermissionError(errno.EPERM, "Operation not permitted"))
    assert (found.state, "root" in found.mend) == ("missing", True)
    assert "down: Operation not permitted" in found.found
    found, _ = told(SAFE, wanted=False, error=PermissionError(errno.EPERM, "Operation not permitted"))
    assert (found.state, found.mend) == ("note", "")
