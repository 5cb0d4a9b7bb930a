"""Servers over whose links nothing has gone are not read, and nothing is told too early, too late or of nobody."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.collect.test_nfsd import nfsd_text

from nasacct.collect.machine import RECENT_NS, LinkCounters, Listing, Server
from nasacct.collect.nfsd import Nfsd
from nasacct.collect.nfsd_files import LEAST_OFTEN_S
from nasacct.collect.procs import Procs
from nasacct.store.frame import Instant
from nasacct.store.schema import NFSD, PROCS

SECOND, MS = 1_000_000_000, 1_000_000


class Nas:
    """Servers that count calls, each of which goes over its link; dumps of links take no time, and may be shared."""

    node, boot_id, kernel = "n", "boot", "6.12.117"

    def __init__(self, count=3):
        self.ns = 1_000 * SECOND
        self.calls = {f"s{n}": 0 for n in range(count)}
        self.links_moved = dict.fromkeys(self.calls, 0)
        self.epochs = {name: f"boot/if{n}" for n, name in enumerate(self.calls)}
        self.reads, self.dump, self.blind = [], None, False
        #: whom somebody calls after a file was read, and before the next one is
        self.meanwhile = []
        #: of a server, when each of its calls came
        self.when = {name: [] for name in self.calls}

    def listing(self):
        return Listing(tuple(Server(name, f"boot/{name}", link=f"nfs-{name}") for name in self.calls))

    def call(self, name, *, link=True):
        self.ns += 1000
        self.calls[name] += 1
        self.links_moved[name] += 200 * link
        self.when[name].append(self.ns)

    def now(self):
        self.ns += 1000
        return Instant(self.ns, self.ns)

    def links(self, since_ns=None):
        if self.blind:
            raise OSError(1, "Operation not permitted")
        at = self.now()
        if since_ns is not None and self.dump is not None and self.dump.recent(since_ns, at):
            return self.dump
        values = np.zeros((len(self.calls), 8), np.int64)
        values[:, 0] = list(self.links_moved.values())
        self.dump = LinkCounters(at, [f"nfs-{n}" for n in self.calls], list(self.epochs.values()), values)
        return self.dump

    def nfsd(self, server):
        self.ns += 1000
        self.reads.append(server.name)
        text = nfsd_text(self.calls[server.name], procs=4 + sum(self.calls.values())).encode()
        if self.meanwhile:
            self.call(self.meanwhile.pop())
        return text

    def file(self, path):
        raise FileNotFoundError(2, "No such file or directory", path)


@pytest.fixture
def nas():
    return Nas()


def source(admit):
    """As soon as this kernel is known: its files count servers by themselves, procedures the whole host."""
    made = Nfsd(admit, idle=True)
    for group in made.semantics.verdicts:
        made.semantics.verdicts[group] = "host" if group in {"procs", "th"} else "server"
    return made


def told(batch):
    """What is told of servers, by name."""
    rows = batch.rows.get("nfsd")
    by_sid = {s.sid: s.keys["server"] for s in batch.listed}
    if rows is None:
        return {}
    return {
        by_sid[sid]: row[NFSD.index["rc_nocache"]]
        for sid, row in zip(rows.sids.tolist(), rows.values.tolist(), strict=True)
    }


def test_who_is_idle_is_not_read_again_and_is_no_failure(nas, admit):
    """But for the last one; whose link has moved is."""
    nfsd = source(admit)
    assert told(nfsd.read(nas, nas.listing())) == {"s0": 0, "s1": 0, "s2": 0}
    nas.reads.clear()
    nas.ns += 10 * SECOND
    nas.call("s1")
    batch = nfsd.read(nas, nas.listing())
    assert nas.reads == ["s1", "s2"]
    assert told(batch) == {"s1": 1}
    assert (len(batch.listed), batch.failed, batch.complete) == (3, {}, True)


def test_everybody_is_read_after_some_time(nas, admit):
    """Who is asked in a way that passes no link, too; not all in one cycle."""
    nas = Nas(40)
    nfsd = source(admit)
    nfsd.read(nas, nas.listing())
    nas.call("s7", link=False)
    most = 0
    read, found = set(), {}
    for _ in range(2 * LEAST_OFTEN_S // 10):
        nas.reads.clear()
        nas.ns += 10 * SECOND
        found |= told(nfsd.read(nas, nas.listing()))
        read |= set(nas.reads)
        most = max(most, len(nas.reads))
    assert read == set(nas.calls)
    assert found["s7"] == 1
    assert most < 20


@pytest.mark.parametrize("how", ["another link of that name", "no link is known", "no dump"])
def test_where_links_tell_nothing_all_are_read(nas, admit, how):
    """Nothing is concluded from what is not known."""
    nfsd = source(admit)
    nas.blind = how == "no dump"
    if how == "no link is known":
        nas.listing = lambda: Listing(tuple(Server(name, f"boot/{name}") for name in nas.calls))
    nfsd.read(nas, nas.listing())
    nas.reads.clear()
    nas.ns += 10 * SECOND
    if how == "another link of that name":
        nas.epochs["s0"] = "boot/if99"
    nfsd.read(nas, nas.listing())
    assert nas.reads == (["s0", "s2"] if how == "another link of that name" else ["s0", "s1", "s2"])


def test_before_a_kernel_is_known_all_are_read(nas, admit):
    """Files that may count the whole host move without their servers' links."""
    nfsd = Nfsd(admit, idle=True)
    nfsd.read(nas, nas.listing())
    nas.reads.clear()
    nas.ns += 10 * SECOND
    nfsd.read(nas, nas.listing())
    assert nas.reads == ["s0", "s1", "s2"]


