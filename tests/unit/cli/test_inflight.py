"""`nasacct inflight`: who waits inside nfsd, as a table, JSON and CSV."""

import csv
import io
import json

import pytest
import series

from nasacct.store import root

#: srv1 has two clients and threads enough; all threads of srv2 were busy in half of the time, srv3 is idle.
STORE = """
inflight server=srv1 client= operation=         sampled_us    0+9000000x30
inflight server=srv1 client= operation=         full_us       0+0x30
inflight server=srv1 client= operation=         passed_us     0+10000000x30
inflight server=srv1 client=c1 operation=read   in_flight_us  0+18000000x30
inflight server=srv1 client=c1 operation=read   sampled_calls 0+18x30
inflight server=srv1 client=c2 operation=write  in_flight_us  0+2000000x30
inflight server=srv1 client=c2 operation=write  sampled_calls 0+2x30
nfsd     server=srv1 rc_hits    0+0x30
nfsd     server=srv1 rc_misses  0+0x30
nfsd     server=srv1 rc_nocache 0+400x30
inflight server=srv2 client= operation=         sampled_us    0+10000000x30
inflight server=srv2 client= operation=         full_us       0+5000000x30
inflight server=srv2 client= operation=         passed_us     0+10000000x30
inflight server=srv2 client=c3 operation=read   in_flight_us  0+60000000x30
inflight server=srv2 client=c3 operation=read   sampled_calls 0+60x30
nfsd     server=srv2 rc_hits    0+0x30
nfsd     server=srv2 rc_misses  0+0x30
nfsd     server=srv2 rc_nocache 0+400x30
inflight server=srv3 client= operation=         sampled_us    0+10000000x30
inflight server=srv3 client= operation=         full_us       0+0x30
inflight server=srv3 client= operation=         passed_us     0+10000000x30
"""


@pytest.fixture
def store(tmp_path):
    root.prepare(tmp_path / "store")
    series.write(STORE, tmp_path / "store")
    return tmp_path / "store"


def answer(nasacct, store, *arguments):
    done = nasacct("inflight", "--root", store, "--json", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return {(row["server"], row["client"], row["operation"]): row for row in json.loads(done.stdout)}


def test_time_in_flight_is_told_by_server_client_and_operation(nasacct, store):
    """Each with its share of the server's; how much of the time was sampled is the server's."""
    found = answer(nasacct, store)
    assert list(found) == [
        *(("srv1", None, None), ("srv1", "c1", "read"), ("srv1", "c2", "write")),
        *(("srv2", None, None), ("srv2", "c3", "read"), ("srv3", None, None)),
    ]
    reads = found["srv1", "c1", "read"]
    assert (reads["in_flight_us"], reads["sampled_calls"]) == (540_000_000, 540)
    assert (reads["share"], reads["mean"], reads["sampled"]) == (0.9, 2.0, None)
    whole = found["srv1", None, None]
    assert (whole["in_flight_us"], whole["sampled"], whole["full"]) == (600_000_000, 0.9, 0)


def test_latency_is_told_unless_threads_were_exhausted(nasacct, store):
    """20/9 calls in flight at 40 a second take 55.6 ms each; where calls wait for threads nobody knows."""
    found = answer(nasacct, store)
    assert found["srv1", None, None]["latency_us"] == pytest.approx(1e6 * 20 / 9 / 40)
    assert (found["srv2", None, None]["full"], found["srv2", None, None]["latency_us"]) == (0.5, None)
    idle = found["srv3", None, None]
    assert (idle["share"], idle["mean"], idle["latency_us"]) == (None, 0, None)


def test_latency_is_unknown_where_only_a_part_of_the_calls_was_sampled(nasacct, tmp_path):
    """Sampling that was on at the beginning and at the end; nfsd counted the calls between, too."""
    gap = " ".join(["-"] * 20)
    text = STORE.partition("inflight server=srv2")[0].replace("x30", f"x5 {gap} 0 9000000")
    text = "\n".join(line.split("#")[0] for line in text.splitlines() if "nfsd" not in line)
    text += "\n".join(f"\nnfsd server=srv1 rc_{n} 0+{m}x26" for n, m in (("hits", 0), ("misses", 0), ("nocache", 400)))
    root.prepare(tmp_path / "store")
    series.write(text, tmp_path / "store")
    whole = answer(nasacct, tmp_path / "store")["srv1", None, None]
    assert whole["sampled_calls"] > 30
    assert whole["latency_us"] is None


def test_one_server_and_a_span_of_time(nasacct, store):
    """What reaches over an edge counts by time."""
    span = ("--server", "srv1", "--since", "2026-11-23 10:02:05Z", "--until", "2026-11-23 10:03:05Z")
    found = answer(nasacct, store, *span)
    assert set(found) == {("srv1", None, None), ("srv1", "c1", "read"), ("srv1", "c2", "write")}
    assert found["srv1", "c1", "read"]["in_flight_us"] == 108_000_000
    assert found["srv1", None, None]["latency_us"] == pytest.approx(1e6 * 20 / 9 / 40)


def test_people_get_a_table_of_80_columns(nasacct, store):
    """What is unknown is said to be, and the heading tells how much was sampled."""
    done = nasacct("inflight", "--root", store)
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0] == "time in flight, of 97 % of the time, which was sampled"
    (full,) = [line for line in lines if line.startswith("srv2")]
    assert full.split()[-3:] == ["50", "%", "unknown"]
    (easy,) = [line for line in lines if line.startswith("srv1")]
    assert easy.endswith("55.6 ms")


def test_csv_says_the_same_as_json(nasacct, store):
    """The same rows with the same fields; without rows, the fields."""
    by_json = answer(nasacct, store)
    rows = list(csv.DictReader(io.StringIO(nasacct("inflight", "--root", store, "--csv").stdout)))
    assert [list(row) for row in rows] == [list(row) for row in by_json.values()]
    assert [row["in_flight_us"] for row in rows] == [str(row["in_flight_us"]) for row in by_json.values()]
    empty = nasacct("inflight", "--root", store, "--csv", "--server", "none").stdout
    assert empty.splitlines() == [",".join(rows[0])]


def test_a_store_without_samples_says_why(nasacct, replayed):
    """A recording has none."""
    done = nasacct("inflight", "--root", replayed)
    assert (done.returncode, "nothing was sampled in that time" in done.stdout) == (0, True)
    assert json.loads(nasacct("inflight", "--root", replayed, "--json").stdout) == []


def test_a_span_that_ends_before_it_begins_is_refused(refused, store):
    """Status 64 and the mend."""
    status, sentence = refused("inflight", "--root", store, "--since", "now", "--until", "yesterday")
    assert (status, "--since" in sentence) == (64, True)
