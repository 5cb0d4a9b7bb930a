"""What the collector sees inside real nfsds, against what their clients and the disk say.

What happens in the virtual machine is in guest/inside.py.
"""

import pytest

from nasacct.store.schema import STREAMS
from nasacct.store.warehouse import Warehouse

pytestmark = pytest.mark.lab


#: A server with clients of NFSv4.2 (reads, writes) and NFSv3 (reads), and one whose threads do not suffice.
EASY, FULL = "201", "202"


@pytest.fixture(scope="module")
def truth(truth_inside):
    """What the clients' kernels measured, and what else is known."""
    return truth_inside


@pytest.fixture(scope="module")
def told(inside):
    """By stream and server, the sum of every measure, and how many rows of it are unknown."""
    warehouse = Warehouse(inside / "store")
    found = {}
    for view in ("inside", "latency", "threads", "nfsd"):
        names = [measure.name for measure in STREAMS[view].usage]
        sums = ", ".join(f"sum({name}) AS {name}, count(*) - count({name}) AS {name}_unknown" for name in names)
        rows = warehouse.query(f"SELECT server, {sums} FROM {view} GROUP BY server", {}, views=[view]).to_pylist()
        found[view] = {row.pop("server"): {name: int(value or 0) for name, value in row.items()} for row in rows}
    return found


def test_it_leaves_nothing_in_the_kernel(truth):
    """While it runs it has instances of its own; what others count is as it was."""
    assert truth["during"] == ["nasacct-inside", "nasacct-latency", "nasacct-threads", "other"]
    assert truth["after"] == ["other"]
    before, after = truth["foreign"]
    assert before == after
    assert before.count("hist:keys=netns_ino:") == 2


def test_an_nfsv3_client_has_its_procedures(truth, told):
    """Exactly as often as it asked; /proc counts NFSv3's procedures for the whole host only."""
    assert told["inside"][EASY]["read_calls"] == truth["clients"]["22"]["read"]["calls"]
    assert told["inside"][EASY]["read_calls_unknown"] == 0


@pytest.mark.parametrize("server", [EASY, FULL])
def test_every_call_of_a_server_is_told(told, server):
    """As many as nfsd's own counters say, of all its lives; NFSACL's are among them, other programs' are not."""
    counted, other = told["nfsd"][server]["calls"], told["inside"][server]["other_calls"]
    assert abs(told["inside"][server]["calls"] - other - counted) <= 0.01 * counted + 2


def test_the_time_inside_nfsd_is_that_of_the_clients_round_trips(truth, told):
    """Within 5 % for calls that wait for the disk, longer than 20 ms: NFSv3's reads, and all NFSv4 calls together."""
    read = truth["clients"]["22"]["read"]
    assert read["rtt_ms"] / read["calls"] > 20
    assert told["inside"][EASY]["read_us"] / 1000 == pytest.approx(read["rtt_ms"], rel=0.05)
    compounds = sum(one["rtt_ms"] for vps in ("21", "23") for one in truth["clients"][vps].values())
    assert told["inside"][EASY]["compound_us"] / 1000 == pytest.approx(compounds, rel=0.05)


def test_of_a_server_with_too_few_threads_the_wait_for_one_is_missing(truth, told):
    """Eight threads and twelve readers: what the calls took once a thread had them is about two thirds of it."""
    waited = sum(one["rtt_ms"] for one in truth["clients"]["24"].values())
    assert told["inside"][FULL]["compound_us"] / 1000 < 0.85 * waited


@pytest.mark.parametrize("server", [EASY, FULL])
def test_latency_has_every_call_in_some_bucket(told, server):
    """Also of a life that began and ended between two minutes; one that ends between two generations is in neither."""
    found = sum(told["latency"][server][f"calls_{i:02}"] for i in range(24))
    assert found == pytest.approx(told["inside"][server]["calls"], rel=0.005)


def test_slow_calls_are_in_the_buckets_of_slow_calls(truth, told):
    """Those of one server that waited for the disk are above 16 ms; a few find in memory what was read before."""
    slow = sum(told["latency"][FULL][f"calls_{i:02}"] for i in range(15, 24))
    assert slow >= 0.8 * truth["clients"]["24"]["read_plus"]["calls"]


def test_what_the_threads_read_is_what_the_disk_read(truth, told):
    """By the threads' own accounts of both servers together, and each has a part."""
    read = {server: told["threads"][server]["disk_read_bytes"] for server in (EASY, FULL)}
    assert sum(read.values()) == pytest.approx(truth["disk_read_bytes"], rel=0.02)
    assert min(read.values()) > 0.2 * truth["disk_read_bytes"]


def test_generations_follow_each_other_without_a_gap_that_matters(truth):
    """Many of them one after the other under load lose hardly a call, and count none twice."""
    trial = truth["generations"]
    assert trial["rounds"] > 50
    assert 0.97 * trial["calls"] <= trial["counted"] <= trial["calls"]
