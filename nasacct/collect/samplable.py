"""Whether calls in flight can be sampled here, for `nasacct doctor`."""

from __future__ import annotations

import contextlib
import errno
import time
from typing import TYPE_CHECKING

from nasacct.collect import kernels
from nasacct.collect.finding import Finding
from nasacct.collect.inflight import InFlight

if TYPE_CHECKING:
    from nasacct.collect.machine import Listing, Machine
    from nasacct.config import Config


def look(config: Config, machine: Machine, listing: Listing) -> Finding:
    """Asked once, of one server, where that is safe or wanted all the same."""
    reads = {
        "reads": "nfsd's generic netlink in each server's network namespace",
        "needs": "CAP_SYS_ADMIN, to enter it",
    }
    wanted, verdict = InFlight.name in config.sources.enabled, kernels.judge(machine.kernel)
    if verdict.state != "safe" and not config.inflight.force:
        told = f"not sampled on this kernel: {verdict.why}"
        mend = "boot a kernel that is known to be safe (docs/operations.md)" if wanted else ""
        return Finding("source", "inflight", "missing" if wanted else "note", told, mend, **reads)
    told = verdict.why if verdict.state == "safe" else f"forced by the configuration, although {verdict.why}"
    for server in listing.servers:
        began = time.thread_time_ns()
        try:
            with contextlib.closing(machine.calls_in_flight(server)) as status:
                calls = len(status.calls())
        except OSError as error:
            if error.errno == errno.ENODEV:
                # no nfsd is up in that namespace
                continue
            told += f"; {server.name}: {error.strerror or error}"
            mend = "run it as root, on a kernel with the module nfsd loaded"
            return Finding("source", "inflight", "missing" if wanted else "note", told, mend if wanted else "", **reads)
        took_us = (time.thread_time_ns() - began) / 1000
        told += f"; {server.name} has {calls} calls in flight, asked in {took_us:.3g} CPU-us"
        break
    if not wanted:
        mend = "to know who waits inside nfsd, name inflight in sources.enabled"
        return Finding("source", "inflight", "note", f"not sampled; {told}", mend, **reads)
    return Finding("source", "inflight", "note" if verdict.state != "safe" else "ok", told, **reads)
