"""A store that grows, and what is asked of it and its copy."""

import time

from journals import Recorder

from nasacct.store.expiry import Rules
from nasacct.store.keep import keep
from nasacct.store.pulling.remote import store_file
from nasacct.store.tree import Tree
from nasacct.store.warehouse import Warehouse

DAYS = {"readings": 40, "usage": 400}
#: Nothing that is replaced is deleted, or all of it at once.
KEPT = Rules(DAYS, grace_s=1e12)
AT_ONCE = Rules(DAYS, grace_s=-1e12)
START = "2026-10-05T10:00:00+00:00"
NFSD = "SELECT max(epoch_us(t1))::BIGINT AS until, sum(read_bytes)::BIGINT AS m FROM nfsd"


class Source:
    """A store with one node, in which every minute two servers read 1000 bytes each."""

    def __init__(self, root, node="nas1", start=START):
        self.recorder = Recorder(root, node=node, start=start, interval_s=60)
        self.root, self.tree = root, Tree(root, node)
        self.servers = [self.recorder.thing("nfsd", server=f"srv{i}") for i in range(2)]
        self.links = [self.recorder.thing("links", server=f"srv{i}", link=f"veth{i}") for i in range(2)]
        self.cycles = 0

    def run(self, cycles, every=15):
        """Write so many cycles, a journal file every 15 of them."""
        for _ in range(cycles):
            if self.cycles % every == 0:
                self.recorder.rotate()
            n = self.cycles * 1000
            self.recorder.cycle(
                {s: {"read_bytes": n} for s in self.servers} | {s: {"received_bytes": n} for s in self.links}
            )
            self.cycles += 1
        return self

    def keep(self, rules=KEPT):
        """What the keeper does at the recorder's present moment."""
        assert keep(self.tree, time.time(), rules) == 0
        return self

    @property
    def truth(self):
        """Up to when data reaches, and how much was read, in all."""
        return self.recorder.now.wall_ns // 1000, 2000 * (self.cycles - 1)


def files(root):
    """The files of a store that a copy has, with their content."""
    found = {}
    for path in root.rglob("*"):
        name = str(path.relative_to(root))
        if path.is_file() and store_file(name):
            found[name] = path.read_bytes()
    return found


def summed(warehouse):
    """The same sum, of days' rollups and what is not in them yet."""
    (row,) = warehouse.query("SELECT sum(read_bytes)::BIGINT AS m FROM nfsd_1d", views=["nfsd_1d"]).to_pylist()
    return row["m"]


def asked(root, **more):
    """What the store answers: up to when, how much."""
    (row,) = Warehouse(root, **more).query(NFSD, views=["nfsd"]).to_pylist()
    return row["until"], row["m"]
