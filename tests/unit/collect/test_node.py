"""The machine as a whole, by its files in /proc."""

from pathlib import Path

import pytest

from nasacct.collect.node import Node
from nasacct.store.frame import ABSENT
from nasacct.store.schema import NODE

STAT = "cpu  11 12 13 14 15 16 17 18 19 20\ncpu0 1 2 3\nintr 5 0 0\nctxt 777\nbtime 9\nprocesses 33\nprocs_running 4\n"
MEMINFO = "MemTotal: 2000 kB\nMemFree: 5 kB\nMemAvailable: 1000 kB\nSwapTotal: 90 kB\nSwapFree: 30 kB\nDirty: 7 kB\n"


@pytest.fixture
def whole(machine, fixture_text):
    machine.write("proc/pressure/io", fixture_text("6.12.117", "psi"))
    machine.write("proc/stat", STAT + "procs_blocked 6\nsoftirq 1 2\n")
    machine.write("proc/meminfo", MEMINFO + "Writeback: 8 kB\nHugePages_Total: 3\n")
    machine.write("proc/loadavg", "0.36 12.20 100.05 1/180 21344\n")
    machine.write("proc/uptime", "1512.97 2890.11\n")
    return machine


def test_all_measures_are_read(whole, admit, rows_of, fixture_text):
    """Each has the number of its file, in its unit."""
    batch = Node(admit).read(whole, None)
    some, full = (int(line.rpartition(b"=")[2]) for line in fixture_text("6.12.117", "psi").splitlines())
    assert rows_of(batch, NODE)[None] == {
        "io_some_us": some,
        "io_full_us": full,
        **{f"cpu_{n}": 11 + i for i, n in enumerate("user nice system idle iowait irq softirq steal".split())},
        "context_switches": 777,
        "forks": 33,
        "running": 4,
        "blocked": 6,
        "load1_hundredths": 36,
        "load5_hundredths": 1220,
        "load15_hundredths": 10005,
        "memory_total_bytes": 2_048_000,
        "memory_available_bytes": 1_024_000,
        "memory_dirty_bytes": 7_168,
        "memory_writeback_bytes": 8_192,
        "swap_used_bytes": 61_440,
        "uptime_s": 1512,
    }
    assert [(dict(s.keys), s.epoch) for s in batch.listed] == [({}, "boot")]
    assert batch.note == ""


@pytest.mark.parametrize("path", ["pressure/io", "stat", "meminfo", "loadavg", "uptime"])
def test_a_missing_file_leaves_its_measures_absent(whole, admit, rows_of, path):
    """A kernel without pressure, or a recording without the rest, is fine."""
    full = rows_of(Node(admit).read(whole, None), NODE)[None]
    (whole.folder / "proc" / path).unlink()
    batch = Node(admit).read(whole, None)
    found = rows_of(batch, NODE)[None]
    absent = {name for name, value in found.items() if value == ABSENT}
    assert absent
    assert found == full | dict.fromkeys(absent, ABSENT)
    assert (batch.note, batch.failed) == ("", {})


def test_nothing_at_all_is_a_failure(machine, admit):
    """A node of which nothing can be read is listed, and failed."""
    batch = Node(admit).read(machine, None)
    assert list(batch.failed.values()) == ["none of its files is there"]
    assert len(batch.listed) == 1


@pytest.mark.parametrize(
    ("path", "text", "note"),
    [
        ("stat", "cpu  1 x\n", "line 1: 'x' is not a number"),
        ("stat", "cpu 1\nctxt\n", "line 2: ctxt has no number"),
        ("meminfo", "MemTotal: 5 MB\n", "line 1: MemTotal is not in kB"),
        ("loadavg", "0.36 0.1 5\n", "line 1: '0.1' is no number with two decimals"),
        ("loadavg", "0.36 0.10\n", "line 1: it has fewer than three averages"),
        ("uptime", "\n", "line 1: the file is empty; read it again"),
        ("pressure/io", "some avg10=0.00\n", "line 1: some has no total: the line was cut"),
    ],
)
def test_a_broken_file_is_noted_and_the_others_are_read(whole, admit, rows_of, path, text, note):
    """What is wrong stands in the health of the cycle; nothing is guessed, nothing else is lost."""
    whole.write(f"proc/{path}", text)
    batch = Node(admit).read(whole, None)
    assert batch.note == f"proc/{path} is broken: {note}"
    assert (rows_of(batch, NODE)[None]["uptime_s"] == 1512) == (path != "uptime")


def test_a_line_that_was_cut_at_the_end_is_not_used(whole, admit, rows_of):
    """A recording may have cut the file; a number without its last digits is no number."""
    whole.write("proc/stat", "cpu  11 12 13 14\nctxt 77")
    found = rows_of(Node(admit).read(whole, None), NODE)[None]
    assert found["cpu_idle"] == 14
    assert found["cpu_steal"] == ABSENT
    assert found["context_switches"] == ABSENT


def test_this_machine_is_read(machine, admit, rows_of):
    """The real files of the kernel this test runs on."""
    machine.folder = Path("/")
    batch = Node(admit).read(machine, None)
    found = rows_of(batch, NODE)[None]
    assert batch.note == ""
    for name in ("cpu_user", "context_switches", "forks", "memory_total_bytes", "uptime_s"):
        assert found[name] > 0
