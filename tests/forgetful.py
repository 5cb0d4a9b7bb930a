"""A store of two members, of whom one is to be forgotten, with what the clients of each of their VPSes moved."""

import hashlib
from datetime import UTC, datetime

from journals import Recorder

from nasacct.store.inventory import EVER, Statement

START = datetime(2026, 11, 23, 10, tzinfo=UTC)
#: Addresses of which none is a part of another one.
ADDRESSES = ("192.0.2.101", "192.0.2.102", "198.51.100.203", "2001:db8:aaaa::5", "2001:db8:bbbb::6")
MEASURES = ("received_bytes", "sent_bytes")


def id_of(address):
    """Something like what the collector calls an address."""
    return hashlib.sha256(address.encode()).hexdigest()[:16]


def record(where, minutes=75, clients=ADDRESSES, start=START):
    """Two servers; over the first, clients by turns; each has a connection that ends and another one that stays."""
    recorder = Recorder(where, start=start.isoformat(), interval_s=60)
    links = {name: recorder.thing("links", server=name, link=f"v{name}") for name in ("101", "102")}
    stays, ends = (
        [recorder.thing("clients", f"boot/101/{what}{n}", server="101", client=id_of(a)) for n, a in enumerate(clients)]
        for what in "se"
    )
    waits = [
        recorder.thing("inflight", f"boot/101/w{n}", server="101", client=id_of(a), operation="READ")
        for n, a in enumerate(clients)
    ]
    for each in (stays, ends, waits):
        for thing, address in zip(each, clients, strict=True):
            thing.about = {"address": address}
    for i in range(minutes):
        if i and i % 15 == 0:
            recorder.rotate()
        read = {link: dict.fromkeys(MEASURES, 70_000 * i) for link in links.values()}
        read |= {t: dict.fromkeys(MEASURES, 1000 * (n + 1) * i) for n, t in enumerate(stays)}
        read |= {t: {"in_flight_us": 50 * i, "sampled_calls": i} for t in waits}
        if i < minutes - 20:
            read |= {t: dict.fromkeys(MEASURES, 10 * (n + 1) * i) for n, t in enumerate(ends)}
        recorder.cycle(read, sources=["clients"])
    return recorder


def told(at, kind, thing, **properties):
    """A statement of that moment, `at` hours after the start; None: for ever."""
    moment = EVER[0] if at is None else int(START.timestamp() + at * 3600) * 1_000_000
    return Statement(kind, thing, moment, properties or None, int(START.timestamp()))


#: Two members with a name, an export and a VPS each, with addresses of their own.
PLAIN = [
    told(None, "member", "1001", name="Aurelia Exampleova"),
    told(None, "member", "1002", name="Boris Examplecky"),
    told(None, "vps", "21", name="aurelias-machine", member="1001"),
    told(None, "vps", "22", name="boriss-machine", member="1002"),
    told(None, "address", "192.0.2.101/32", vps="21"),
    told(None, "address", "2001:db8:aaaa::/64", vps="21"),
    told(None, "address", "192.0.2.102/32", vps="22"),
    told(None, "export", "7", server="101", dataset="tank/aurelia", member="1001"),
    told(None, "export", "8", server="102", dataset="tank/boris", member="1002"),
    told(None, "dataset", "nas1/11", name="pool/tank/aurelia"),
    told(None, "dataset", "nas1/12", name="pool/tank/aurelia/below"),
    told(None, "dataset", "nas1/13", name="pool/tank/boris"),
    told(None, "dataset", "14", name="tank/aurelia/more", member="1001"),
]
NAMES = ("Aurelia", "aurelias", "tank/aurelia")
