"""The source of the servers' counters: what it hands out, what it holds back, and who does not disturb whom."""

import os
import re
import threading
from dataclasses import replace

import pytest

from nasacct.collect.machine import Export, Listing, Server
from nasacct.collect.nfsd import HOST_NOTE, Nfsd
from nasacct.collect.nfsd_files import SupersededError
from nasacct.store.frame import ABSENT
from nasacct.store.schema import NFSD, OPS


def nfsd_text(calls=1000, read=0, written=0, procs=5000, threads=24, more=""):
    """A server's file: so many calls of its own, so many of the whole host by procedure."""
    return (
        f"rc 0 0 {calls}\nfh 0 0 0 0 0\nio {read} {written}\nth {threads} 0{' 0.000' * 10}\n"
        f"net {calls} 0 {calls} 1\nrpc {calls} 0 0 0 0\nproc4 2 4 {procs - 4}\n"
        f"proc4ops 76{' 0' * 25} {read // 4096}{' 0' * 50}\n{more}"
    )


def test_the_first_reading_of_each_server_is_handed_out(machine, admit, rows_of):
    """Every server's first row is there, even that of one that never did anything."""
    machine.nfsd_is(a=nfsd_text(900, read=8192), b=nfsd_text(0))
    batch = Nfsd(admit).read(machine, machine.listing("a", "b"))
    assert rows_of(batch, NFSD)["a"]["read_bytes"] == 8192
    assert rows_of(batch, NFSD)["a"]["rc_nocache"] == 900
    assert rows_of(batch, NFSD)["b"]["read_bytes"] == 0
    assert rows_of(batch, OPS)["a"]["read"] == 2
    assert [s.keys["server"] for s in batch.listed] == ["a", "b"]
    assert batch.complete
    assert not batch.failed


def test_only_rows_that_changed_are_handed_out_and_all_servers_listed(machine, admit, rows_of):
    """An unchanged server is listed without a row, and each stream has the rows that changed in it."""
    source, listing = Nfsd(admit), machine.listing("a", "b", "c")
    machine.nfsd_is(a=nfsd_text(1), b=nfsd_text(2), c=nfsd_text(3))
    source.read(machine, listing)
    machine.nfsd_is(b=nfsd_text(20), c=nfsd_text(30, read=4096))
    batch = source.read(machine, listing)
    assert set(rows_of(batch, NFSD)) == {"b", "c"}
    assert set(rows_of(batch, OPS)) == {"c"}
    assert len(batch.listed) == 3
    assert source.read(machine, listing).rows == {}


def test_others_work_changes_no_row_of_an_idle_server(machine, admit, rows_of):
    """The host's procedures move in every file, and only who worked has a row."""
    source, listing = Nfsd(admit), machine.listing("a", "b")
    machine.nfsd_is(a=nfsd_text(1, procs=5_000), b=nfsd_text(2, procs=5_000))
    source.read(machine, listing)
    machine.nfsd_is(a=nfsd_text(900, procs=6_000), b=nfsd_text(2, procs=6_000))
    assert set(rows_of(source.read(machine, listing), NFSD)) == {"a"}


def test_one_broken_or_missing_file_fails_its_server_alone(machine, admit, rows_of):
    """The reason stands with the server whose file it is; the others go on, and it does when it is whole again."""
    source, listing = Nfsd(admit), machine.listing("a", "b", "gone")
    machine.nfsd_is(a=nfsd_text(1), b=nfsd_text(2).replace("io 0 0", "io 0"))
    for _ in range(2):
        batch = source.read(machine, listing)
        reasons = {s.keys["server"]: reason for s, reason in batch.failed.items()}
        assert reasons == {
            "b": "its nfsd file is broken: line 3: io has 1 numbers and needs 2: the line was cut",
            "gone": "its nfsd file cannot be read: No such file or directory",
        }
        assert len(batch.listed) == 3
    machine.nfsd_is(b=nfsd_text(2))
    batch = source.read(machine, listing)
    assert set(rows_of(batch, NFSD)) == {"b"}
    assert [s.keys["server"] for s in batch.failed] == ["gone"]