def test_what_counts_the_whole_host_is_never_of_an_old_text(nas, admit):
    """Procedures are those of a file that was read in this cycle."""
    nfsd = source(admit)
    procs = Procs(nfsd, admit)
    at = PROCS.index["proc4_compound"]
    for number in range(1, 4):
        nas.ns += 10 * SECOND
        nas.call("s1")
        nfsd.read(nas, nas.listing())
        (row,) = procs.read(nas, nas.listing()).rows["procs"].values.tolist()
        assert row[at] == number


def test_a_last_reading_is_of_the_file(nas, admit):
    """Not of the text that was kept."""
    nfsd = source(admit)
    nfsd.read(nas, nas.listing())
    nas.ns += 10 * SECOND
    nfsd.read(nas, nas.listing())
    nas.call("s0", link=False)
    final = nfsd.final(nas, nas.listing().servers[0])
    assert final.rows["nfsd"].values[0, NFSD.index["rc_nocache"]] == 1


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("call"), st.sampled_from(["s0", "s1", "s2"])),
        st.tuples(st.just("dump")),
        st.tuples(st.just("wait"), st.integers(0, 3 * RECENT_NS // MS)),
        st.tuples(st.just("read"), st.lists(st.sampled_from(["s0", "s1", "s2"]), max_size=3)),
    ),
    max_size=60,
)


@settings(deadline=None, max_examples=200)
@given(steps=STEPS)
def test_whatever_happens_each_is_told_as_of_its_reading(steps):
    """No less than had been called by the batch's moment, no more than by now; in the end all."""
    nas, numbers = Nas(), iter(range(1, 100))
    nfsd, known, last_ns = source(lambda _subject: next(numbers)), {}, 0

    def look():
        nonlocal last_ns
        batch = nfsd.read(nas, nas.listing())
        known.update(told(batch))
        assert batch.at.boot_ns > last_ns
        last_ns = batch.at.boot_ns
        for name, moments in nas.when.items():
            assert sum(at <= batch.at.boot_ns for at in moments) <= known[name] <= len(moments)

    for what, *more in steps:
        match what:
            case "call":
                nas.call(*more)
            case "dump":
                nas.links()
            case "wait":
                nas.ns += more[0] * MS
            case "read":
                nas.meanwhile = more[0]
                look()
    nas.ns, nas.meanwhile = nas.ns + SECOND, []
    look()
    assert known == nas.calls
