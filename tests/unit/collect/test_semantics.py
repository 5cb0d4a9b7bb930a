"""What an nfsd file's numbers count is found out by looking, on every kernel there was or may be."""

import pytest

from nasacct.collect.nfsd import Nfsd
from nasacct.collect.procs import Procs
from nasacct.collect.semantics import narrow_procs, release
from nasacct.store.frame import ABSENT
from nasacct.store.schema import NFSD, PROCS


class Kernel:
    """Counts calls and bytes of servers as a kernel does whose named groups are per namespace."""

    def __init__(self, machine, *, own=("rc", "io", "proc4ops", "rpc", "net"), threads=8):
        self.machine, self.own, self.threads = machine, own, threads
        self.calls, self.bytes = {}, {}

    def does(self, server, calls=0, read=0):
        self.calls[server] = self.calls.get(server, 0) + calls
        self.bytes[server] = self.bytes.get(server, 0) + read

    def pick(self, group, counts, server):
        return counts.get(server, 0) if group in self.own else sum(counts.values())

    def text(self, server):
        calls = {g: self.pick(g, self.calls, server) for g in ("rc", "rpc", "net", "procs", "proc4ops")}
        threads = self.threads if "th" in self.own else self.threads * len(self.calls)
        return (
            f"rc 0 0 {calls['rc']}\nfh 0 0 0 0 0\nio {self.pick('io', self.bytes, server)} 0\n"
            f"th {threads} 0{' 0.000' * 10}\n"
            f"net {calls['net']} 0 {calls['net']} 1\nrpc {calls['rpc']} 0 0 0 0\nproc4 2 0 {calls['procs']}\n"
            f"proc4ops 76{' 0' * 53} {calls['proc4ops']}{' 0' * 22}\n"
        )

    def show(self, *, host=None):
        self.machine.nfsd_is(**{server: self.text(server) for server in self.calls})
        if host is not None:
            self.machine.write("proc/net/rpc/nfsd", self.text(host))


@pytest.fixture
def looking(machine, admit):
    """A source that reads what a kernel shows, and gives the verdicts of all groups."""
    source = Nfsd(admit)

    def look(kernel, *, host=None):
        kernel.show(host=host)
        source.read(machine, machine.listing(*kernel.calls))
        groups = ("rc", "io", "proc4ops", "rpc", "net", "procs", "th")
        return {group: source.semantics.of(group) for group in groups}

    return look


OWN = {"rc": "server", "io": "server", "proc4ops": "server", "rpc": "server", "net": "server"}


def test_todays_kernels_are_understood_at_once_while_servers_work(machine, looking):
    """Procedures that add up to more than a server's own calls show both: they are the host's, the calls are not."""
    kernel = Kernel(machine)
    kernel.does("a", 5_000)
    kernel.does("b", 100)
    assert looking(kernel) == {**OWN, "procs": "host", "th": "undecided"}


def test_the_hosts_own_file_tells_even_of_a_few_calls(machine, looking):
    """Read after all others, it shows less than a server's: so that server's file does not count the host."""
    kernel = Kernel(machine)
    kernel.does("a", 12, read=4096)
    kernel.does("b", 12, read=4096)
    assert looking(kernel, host="init")["rc"] == "server"


def test_idle_servers_decide_nothing(machine, looking):
    """Files full of zeros are the same on every kernel."""
    kernel = Kernel(machine)
    kernel.does("a")
    kernel.does("b")
    for _ in range(5):
        assert set(looking(kernel, host="init").values()) == {"undecided"}


def test_a_lone_server_is_its_own_whatever_the_kernel(machine, admit, rows_of):
    """With nobody to compare with, its counters are stored as the server's, its procedures as the node's."""
    kernel = Kernel(machine)
    kernel.does("a", 500, read=10)
    kernel.show()
    source = Nfsd(admit)
    procs = Procs(source, admit)
    listing = machine.listing("a")
    assert set(rows_of(source.read(machine, listing), NFSD)) == {"a"}
    assert set(rows_of(procs.read(machine, listing), PROCS)) == {None}