def test_the_line_of_a_broken_file_is_that_of_the_whole_file(machine, admit):
    """Though procedures are left out of what is compared, a person finds the line that is named."""
    machine.nfsd_is(a=nfsd_text(1, more="wdeleg_getattr x\n"))
    batch = Nfsd(admit).read(machine, machine.listing("a"))
    assert list(batch.failed.values()) == ["its nfsd file is broken: line 9: 'x' is not a number"]


def test_unknown_lines_are_counted_and_hurt_nobody(machine, admit, rows_of):
    """A newer kernel's lines are kept out, in each cycle anew, whether the text changed or not."""
    source = Nfsd(admit)
    machine.nfsd_is(a=nfsd_text(5, more="news 1 2\nmore_news 3\n"), b=nfsd_text(6))
    for _ in range(2):
        batch = source.read(machine, machine.listing("a", "b"))
        assert batch.unknown_fields == 2
        assert not batch.failed


def test_a_last_reading_is_flagged_final_though_nothing_changed(machine, admit, rows_of):
    """The last row of an epoch is always written, once, and the server is listed no more."""
    source, listing = Nfsd(admit), machine.listing("a", "b")
    machine.nfsd_is(a=nfsd_text(7, read=4096), b=nfsd_text(8))
    before = source.read(machine, listing)
    final = source.final(machine, listing.servers[0])
    assert final.listed is None
    assert [s.keys["server"] for s in final.ended] == ["a"]
    assert final.ended[0] is before.listed[0]
    assert all(rows.final for rows in final.rows.values())
    assert rows_of(final, NFSD)["a"]["read_bytes"] == 4096
    assert set(final.rows) == {"nfsd", "ops"}
    again = source.read(machine, listing)
    assert [s.keys["server"] for s in again.listed] == ["b"]
    assert source.final(machine, listing.servers[0]) is None


def test_a_server_that_lived_between_two_cycles_only_has_its_last_reading(machine, admit, rows_of):
    """Born and gone before any cycle saw it: its final row is the only copy of its bytes."""
    machine.nfsd_is(brief=nfsd_text(7, read=12288))
    final = Nfsd(admit).final(machine, machine.listing("brief").servers[0])
    assert rows_of(final, NFSD)["brief"]["read_bytes"] == 12288
    assert [s.keys["server"] for s in admit.subjects] == ["brief"]


def test_a_server_that_can_be_read_no_more_ends_with_the_reason(machine, admit):
    """Nothing is invented where the last reading came too late."""
    source, listing = Nfsd(admit), machine.listing("a")
    machine.nfsd_is(a=nfsd_text(7))
    source.read(machine, listing)
    (machine.folder / "servers/a").unlink()
    final = source.final(machine, listing.servers[0])
    assert final.rows == {}
    assert list(final.failed.values()) == ["its nfsd file cannot be read: No such file or directory"]
    assert [s.keys["server"] for s in final.ended] == ["a"]


def test_a_last_reading_after_the_server_left_the_listing_is_its_subjects(machine, admit, rows_of):
    """A listing may notice the end before the event does; the epoch stays one subject."""
    source, listing = Nfsd(admit), machine.listing("a", "b")
    machine.nfsd_is(a=nfsd_text(7), b=nfsd_text(8))
    first = source.read(machine, listing)
    source.read(machine, machine.listing("b"))
    assert source.final(machine, listing.servers[0]).ended == [first.listed[0]]
    assert len(admit.subjects) == 2


