"""The text of histograms, as kernels print it."""

import fcntl
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasacct.collect.tracing import Entry, Histogram, entry, room, sections

FIXTURES = Path(__file__).parents[2] / "fixtures/tracing"
SERVERS = {4026532708, 4026532803}


@pytest.fixture(params=sorted(FIXTURES.glob("linux-*.txt")), ids=lambda path: path.stem)
def text(request):
    return request.param.read_bytes()


def test_every_line_of_a_real_histogram_is_understood(text):
    """Three histograms of the same calls: as many lines as the kernel says entries, and their hits are the calls."""
    found = sections(text)
    assert list(found) == ["nasacct_p1", "nasacct_l1", "nasacct_t1"]
    for section in found.values():
        entries = [entry(line) for line in section.lines]
        assert None not in entries
        assert len(entries) == section.entries
        assert section.dropped == 0
    hits = {name: sum(entry(line).hits for line in section.lines) for name, section in found.items()}
    assert len(set(hits.values())) == 1
    assert hits["nasacct_p1"] > 100


def test_procedures_have_their_time_and_keys_are_plain():
    """The key is the procedure's name, the power of two alone, or the thread; time is there where it is summed."""
    line = (
        b"{ netns_ino: 4026532708, procedure: READ                                               } hitcount:"
        b"         16  execute:      28826"
    )
    assert entry(line) == Entry(4026532708, b"READ", 16, 28826)
    assert entry(b"{ netns_ino: 4026532708, execute: ~ 2^7  } hitcount:          1") == Entry(4026532708, b"7", 1, 0)
    assert entry(b"{ netns_ino: 1, common_pid:        302 } hitcount:          2") == Entry(1, b"302", 2, 0)


def test_a_histogram_without_its_end_is_none(text):
    """What was cut off says nothing of what would have followed: it is left out rather than believed."""
    assert list(sections(text[: text.rindex(b"Totals")])) == ["nasacct_p1", "nasacct_l1"]


def test_dropped_calls_are_told():
    """A histogram that had no room for events says for how many."""
    totals = b"Totals:\n    Hits: 128\n    Entries: 0\n    Dropped: 480\n"
    text = b"#\n# trigger info: hist:name=a:keys=x [active]\n#\n\n\n" + totals
    assert sections(text)["a"].dropped == 480


@given(st.binary())
def test_any_bytes_are_understood_or_left_out(data):
    """Nothing that a kernel could print makes it fail."""
    assert all(section.entries >= 0 for section in sections(data).values())
    found = entry(data)
    assert found is None or found.hits >= 0


@given(st.data())
def test_a_damaged_histogram_invents_nothing(data):
    """With a byte changed anywhere there are no histograms that were not there, and every line is one or is none."""
    text = bytearray((FIXTURES / "linux-6.12.117.txt").read_bytes())
    text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    for section in sections(bytes(text)).values():
        for line in section.lines:
            found = entry(line)
            assert found is None or (found.namespace >= 0 and found.hits >= 0 and found.us >= 0)


def test_there_is_room_for_twice_what_servers_need():
    """A power of two within what the kernel gives."""
    assert [room(servers) for servers in (0, 3, 1000, 100_000)] == [1024, 1024, 32768, 131072]


@pytest.fixture
def instance(tmp_path):
    """A folder where a kernel without tracing would have one, and the histogram that is to be made in it."""
    (tmp_path / "instances").mkdir()
    return tmp_path / "instances/mine", Histogram("mine", "procedure", us=True, tracefs=tmp_path)


def test_without_tracefs_it_is_an_error_and_nothing_is_left(instance):
    """Neither a folder nor a lock, however often it is tried."""
    folder, histogram = instance
    open_before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        with pytest.raises(FileNotFoundError):
            histogram.begin("a", 1024)
    assert not folder.exists()
    assert len(list(Path("/proc/self/fd").iterdir())) == open_before


def test_what_a_killed_collector_left_is_removed(instance):
    """Nobody holds its lock any more."""
    folder, histogram = instance
    folder.mkdir()
    with pytest.raises(FileNotFoundError):
        histogram.begin("a", 1024)
    assert not folder.exists()


def test_what_another_collector_uses_is_left_alone(instance):
    """Two of them on one machine do not take each other's instances away."""
    folder, histogram = instance
    folder.mkdir()
    theirs = os.open(folder, os.O_RDONLY)
    fcntl.flock(theirs, fcntl.LOCK_EX)
    with pytest.raises(OSError, match="another collector counts there"):
        histogram.begin("a", 1024)
    histogram.close()
    assert folder.exists()
    os.close(theirs)