def test_a_later_file_that_shows_less_than_an_earlier_one_is_the_servers_own(machine, looking):
    """A count of the whole host never falls from one cycle to the next, in whichever file it is read."""
    kernel = Kernel(machine, own=("rc", "io", "proc4ops", "rpc", "net", "procs", "th"))
    kernel.does("a", 5_000)
    kernel.does("b", 200)
    looking(kernel)
    kernel.does("b", 10)
    assert looking(kernel) == {**OWN, "procs": "server", "th": "undecided"}


def test_a_kernel_that_counts_the_host_everywhere_is_recognised(machine, looking):
    """The same numbers in all files, moving together, are the host's."""
    kernel = Kernel(machine, own=())
    kernel.does("a")
    kernel.does("b")
    for _ in range(6):
        kernel.does("a", 1_000, read=2**20)
        found = looking(kernel)
    assert found["io"] == found["rc"] == found["proc4ops"] == "host"


def test_the_same_work_on_two_servers_is_not_taken_for_one_count(machine, looking):
    """Two clients doing the same look like one count for a while; the first difference tells."""
    kernel = Kernel(machine)
    kernel.does("a")
    kernel.does("b")
    for _ in range(8):
        kernel.does("a", 3, read=1_000)
        kernel.does("b", 3, read=1_000)
        looking(kernel)
    kernel.does("a", 500, read=1_000)
    looking(kernel)
    assert looking(kernel)["io"] == "server"


def test_threads_that_differ_for_good_are_the_servers_own(machine, admit):
    """Three cycles of the same different numbers cannot be one number changing."""
    source = Nfsd(admit)
    kernel = Kernel(machine)
    for server in "abc":
        kernel.does(server, 10)
    kernel.show()
    for _ in range(3):
        machine.nfsd_is(a=kernel.text("a").replace("th 24", "th 16"))
        source.read(machine, machine.listing(*"abc"))
    assert source.semantics.of("th") == "server"


def test_threads_that_change_in_all_files_at_once_are_the_hosts(machine, looking):
    """As they do on every kernel so far, when any server is started or stopped."""
    kernel = Kernel(machine)
    for server in "abc":
        kernel.does(server, 10)
    looking(kernel)
    kernel.threads = 9
    assert looking(kernel)["th"] == "host"


def test_the_wrap_of_a_32_bit_counter_is_no_proof(machine, looking):
    """`rpc` and `net` are 32 bits wide everywhere: a count of the host that wraps looks smaller, and is the host's."""
    kernel = Kernel(machine, own=("rc", "io", "proc4ops"))
    kernel.does("a", 2**32 - 100)
    kernel.does("b", 10)
    looking(kernel)
    kernel.calls = {"a": 40, "b": 20}
    assert looking(kernel)["rpc"] == "undecided"


def test_procedures_are_stored_once_for_the_node(machine, admit, rows_of):
    """Whichever file they are read from, they are the node's: never a row per server, never a sum over servers."""
    kernel = Kernel(machine)
    kernel.does("a", 5_000)
    kernel.does("b", 100)
    kernel.show()
    source = Nfsd(admit)
    procs = Procs(source, admit, life=lambda: "1f")
    listing = machine.listing("a", "b")
    nfsd_batch = source.read(machine, listing)
    batch = procs.read(machine, listing)
    assert batch.at == nfsd_batch.at
    assert [(s.keys["server"], s.epoch) for s in batch.listed] == [(None, "boot/nfsd/1f")]
    row = rows_of(batch, PROCS)[None]
    assert row["proc4_compound"] == 5_100
    assert row["threads"] == 16
    assert row["proc3_read"] == ABSENT, "this file has no proc3"
    source.read(machine, listing)
    assert procs.read(machine, listing).rows == {}