def test_a_restarted_server_is_another_epoch(machine, admit, rows_of):
    """The same name under a new epoch is a subject of its own, with its first row."""
    source = Nfsd(admit)
    machine.nfsd_is(a=nfsd_text(900, read=8192))
    first = machine.listing("a")
    source.read(machine, first)
    source.final(machine, first.servers[0])
    machine.nfsd_is(a=nfsd_text(900, read=8192))
    again = type(first)((type(first.servers[0])("a", "boot/a-2"),))
    batch = source.read(machine, again)
    assert rows_of(batch, NFSD)["a"]["read_bytes"] == 8192
    assert [s.epoch for s in admit.subjects] == ["boot/a", "boot/a-2"]


def test_an_incomplete_listing_is_passed_on(machine, admit):
    """Who is missing from a listing that could not be completed has not ended."""
    source = Nfsd(admit)
    machine.nfsd_is(a=nfsd_text(1), b=nfsd_text(2))
    source.read(machine, machine.listing("a", "b"))
    for _ in range(9):
        assert not source.read(machine, machine.listing("a", complete=False)).complete
    source.read(machine, machine.listing("a", "b"))
    assert len(admit.subjects) == 2


def test_a_server_whose_file_hangs_delays_no_other(machine, admit, rows_of):
    """The source names the server it waits for; skipped, the others are read, and what hung is dropped."""
    source, listing = Nfsd(admit), machine.listing("a", "hung", "z")
    machine.nfsd_is(a=nfsd_text(1), z=nfsd_text(3))
    os.mkfifo(machine.folder / "servers/hung")
    outcome = []

    def first():
        with pytest.raises(SupersededError):
            source.read(machine, listing)
        outcome.append("superseded")

    thread = threading.Thread(target=first)
    thread.start()
    try:
        until(lambda: source.reading is not None and source.reading.name == "hung")
        batch = source.read(machine, listing, skip={"boot/hung"})
        assert set(rows_of(batch, NFSD)) == {"a", "z"}
        assert list(batch.failed.values()) == ["its nfsd file is still being read since an earlier cycle"]
        assert len(batch.listed) == 3
    finally:
        (machine.folder / "servers/hung").write_text(nfsd_text(2))
        thread.join(10)
    assert outcome == ["superseded"]
    assert source.read(machine, listing, skip={"boot/hung"}).rows == {}


def until(condition):
    for _ in range(1000):
        if condition():
            return
        threading.Event().wait(0.01)
    pytest.fail("it did not come true in 10 s")


def test_kernels_with_one_file_for_the_host_are_stored_for_the_node(machine, admit, rows_of):
    """Where no namespace has an nfsd file, the host's is read, once, under no server's name."""
    machine.kernel = "5.4.0-42"
    source = Nfsd(admit, life=lambda: "77")
    machine.write("proc/net/rpc/nfsd", nfsd_text(900, read=4096))
    batch = source.read(machine, machine.listing("a", "b"))
    assert rows_of(batch, NFSD)[None]["read_bytes"] == 4096
    assert [(s.keys["server"], s.epoch) for s in batch.listed] == [(None, "boot/nfsd/77")]
    assert not batch.failed
    assert batch.note == HOST_NOTE
    assert {"read_bytes", "rc_hits", "read"} <= batch.listed[0].bits32
    machine.write("proc/net/rpc/nfsd", nfsd_text(901, read=8192))
    assert set(rows_of(source.read(machine, machine.listing("a", "b")), NFSD)) == {None}
    # what is never read must not be admitted: it would have an end, and a bound of what it might have moved
    assert source.final(machine, machine.listing("a").servers[0]) is None
    assert [s.keys["server"] for s in admit.subjects] == [None]


def test_the_hosts_counters_are_as_old_as_the_boot(machine, admit):
    """They were counted before there was a server to find them by; those of a module loaded since then were not."""
    lives = iter(("77", "78"))
    source = Nfsd(admit, life=lambda: next(lives))
    machine.kernel = "5.4.0-42"
    machine.write("proc/net/rpc/nfsd", nfsd_text(900))
    for _ in range(2):
        source.read(machine, machine.listing("a"))
    assert [(s.epoch, s.about.get("born_boot_ns")) for s in admit.subjects] == [
        ("boot/nfsd/77", 0),
        ("boot/nfsd/78", None),
    ]


