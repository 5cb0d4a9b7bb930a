"""The source `export_stats`: entries of a cache that is renewed, as lower bounds that are never counted twice."""

from collections import Counter

import pytest
from crowd import Linked
from hypothesis import given
from hypothesis import strategies as st

from nasacct.collect import exports_finding
from nasacct.collect.client_ids import ClientIds
from nasacct.collect.exports import Exports, risky
from nasacct.collect.machine import RECENT_NS, Listing, Server
from nasacct.collect.sampler import Sampler
from nasacct.config import Config
from nasacct.config.tables import Sources
from nasacct.store.frame import Instant
from nasacct.store.journal_frames import Journal, Origin
from nasacct.store.journal_readings import of_journal
from nasacct.store.ledger import Terms, account
from nasacct.store.schema import EXPORTS
from nasacct.store.standing import Standing

SECOND = 1_000_000_000
HEAD = "# Version 1.1\n# Path Client Start-time\n#\tStats\n"
ENTRY = "{}\t{}\t{}\n\tfh_stale: {}\n\tio_read: {}\n\tio_write: {}\n\n"


class Nas(Linked):
    """One server whose entries a test uses, renews and lets vanish; `truth` is what clients read of each path."""

    node, boot_id, kernel = "n", "boot", "6.12.117"

    def __init__(self, tmp_path):
        self.ns, self.entries, self.truth = 1000 * SECOND, [], Counter()
        self.server, self.asked, self.moved, self.dumb = Server("a", "boot/a", link="nfs-a"), 0, 0, False
        self.frames, self.begun = [], self.now()
        ids = ClientIds(tmp_path)
        self.sampler = Sampler(self, Standing(), lambda admit: [Exports(admit, ids)])
        self.ids = ids

    def now(self):
        return Instant(1_796_000_000 * SECOND + self.ns, self.ns)

    def received(self):
        return {"nfs-a": self.moved}

    def export_stats(self, server):
        self.asked += 1
        if self.dumb:
            raise PermissionError(1, "not allowed")
        return (HEAD + "".join(ENTRY.format(*entry) for entry in self.entries)).encode()

    def renew(self, path, client):
        """A new entry beside the old one, if there is one."""
        self.entries.append([path, client, self.ns // SECOND, 0, 0, 0])

    def use(self, path, client, size):
        """The newest entry counts."""
        for entry in reversed(self.entries):
            if entry[:2] == [path, client]:
                entry[4] += size
                self.truth[path, client] += size
                break
        self.moved += size + 100

    def drop_old(self):
        """The old ones of each path and client go."""
        self.entries = list({(path, client): [path, client, *rest] for path, client, *rest in self.entries}.values())

    def cycle(self, seconds=60, begun_ns=None):
        self.ns += seconds * SECOND
        self.frames.append(self.sampler.cycle(Listing((self.server,), begun_ns=begun_ns or self.ns)))

    def told(self):
        """(export, client) -> bytes read, what is certain."""
        made = Journal(
            "x", 1, Origin("n", "boot", "run", "", "0", 60 * SECOND), 1, self.begun, Standing(), frames=self.frames
        )
        rows = account(of_journal(made)[EXPORTS.name], "n", Terms(60 * SECOND)).to_pylist()
        found = Counter()
        for row in rows:
            found[row["export"], row["client"]] += row["read_bytes"]
        return found

    def named(self, path, address):
        return self.ids.of_text(path), self.ids(address)

    @property
    def last(self):
        return self.frames[-1].batches[0]


@pytest.fixture
def nas(tmp_path):
    made = Nas(tmp_path)
    made.cycle()
    yield made
    made.sampler.end()


def test_each_client_of_each_path_has_its_own(nas):
    """A single address by the id that it has everywhere; what is several addresses by one of its own."""
    for path, client, size in (
        ("/x", "10.0.0.1", 5),
        ("/y", "10.0.0.1/32", 7),
        ("/x", "10.0.0.0/8", 9),
        ("/x", "*", 2),
    ):
        nas.renew(path, client)
        nas.use(path, client, size)
    nas.cycle()
    text = nas.ids.of_text
    assert nas.told() == {
        nas.named("/x", "10.0.0.1"): 5,
        nas.named("/y", "10.0.0.1"): 7,
        (text("/x"), text("10.0.0.0/8")): 9,
        (text("/x"), text("*")): 2,
    }
    about = {
        subject.about["path"]: subject.about["address"]
        for subject in nas.last.listed
        if subject.about["address"] != "*"
    }
    assert about["/y"] == "10.0.0.1"


def test_an_entry_that_is_renewed_goes_on_from_nothing(nas):
    """Both stand side by side for a moment: what each counts is counted once."""
    nas.renew("/x", "10.0.0.1")
    nas.use("/x", "10.0.0.1", 100)
    nas.cycle()
    nas.use("/x", "10.0.0.1", 11)
    nas.renew("/x", "10.0.0.1")
    nas.use("/x", "10.0.0.1", 30)
    nas.cycle()
    nas.drop_old()
    nas.use("/x", "10.0.0.1", 5)
    nas.cycle()
    assert nas.told() == {nas.named("/x", "10.0.0.1"): 146}


def test_what_an_entry_gained_last_is_lost_and_not_guessed(nas):
    """It was replaced and dropped between two readings."""
    nas.renew("/x", "10.0.0.1")
    nas.use("/x", "10.0.0.1", 100)
    nas.cycle()
    nas.use("/x", "10.0.0.1", 11)
    nas.renew("/x", "10.0.0.1")
    nas.drop_old()
    nas.use("/x", "10.0.0.1", 30)
    nas.cycle()
    assert nas.told() == {nas.named("/x", "10.0.0.1"): 130}


def test_a_server_whose_link_stands_still_is_not_read(nas):
    """Its entries are unchanged, and still listed."""
    nas.renew("/x", "10.0.0.1")
    nas.use("/x", "10.0.0.1", 100)
    nas.cycle()
    asked = nas.asked
    nas.cycle()
    assert nas.asked == asked
    assert (len(nas.last.listed), nas.last.rows, nas.last.complete) == (1, {}, True)


def test_what_is_read_by_anothers_dump_is_as_of_that_dump(nas):
    """What moved after it is not said not to have moved: it is told by the next reading."""
    nas.renew("/x", "10.0.0.1")
    nas.use("/x", "10.0.0.1", 100)
    nas.cycle()
    nas.ns += 60 * SECOND
    dump = nas.links()
    nas.ns += RECENT_NS
    nas.use("/x", "10.0.0.1", 10)
    nas.cycle(0, begun_ns=dump.at.boot_ns - 1)
    assert (nas.last.at, nas.last.rows) == (dump.at, {})
    nas.cycle()
    assert nas.told() == {nas.named("/x", "10.0.0.1"): 110}


def test_a_dump_of_before_the_servers_were_listed_is_not_used(nas):
    """A link of the same name may have been another server's then."""
    nas.cycle()
    nas.ns += 60 * SECOND
    nas.links()
    nas.ns += 1
    nas.cycle(0)
    assert nas.last.at == nas.now()


def test_a_server_that_cannot_be_read_is_told(nas):
    """And what it had is not taken to have ended."""
    nas.renew("/x", "10.0.0.1")
    nas.use("/x", "10.0.0.1", 100)
    nas.cycle()
    nas.dumb = True
    nas.use("/x", "10.0.0.1", 10)
    nas.cycle()
    assert (nas.last.complete, nas.last.note, nas.last.ended) == (False, "a: not allowed", [])
    nas.dumb = False
    nas.cycle()
    assert nas.told() == {nas.named("/x", "10.0.0.1"): 110}


@pytest.mark.parametrize(
    ("release", "expected"),
    [("6.1.192-1-amd64", False), ("6.1.191", True), ("6.1", True), ("6.12.117", True), ("7.9.1", True), ("odd", True)],
)
def test_a_kernel_is_risky_unless_it_is_known_not_to_be(release, expected):
    """By its number alone."""
    assert risky(release) == expected


@pytest.mark.parametrize(
    ("enabled", "dumb", "kernel", "state", "told"),
    [
        ((), False, "6.12.117", "note", "not collected; this kernel is not known to keep an entry"),
        (("export_stats",), False, "6.1.192", "ok", "1 of 1 servers' are readable"),
        (("export_stats",), False, "6.12.117", "note", "1 of 1 servers' are readable; this kernel is not known"),
        (("export_stats",), True, "6.1.192", "missing", "0 of 1 servers' are readable; a: not allowed"),
    ],
)
def test_doctor_says_whether_it_can_be_read_and_what_that_risks(nas, enabled, dumb, kernel, state, told):
    """Nothing is read where it is not wanted."""
    nas.dumb, nas.kernel, nas.asked = dumb, kernel, 0
    config = Config(root="/nowhere", sources=Sources(enabled=enabled))
    found = exports_finding.look(config, nas, Listing((nas.server,)))
    assert (found.state, found.found[: len(told)]) == (state, told)
    assert nas.asked == len(enabled)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("use"), st.sampled_from("xy"), st.integers(1, 2), st.integers(1, 1000)),
        st.tuples(st.just("renew"), st.sampled_from("xy"), st.integers(1, 2)),
        st.just(("drop",)),
        st.just(("fail",)),
        st.tuples(st.just("cycle"), st.sampled_from([1, 60])),
    ),
    max_size=40,
)


@given(steps=STEPS)
def test_no_more_is_told_than_was_moved_whatever_happens(tmp_path_factory, steps):
    """And nothing falls: entries that begin in one second are as one."""
    nas = Nas(tmp_path_factory.getbasetemp() / "no key")
    nas.cycle()
    for step in steps:
        match step:
            case "use", path, client, size:
                nas.use(f"/{path}", f"10.0.0.{client}", size)
            case "renew", path, client:
                nas.renew(f"/{path}", f"10.0.0.{client}")
            case ("drop",):
                nas.drop_old()
            case ("fail",):
                nas.dumb = not nas.dumb
            case "cycle", seconds:
                nas.cycle(seconds)
    nas.dumb = False
    nas.cycle()
    nas.sampler.end()
    told = nas.told()
    for (path, client), moved in nas.truth.items():
        assert 0 <= told[nas.named(path, client)] <= moved
