"""The store's bench at a tiny scale: that its figures are of what it says, not what they are."""

import numpy as np

from bench.store import append
from bench.store.collecting import Collecting
from bench.store.fleet import MOVING, Fleet
from nasacct.store import journal
from nasacct.store.schema import STREAMS


def test_a_quarter_of_the_fleets_rows_change_and_only_what_is_said_to_move():
    """The figures of a byte a sample are of a fleet as real ones are, and count no measure that never moves."""
    fleet, before = Fleet(200), {}
    shares = []
    for i in range(60):
        before = {name: counters.copy() for name, counters in fleet.counters.items()}
        fleet.step(10, 43_200 + 10 * i)
        shares.append((fleet.counters["links"] != before["links"]).any(axis=1).mean())
        for name, counters in fleet.counters.items():
            moved = np.flatnonzero((counters != before[name]).any(axis=0))
            assert set(moved) <= {STREAMS[name].index[m] for m in MOVING[name]}
            assert (counters >= before[name]).all()
    assert 0.18 < np.mean(shares) < 0.32


def test_an_hour_put_forward_is_usage_of_ten_seconds(tmp_path):
    """Sums of a year need not be made of a year of cycles."""
    with Collecting(tmp_path, 4, 1_760_000_400) as run:
        run.begin(3600, 10**9)
        for _ in range(3):
            run.cycle(boot_s=10, all_rows=True)
    (path,) = journal.files(tmp_path)
    frames = journal.read(path).frames
    assert [len(b.rows["nfsd"].sids) for f in frames for b in f.batches if b.source == "nfsd"] == [4, 4, 4]
    walls, boots = [f.at.wall_ns for f in frames], [f.at.boot_ns for f in frames]
    assert np.diff(walls).tolist() == [3600 * 10**9] * 2
    assert np.diff(boots).tolist() == [10 * 10**9] * 2


def test_appends_are_timed(tmp_path):
    """Every way has as many measurements, and every cycle was written."""
    taken = append.run(tmp_path, 4, 2)
    assert {what: len(values) for what, values in taken.items()} == dict.fromkeys(taken, 2)
    (path,) = journal.files(tmp_path)
    assert journal.read(path).trouble is None
