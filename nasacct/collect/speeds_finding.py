"""Whether it can be told when a link of this machine is full, for `nasacct doctor`."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from nasacct.collect.finding import Finding
from nasacct.collect.links import Links
from nasacct.collect.speeds import PACE_S, Speeds, asked
from nasacct.units import in_bits_per_s, in_duration

if TYPE_CHECKING:
    from nasacct.collect.machine import Listing, Machine
    from nasacct.config import Config


def look(config: Config, machine: Machine, listing: Listing) -> Finding:
    """Every link that would be recorded is asked once."""
    reads = {"reads": f"/sys/class/net/<link>/speed, every {in_duration(PACE_S)}", "needs": "none"}
    numbers = itertools.count(1)
    links = Links(lambda _subject: next(numbers), config.links.uplinks)
    try:
        links.read(machine, listing)
    except OSError as error:
        return Finding("source", Speeds.name, "missing", f"not readable: {error.strerror}", "allow AF_NETLINK", **reads)
    speeds = {name: asked(machine, name)[0] for name in sorted(links.uplinks())}
    told = ", ".join(
        f"{name} {'unknown' if mbit_s is None else in_bits_per_s(mbit_s * 1e6)}" for name, mbit_s in speeds.items()
    )
    if Speeds.name not in config.sources.enabled:
        mend = "to know when one is full, name speeds in sources.enabled"
        return Finding("source", Speeds.name, "note", f"not collected; {told or 'no link'}", mend, **reads)
    if not speeds:
        mend = "name the interface that members come through in links.uplinks"
        return Finding("source", Speeds.name, "note", "no link with hardware behind it is seen", mend, **reads)
    if None in speeds.values():
        mend = "a virtual machine's card has the speed that is set: ethtool -s LINK speed 10000 duplex full"
        return Finding("source", Speeds.name, "note", told, mend, **reads)
    return Finding("source", Speeds.name, "ok", told, **reads)
