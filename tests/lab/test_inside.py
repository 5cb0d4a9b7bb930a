"""What the collector sees inside real nfsds, against what their clients and the disk say.

One virtual machine is booted for all of this file; guest/inside.py is what happens in it.
"""

import io
import json

import payload
import pytest
import vm

from nasacct.store.schema import STREAMS
from nasacct.store.warehouse import Warehouse

pytestmark = pytest.mark.lab


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """The directory that the guest left: truth.json, collect.log, store, hist.txt."""
    out, said = tmp_path_factory.mktemp("inside"), io.BytesIO()
    machine = vm.Machine(
        disks=[vm.Disk("nas", "2G", "iops-total=6")],
        inputs=[payload.tree()],
        site=payload.site_packages(),
        stdout=said,
        stderr=said,
    )
    end = machine.run(["python3", "guest/inside.py"], out, timeout_s=400)
    words = said.getvalue().decode("utf-8", "replace")[-6000:]
    assert end.status == 0, f"the guest ended with {end.status}; it said:\n{words}\nits console:\n{end.console}"
    print(words, f"{end.accelerator}: {end.lived_s:.0f} s")
    return out


@pytest.fixture(scope="session")
def truth(lab):
    """What truth.json says."""
    return json.loads((lab / "truth.json").read_text("utf-8"))


@pytest.fixture(scope="session")
def told(lab):
    """By stream and server, the sum of every measure, and how many rows of it are unknown."""
    warehouse = Warehouse(lab / "store")
    found = {}
    for view in ("inside", "latency", "threads", "nfsd"):
        names = [measure.name for measure in STREAMS[view].usage]
        sums = ", ".join(f"sum({name}) AS {name}, count(*) - count({name}) AS {name}_unknown" for name in names)
        rows = warehouse.query(f"SELECT server, {sums} FROM {view} GROUP BY server", {}, views=[view]).to_pylist()
        found[view] = {row.pop("server"): {name: int(value or 0) for name, value in row.items()} for row in rows}
    return found


def test_the_collector_ends_well_and_leaves_nothing_in_the_kernel(truth):
    """While it ran it had instances of its own; what others count is as it was."""
    assert truth["collector_status"] == 0
    assert truth["instances"]["during"] == ["nasacct-inside", "nasacct-latency", "nasacct-threads", "other"]
    assert truth["instances"]["after"] == ["other"]
    before, after = truth["foreign"]
    assert before == after
    assert before.count("hist:keys=netns_ino:") == 2


def test_an_nfsv3_server_has_its_procedures(truth, told):
    """Exactly as often as its client asked; /proc counts NFSv3's procedures for the whole host only."""
    for server in ("202", "203"):
        assert told["inside"][server]["read_calls"] == truth["operations"][server]["READ"]["calls"]
        assert told["inside"][server]["read_calls_unknown"] == 0


@pytest.mark.parametrize("server", ["201", "202", "203"])
def test_every_call_of_a_server_is_told(told, server):
    """As many as nfsd's own counters say, of all its lives; NFSACL's are among them, other programs' are not."""
    counted, other = told["nfsd"][server]["calls"], told["inside"][server]["other_calls"]
    assert abs(told["inside"][server]["calls"] - other - counted) <= 0.01 * counted + 2


def test_the_time_inside_nfsd_is_that_of_the_clients_round_trips(truth, told):
    """Within 5 % for reads that wait for the disk, longer than 20 ms: by NFSv3, and of all NFSv4 calls together."""
    read = truth["operations"]["202"]["READ"]
    assert read["rtt_ms"] / read["calls"] > 20
    assert told["inside"]["202"]["read_us"] / 1000 == pytest.approx(read["rtt_ms"], rel=0.05)
    compounds = sum(one["rtt_ms"] for one in truth["operations"]["201"].values())
    assert truth["operations"]["201"]["READ_PLUS"]["rtt_ms"] > 0.9 * compounds
    assert told["inside"]["201"]["compound_us"] / 1000 == pytest.approx(compounds, rel=0.05)


def test_latency_is_where_the_reads_were(truth, told):
    """All calls are in some bucket, and as many as were read from the disk in those above 20 ms."""
    buckets = [told["latency"]["202"][f"calls_{i:02}"] for i in range(24)]
    assert sum(buckets) == told["inside"]["202"]["calls"]
    assert sum(buckets[15:]) >= truth["operations"]["202"]["READ"]["calls"]


def test_what_the_threads_read_is_what_the_disk_read(truth, told):
    """Of the two servers whose clients read from the disk; what a third one had in memory counts for nobody."""
    read = {server: told["threads"][server]["disk_read_bytes"] for server in ("201", "202")}
    assert sum(read.values()) == pytest.approx(truth["disk_read_bytes"], rel=0.02)
    assert min(read.values()) > 0.4 * truth["disk_read_bytes"]


def test_generations_follow_each_other_without_a_gap_that_matters(truth):
    """Hundreds of them one after the other under load lose hardly a call, and count none twice."""
    trial = truth["generations"]
    assert trial["rounds"] > 50
    assert 0.97 * trial["calls"] <= trial["counted"] <= trial["calls"]
