"""The journal under faults that can be made for real: a full disk, a killed writer, memory that runs short."""

import contextlib
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from nasacct.store import journal, journal_readings, ledger
from nasacct.store.frame import Batch, Frame, Instant, Rows, Subject, merge
from nasacct.store.journal_writer import JournalWriter
from nasacct.store.schema import DISKS
from nasacct.store.standing import Standing

SECOND = 1_000_000_000
ORIGIN = journal.Origin("n", "boot", "0123456789abcdef", "6.12", "0.1", 10 * SECOND)


def frames(count, subjects=40):
    """Frames ten seconds apart in which every subject grows by its number each time; the first introduces them."""
    all_subjects = [
        Subject("disks", {"disk": f"d{i}", "device": f"d{i}"}, f"boot/{i}", sid=i) for i in range(1, subjects)
    ]
    sids = np.array([s.sid for s in all_subjects], np.int32)
    for n in range(count):
        at = Instant((1_000 + 10 * n) * SECOND, (1_000 + 10 * n) * SECOND)
        values = np.repeat(sids[:, None].astype(np.int64) * n, DISKS.width, axis=1)
        batch = Batch("disks", at, all_subjects, rows={"disks": Rows(sids, values)})
        yield Frame(n + 1, at, [batch], all_subjects if n == 0 else [])


def sums(folder):
    """Growth of every subject over all files, and in how many rows."""
    found = {}
    files = [journal.read(p) for p in journal.files(folder)]
    for one, following in zip(files, [*files[1:], None], strict=True):
        table = ledger.account(journal_readings.of_journal(one, following)["disks"], "n", ledger.Terms(10 * SECOND))
        for row in table.to_pylist():
            total, rows = found.get(row["disk"], (0, 0))
            found[row["disk"]] = total + row["reads"], rows + 1
    return found


def until(condition, seconds=30):
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def fill(path):
    """Write into a file until the disk is full."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 4096)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 512 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_full_disk_delays_and_loses_nothing(small_disk, monkeypatch, caplog):
    """Frames wait in memory while the disk is full; when there is space again all of them are written."""
    monkeypatch.setattr("nasacct.store.journal_writer.RETRY_S", 0.05)
    ballast = small_disk / "ballast"
    writer = JournalWriter(small_disk, ORIGIN, Standing(), number=1)
    every = list(frames(60))
    for frame in every[:10]:
        writer.put(frame)
    assert writer.flush(10)
    fill(ballast)
    for frame in every[10:]:
        writer.put(frame)
    until(lambda: writer.trouble is not None)
    assert "No space" in writer.trouble
    ballast.unlink()
    assert writer.close(30)
    assert sums(small_disk) == {f"d{i}": (i * 59, 59) for i in range(1, 40)}


def test_short_memory_costs_resolution_and_no_byte(small_disk, monkeypatch):
    """What may not wait in memory is merged: fewer rows, the same sums, and the newest cycle as it was."""
    monkeypatch.setattr("nasacct.store.journal_writer.RETRY_S", 0.05)
    fill(small_disk / "ballast")
    every = list(frames(60))
    writer = JournalWriter(small_disk, ORIGIN, Standing(), number=1, ring_bytes=8 * every[5].nbytes)
    for frame in every:
        writer.put(frame)
    assert writer.waiting < 12
    assert writer.merged > 40
    (small_disk / "ballast").unlink()
    assert writer.close(30)
    found = sums(small_disk)
    assert {k: v[0] for k, v in found.items()} == {f"d{i}": i * 59 for i in range(1, 40)}
    assert all(rows < 12 for _, rows in found.values())
    last = journal.read(journal.files(small_disk)[-1]).frames[-1]
    assert last.seq == 60


@pytest.mark.parametrize("after", [5, 40])
def test_a_killed_writer_loses_nothing_that_was_acknowledged(tmp_path, after):
    """SIGKILL at any moment: every frame that was synced is there, and the next run goes on from it."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[2]); from test_journal import *; import pathlib\n"
        "w = JournalWriter(pathlib.Path(sys.argv[1]), ORIGIN, Standing(), number=1)\n"
        "for f in frames(100000):\n"
        "    w.put(f); w.flush(10); print(w.synced_seq, flush=True)\n"
    )
    here = Path(__file__).parent
    argv = [sys.executable, "-c", program, str(tmp_path), str(here)]
    child = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    seen = 0
    while seen < after:
        seen = int(child.stdout.readline())
    child.send_signal(signal.SIGKILL)
    rest = child.stdout.read().split()
    child.stdout.close()
    child.wait()
    acknowledged = int(rest[-1]) if rest else seen
    whole = journal.read(journal.files(tmp_path)[-1])
    assert len(whole.frames) >= acknowledged
    standing = whole.standing()
    assert standing.last("disks").of(np.array([7]))[2][0, 0] == 7 * (len(whole.frames) - 1)