def test_procedures_that_are_the_servers_own_are_stored_so(machine, admit, rows_of):
    """On a kernel that counts them by namespace each server has its row, changed ones and last ones too."""
    kernel = Kernel(machine, own=("rc", "io", "proc4ops", "rpc", "net", "procs"))
    kernel.does("a", 5_000)
    kernel.does("b", 200)
    source = Nfsd(admit)
    procs = Procs(source, admit)
    listing = machine.listing("a", "b")
    for _ in range(2):
        kernel.show()
        source.read(machine, listing)
        batch = procs.read(machine, listing)
    found = rows_of(batch, PROCS)
    assert found["a"]["proc4_compound"] == 5_000
    assert found["b"]["proc4_compound"] == 200
    assert found["b"]["threads"] == ABSENT
    assert {s.keys["server"]: s.epoch for s in batch.listed} == {"a": "boot/a", "b": "boot/b", None: "boot/nfsd"}
    kernel.does("b", 1)
    kernel.show()
    source.read(machine, listing)
    assert set(rows_of(procs.read(machine, listing), PROCS)) == {"b"}
    final = procs.final(machine, listing.servers[1])
    assert final.rows["procs"].final
    assert rows_of(final, PROCS)["b"]["proc4_compound"] == 201


def test_another_loading_of_the_module_is_another_epoch(machine, admit):
    """The host's counts begin again at 0 when nfsd is loaded again, and its epoch with them."""
    lives = ["1f"]
    kernel = Kernel(machine)
    kernel.does("a", 5_000)
    kernel.show()
    source = Nfsd(admit)
    procs = Procs(source, admit, life=lambda: lives[-1])
    listing = machine.listing("a")
    epochs = []
    for life in ("1f", "2a"):
        lives.append(life)
        source.read(machine, listing)
        epochs += [s.epoch for s in procs.read(machine, listing).listed]
    assert epochs == ["boot/nfsd/1f", "boot/nfsd/2a"]


def test_without_a_server_nobody_knows_of_the_hosts_counts(machine, admit):
    """Loaded, they may count unseen, so the listing is incomplete; not loaded, there are none, and a birth is one."""
    lives = ["1f"]
    source = Nfsd(admit)
    procs = Procs(source, admit, life=lambda: lives[-1])
    listing = machine.listing()
    source.read(machine, listing)
    assert not procs.read(machine, listing).complete
    lives.append(None)
    source.read(machine, listing)
    batch = procs.read(machine, listing)
    assert batch.complete
    assert batch.listed == []


def test_procs_does_not_wait_for_an_nfsd_that_hangs(machine, admit):
    """When there is no new reading in its time, what it knows is failed, and nothing is handed out twice."""
    kernel = Kernel(machine)
    kernel.does("a", 5_000)
    kernel.show()
    source = Nfsd(admit)
    procs = Procs(source, admit, patience_s=0.01)
    listing = machine.listing("a")
    source.read(machine, listing)
    assert procs.read(machine, listing).rows
    batch = procs.read(machine, listing)
    assert batch.rows == {}
    assert not batch.complete
    assert list(batch.failed.values()) == ["nfsd was not read in this cycle"]


def test_a_broken_file_is_passed_over_for_another_servers(machine, admit, rows_of):
    """The host's counts stand in every file, so one broken one does not matter."""
    kernel = Kernel(machine)
    kernel.does("a", 5_000)
    kernel.does("b", 100)
    kernel.show()
    machine.nfsd_is(b=kernel.text("b").replace("proc4 2", "proc4 3"))
    source = Nfsd(admit)
    procs = Procs(source, admit)
    listing = machine.listing("a", "b")
    source.read(machine, listing)
    batch = procs.read(machine, listing)
    assert rows_of(batch, PROCS)[None]["proc4_compound"] == 5_100
    assert not batch.failed


@pytest.mark.parametrize(
    ("kernel", "expected"),
    [("6.12.117+deb12-cloud-amd64", (6, 12)), ("5.4.0-42-generic", (5, 4)), ("6.18.44-fc-v595", (6, 18))],
)
def test_a_kernels_release_is_read(kernel, expected):
    """Whatever a distribution appends to it."""
    assert release(kernel) == expected


def test_procedures_are_32_bits_wide_before_6_3():
    """Threads are no counter; a kernel that does not say its release is a new one."""
    assert "proc3_read" in narrow_procs("6.1.0-22-amd64")
    assert "threads" not in narrow_procs("6.1.0-22-amd64")
    assert narrow_procs("6.12.117") == narrow_procs("") == frozenset()
