"""Calls in flight of real kernel NFS servers on a slow disk, against what the clients' own kernels measured.

What happens in the virtual machine is in guest/inside.py.
"""

import json
import os
import subprocess
import sys

import payload
import pytest

from nasacct.store.warehouse import Warehouse

pytestmark = pytest.mark.lab

#: The server whose threads suffice, its clients and what they did; and the one whose threads do not.
EASY, WAITED, FULL = "201", {"21": "read_plus", "22": "read", "23": "write"}, "202"
#: Of calls that take longer than this the time is compared.
SLOW_MS = 20
#: Which part of the time samples stand for while a client waited (on a busy machine they come late and leave gaps), and
#: in which part of that all threads were busy. Late ones are in the cycle after theirs: with the first in which the
#: client was seen goes the one before it.
WHILE_IT_WAITED = """
WITH seen AS (
    SELECT min(t0) AS first, max(t1) AS last FROM inflight
    WHERE server = $server AND client = $client AND in_flight_us > 0)
SELECT CAST(sum(sampled_us) / sum(passed_us) AS DOUBLE) AS covered,
       CAST(sum(full_us) / sum(sampled_us) AS DOUBLE) AS full FROM inflight
WHERE server = $server AND operation IS NULL AND t1 BETWEEN (SELECT first FROM seen) AND (SELECT last FROM seen)
"""


@pytest.fixture(scope="module")
def truth(truth_inside):
    """What the clients' kernels measured."""
    return truth_inside


@pytest.fixture(scope="module")
def waits(inside):
    """What `nasacct inflight` says, by server, client and operation."""
    argv = [sys.executable, "-m", "nasacct", "inflight", "--root", inside / "store", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(payload.PROJECT)}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment, cwd=inside)
    assert done.returncode == 0, done.stderr
    return {(row["server"], row["client"], row["operation"]): row for row in json.loads(done.stdout)}


def while_it_waited(inside, row):
    """What was covered and full while the client of a row waited."""
    whose = {"server": row["server"], "client": row["id"]}
    (found,) = Warehouse(inside / "store").query(WHILE_IT_WAITED, whose, views=["inflight"]).to_pylist()
    return found


@pytest.mark.parametrize("vps", WAITED)
def test_time_in_flight_is_what_the_client_waited(inside, truth, waits, vps):
    """Within 5 %: of NFSv4.2 and NFSv3, reads and writes, that waited for the disk; samples stand for a part of it."""
    counted = truth["clients"][vps][WAITED[vps]]
    assert counted["rtt_ms"] / counted["calls"] > SLOW_MS
    row = waits[EASY, truth["addresses"][vps], WAITED[vps]]
    covered = while_it_waited(inside, row)["covered"]
    in_flight_us = row["in_flight_us"] / covered
    latency_ms, rtt_ms = in_flight_us / 1000 / counted["calls"], counted["rtt_ms"] / counted["calls"]
    by = f"{row['sampled_calls']} samples of {covered:.0%} of the time"
    print(f"vps{vps}: {latency_ms:.1f} ms by {by}, {rtt_ms:.1f} ms by its mountstats")
    assert latency_ms == pytest.approx(rtt_ms, rel=0.05)


def test_most_of_the_time_was_sampled(waits):
    """But for the restart of the other server, and of that one what it was not up."""
    assert 0.7 < waits[EASY, None, None]["sampled"] <= 1
    assert 0.5 < waits[FULL, None, None]["sampled"] <= 1


def test_no_client_waits_for_what_it_did_not_ask(waits, truth):
    """Each has its own operations, and they are those that its kernel sent."""
    for server, client, operation in waits:
        if operation is not None:
            (vps,) = [vps for vps, address in truth["addresses"].items() if address == client]
            assert (server == FULL) == (vps == "24")
            if waits[server, client, operation]["sampled_calls"] > 30:
                assert operation in truth["clients"][vps]


def test_exhausted_threads_are_told_and_latency_is_then_unknown(inside, truth, waits):
    """Twelve readers, eight threads: full most of the time in which they read; the other server never was."""
    full, easy = waits[FULL, None, None], waits[EASY, None, None]
    assert while_it_waited(inside, waits[FULL, truth["addresses"]["24"], "read_plus"])["full"] > 0.5
    assert full["full"] > 0.05
    assert full["latency_us"] is None
    assert easy["full"] == 0
    assert easy["latency_us"] > SLOW_MS * 1000


def test_no_namespace_is_kept_alive(truth):
    """A server that ended takes its namespace with it, although it was sampled to the end."""
    assert truth["outlived_s"] < 5


def test_a_new_life_of_a_server_is_sampled_anew(inside):
    """With its own epoch, to the end of which it was sampled."""
    sql = (
        "SELECT epoch, sum(sampled_us) AS us FROM inflight WHERE server = $server AND operation IS NULL GROUP BY epoch"
    )
    rows = Warehouse(inside / "store").query(sql, {"server": FULL}, views=["inflight"]).to_pylist()
    assert len(rows) == 2
    assert all(row["us"] > 1_000_000 for row in rows)


def test_the_collector_ends_with_status_0(truth):
    """SIGTERM ends it, its sampling thread too."""
    assert truth["collector_status"] == 0