def test_every_torn_tail_is_read_up_to_the_tear(tmp_path):
    """A journal cut at any byte gives its whole frames and says where it stopped; a cut head is an error."""
    writer = JournalWriter(tmp_path, ORIGIN, Standing(), number=1)
    for frame in frames(4, subjects=3):
        writer.put(frame)
    assert writer.close()
    (path,) = journal.files(tmp_path)
    data = path.read_bytes()
    ends = []
    for cut in range(0, len(data), 7):
        path.write_bytes(data[:cut])
        try:
            found = journal.read(path)
        except journal.JournalError:
            assert not ends, "a readable head became unreadable with more bytes"
            continue
        ends.append(len(found.frames))
        assert [f.seq for f in found.frames] == list(range(1, len(found.frames) + 1))
    assert ends == sorted(ends)
    assert set(ends) == {0, 1, 2, 3}


def test_every_flipped_bit_is_noticed_and_costs_one_frame(tmp_path):
    """No damaged frame is taken for data, and every other one is read as it was written."""
    writer = JournalWriter(tmp_path, ORIGIN, Standing(), number=1)
    for frame in frames(5, subjects=3):
        writer.put(frame)
    assert writer.close()
    (path,) = journal.files(tmp_path)
    data = bytearray(path.read_bytes())
    whole = {f.seq: f for f in journal.read(path).frames}
    heads = 0
    for at in range(0, len(data), 11):
        data[at] ^= 1 << (at % 8)
        path.write_bytes(data)
        data[at] ^= 1 << (at % 8)
        try:
            found = journal.read(path)
        except journal.JournalError:
            heads += 1
            continue
        assert found.trouble is not None
        (missing,) = whole.keys() - {f.seq for f in found.frames}
        assert [f.seq for f in found.frames if f.after_loss] == [missing + 1][: missing < len(whole)]
        for frame in found.frames:
            rows, asked = (f.batches[0].rows["disks"] for f in (frame, whole[frame.seq]))
            # without the frame that introduced them, subjects are not known
            np.testing.assert_array_equal(rows.values, asked.values if missing != 1 else asked.values[:0])
    assert heads


@pytest.mark.parametrize("hit", [1, 2, 4, 5])
def test_growth_that_a_damaged_frame_held_is_counted(tmp_path, hit):
    """Whoever changed in it is not taken to be unchanged afterwards: the growth lies between the readings around it."""
    whole = list(frames(6))
    for frame in whole[3:]:
        # odd subjects change no more after the third frame
        kept = frame.batches[0].rows["disks"].sids % 2 == 0
        rows = frame.batches[0].rows["disks"]
        frame.batches[0].rows["disks"] = Rows(rows.sids[kept], rows.values[kept])
    writer = JournalWriter(tmp_path, ORIGIN, Standing(), number=1)
    for frame in whole:
        writer.put(frame)
    assert writer.flush(10)
    writer.rotate()
    (last,) = list(frames(7))[6:]
    last.batches[0].rows["disks"] = Rows(
        last.batches[0].rows["disks"].sids[:0], whole[0].batches[0].rows["disks"].values[:0]
    )
    writer.put(last)
    assert writer.close()
    expected = {f"d{i}": i * (2 if i % 2 else 5) for i in range(1, 40)}
    assert {k: v[0] for k, v in sums(tmp_path).items()} == expected
    path = journal.files(tmp_path)[0]
    data = path.read_bytes()
    at = [m.start() for m in re.finditer(rb'\{"seq":', data)][hit - 1]
    path.write_bytes(data[:at] + b"X" + data[at + 1 :])
    if hit == 1:
        # their births are lost, so their first reading is where counting begins
        expected = dict.fromkeys(expected, 0)
    assert {k: v[0] for k, v in sums(tmp_path).items()} == expected


def test_a_merged_frame_says_of_nobody_what_was_not_read(tmp_path):
    """Who could not be read later, or had ended, keeps the time of the reading; everybody else's is the later one."""
    first, second, *_ = frames(2, subjects=5)
    one, two = first.batches[0], second.batches[0]
    ended, failed = one.listed[0], one.listed[1]
    kept = np.isin(two.rows["disks"].sids, [3, 4])
    two.rows["disks"] = Rows(two.rows["disks"].sids[kept], two.rows["disks"].values[kept])
    two.failed, two.ended, two.listed = {failed: "failed"}, [ended], one.listed[1:]
    merged = merge(first, second)
    apart, rest = merged.batches
    assert (apart.listed, apart.at, sorted(apart.rows["disks"].sids.tolist())) == (None, one.at, [1, 2])
    assert (rest.at, sorted(rest.rows["disks"].sids.tolist())) == (two.at, [3, 4])
    assert [b.at for b in merge(merged, Frame(3, second.at, [], [])).batches].count(one.at) == 1


def test_a_name_that_tells_of_no_moment_is_no_journals(tmp_path):
    """A foreign file is left out, whatever it is called."""
    for name in (
        "00000001-20260230T100000Z-00000000.journal",
        "00000001-20261399T100000Z-00000000.journal",
        "x.journal",
    ):
        (tmp_path / name).write_bytes(b"")
    assert journal.files(tmp_path) == []
    with pytest.raises(journal.JournalError, match="no moment"):
        journal.begun(tmp_path / "00000001-20260230T100000Z-00000000.journal")