def test_files_that_all_count_the_host_are_never_stored_for_servers(machine, admit, rows_of):
    """The same growing numbers in every file are kept back, and in the end stored for the node alone."""
    source, listing = Nfsd(admit), machine.listing("a", "b", "c")
    for cycle in range(1, 8):
        text = nfsd_text(100 * cycle, read=8192 * cycle, procs=100 * cycle)
        machine.nfsd_is(a=text, b=text, c=text)
        batch = source.read(machine, listing)
        assert not {"a", "b", "c"} & set(rows_of(batch, NFSD))
    assert source.semantics.of("io") == "host"
    assert rows_of(batch, NFSD)[None]["read_bytes"] == 8192 * 7
    assert [s.keys["server"] for s in batch.listed] == [None]
    machine.nfsd_is(a=nfsd_text(7_000_000, read=2**40, procs=10**7))
    source.read(machine, listing)
    batch = source.read(machine, listing)
    assert set(rows_of(batch, NFSD)) == {"a", "b", "c"}, "one that differs has shown that they are the servers' own"
    assert [s.keys["server"] for s in batch.listed] == ["a", "b", "c"]


def test_counters_of_32_bits_are_named_on_the_kernels_that_have_them(machine, admit):
    """Up to 5.11 the server's own counters wrap; from 5.12 they do not."""
    machine.nfsd_is(a=nfsd_text(1))
    machine.kernel = "5.10.0-8-amd64"
    old = Nfsd(admit).read(machine, machine.listing("a")).listed[0]
    machine.kernel = "6.1.0-22-amd64"
    new = Nfsd(admit).read(machine, machine.listing("a")).listed[0]
    assert {"read_bytes", "written_bytes", "rc_nocache", "fh_stale", "sequence"} <= old.bits32
    assert not {"rpc_calls", "net_packets"} & old.bits32, "those wrap on every kernel: the schema says so"
    assert new.bits32 == frozenset()


@pytest.mark.parametrize("folder", ["6.12.117", "2.6.32", "3.10", "6.6.32-qnap", "future"])
def test_each_kernels_file_reaches_the_rows(machine, admit, rows_of, fixture_text, folder):
    """What the parser says is what is handed out."""
    text = fixture_text(folder + ("-srv1" if folder == "6.12.117" else ""), "nfsd")
    machine.nfsd_is(a=text)
    found = rows_of(Nfsd(admit).read(machine, machine.listing("a")), NFSD)["a"]
    read, written = re.search(rb"\nio (\d+) (\d+)", text).groups()
    assert (found["read_bytes"], found["written_bytes"]) == (int(read), int(written))
    assert (found["wdeleg_getattr"] == ABSENT) == (b"wdeleg" not in text)


def test_births_tell_what_a_server_shows(machine, admit):
    """One directory under one path, whoever may see it; when a server comes to show another one its subject tells."""
    machine.nfsd_is(a=nfsd_text(), b=nfsd_text())
    source, exports = Nfsd(admit), [Export("/tank/x", "/x", host, "rw") for host in ("192.0.2.1", "192.0.2.2")]
    several = [*exports, Export("/tank/y", "/y", "192.0.2.1")]
    servers = [Server("a", "boot/a", exports=tuple(exports)), Server("b", "boot/b", exports=tuple(several))]
    batch = source.read(machine, Listing(tuple(servers)))
    assert [{k: s.about[k] for k in ("dir", "as") if k in s.about} for s in batch.listed] == [
        {"dir": "/tank/x", "as": "/x"},
        {},
    ]
    servers[1] = replace(servers[1], exports=(several[2],))
    assert source.read(machine, Listing(tuple(servers))).listed[1].about["dir"] == "/tank/y"
