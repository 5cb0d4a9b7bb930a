"""The real collector beside real kernel NFS servers, against what the clients say they moved.

One virtual machine is booted for all of this file; guest/accuracy.py is what happens in it.
"""

import json
import os
import subprocess
import sys

import payload
import pytest

pytestmark = pytest.mark.lab

#: Servers whose clients were idle, for two cycles, at every end of a life; one that was restarted after a load; and one
#: that was restarted in the middle of one.
QUIESCED, ABRUPT, LOADED = ("101", "102", "103"), "104", "105"
MIB = 1 << 20


@pytest.fixture(scope="session")
def lab(accuracy):
    """What was played, and left: truth.json, collect.log, store."""
    return accuracy


@pytest.fixture(scope="session")
def truth(lab):
    """What truth.json says, by server."""
    return json.loads((lab / "truth.json").read_text("utf-8"))


def told(lab, by, *options):
    """The rows of `nasacct usage`, by what they are about."""
    return {row[by]: row for row in answered(lab, "usage", "--by", by, *options)}


def answered(lab, command, *options):
    """The rows that a command prints, as somebody on the host would ask."""
    argv = [sys.executable, "-m", "nasacct", command, "--root", lab / "store", "--json", *options]
    environment = {**os.environ, "PYTHONPATH": str(payload.PROJECT)}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment, cwd=lab)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="session")
def usage(lab):
    """By server."""
    return told(lab, "server")


@pytest.fixture(scope="session")
def clients(lab, truth):
    """By client, since the source heard of every end."""
    return told(lab, "client", "--since", truth["baseline"])


def lived(truth, server, counter):
    """The kernel's counter of every life of the server, summed."""
    return sum(life[counter] for life in truth["servers"][server]["lives"])


@pytest.mark.parametrize("server", [*QUIESCED, ABRUPT])
def test_the_kernel_counts_what_the_clients_moved(truth, server):
    """Each server's own `io` over all its lives is the sum of its clients' mountstats: else the lab itself is wrong."""
    moved = truth["servers"][server]["moved"]
    for counter in ("read_bytes", "written_bytes"):
        assert lived(truth, server, counter) == moved[counter] > 0


def test_the_collector_ends_with_status_0_on_sigterm(truth):
    """SIGTERM makes it write what it holds and leave without an error."""
    assert truth["collector_status"] == 0


def test_usage_names_exactly_the_servers(usage):
    """No server is missing and nothing else is taken for one."""
    assert set(usage) == {*QUIESCED, ABRUPT, LOADED}


@pytest.mark.parametrize("measure", ["read_bytes", "written_bytes"])
@pytest.mark.parametrize("server", QUIESCED)
def test_nfsd_bytes_equal_the_clients_mountstats(truth, usage, server, measure):
    """To the byte, on NFSv4.2 and v3, both directions, over restarts and for a server born meanwhile."""
    row = usage[server]
    assert row[measure] == truth["servers"][server]["moved"][measure]
    assert (row[f"{measure}_max"], row[f"{measure}_quality"]) == (row[measure], "exact")


@pytest.mark.parametrize("server", QUIESCED)
def test_every_nfsd_measure_is_exact(usage, server):
    """Nothing was guessed or bounded: each life was seen to its quiesced end."""
    assert usage[server]["calls_quality"] == "exact"
    assert usage[server]["calls"] > 0


@pytest.mark.parametrize(("link", "carried"), [("received_bytes", "written_bytes"), ("sent_bytes", "read_bytes")])
@pytest.mark.parametrize("server", ["101", "102"])
def test_link_bytes_are_the_payload_and_at_most_5_percent_more(truth, usage, server, link, carried):
    """In the direction of the data the server's interface carries the payload and some framing, over >= 50 MiB."""
    moved = truth["servers"][server]["moved"][carried]
    assert moved >= 50 * MIB
    assert moved <= usage[server][link] <= moved * 1.05


@pytest.mark.parametrize("server", ["101", "102"])
def test_a_restart_loses_nothing(truth, usage, server):
    """Both lives are counted: more than either alone, and the second began again at zero."""
    lives = truth["servers"][server]["lives"]
    assert len(lives) == 2
    assert lives[1]["written_bytes"] < lives[0]["written_bytes"]
    assert usage[server]["written_bytes"] == lives[0]["written_bytes"] + lives[1]["written_bytes"]
    assert usage[server]["received_bytes"] > max(life["tx_bytes"] for life in lives)


@pytest.mark.parametrize("measure", ["read_bytes", "written_bytes"])
def test_a_restart_between_two_cycles_is_never_understated(truth, usage, measure):
    """The last bytes of a life are caught at its end, or their place is kept: the truth lies in value .. max."""
    row, moved = usage[ABRUPT], truth["servers"][ABRUPT]["moved"][measure]
    assert row[measure] <= moved
    assert row[f"{measure}_max"] is None or moved <= row[f"{measure}_max"]
    if row[f"{measure}_quality"] == "exact":
        assert row[measure] == moved


@pytest.mark.parametrize(("measure", "sent"), [("read_bytes", "received"), ("written_bytes", "sent")])
def test_a_restart_under_load_is_neither_understated_nor_invented(truth, usage, measure, sent):
    """At least what the client counts, which it may have sent twice; no more than it moved by TCP at all."""
    row, moved = usage[LOADED], truth["servers"][LOADED]["moved"][measure]
    assert moved >= 12 * MIB
    assert row[f"{measure}_max"] is None or moved <= row[f"{measure}_max"]
    assert row[measure] <= sum(c[sent] for c in truth["sockets"]["26"]["connections"])
    if row[f"{measure}_quality"] == "exact":
        assert moved <= row[measure]


#: VPSes and what became of their connections.
VPSES = {
    "21": "NFSv4.2 with nconnect=4, over a restart of its server",
    "22": "NFSv3, the other client of that server",
    "23": "NFSv3, whose server was restarted under it, and whose connection was reset",
    "24": "NFSv4.2, which died while it had mounted",
    "25": "NFSv3, whose server was restarted right after a load",
}


@pytest.mark.parametrize("vps", VPSES)
def test_a_client_moved_what_its_own_kernel_counts(truth, clients, vps):
    """To the byte, but for the ends: TCP counts each as a byte of the side that hears of it."""
    about = truth["sockets"][vps]
    every = about["connections"]
    row = clients[about["address"]]
    # of the client's bytes the first that is acknowledged is the one that opens the connection
    sent, received = sum(c["sent"] - 1 for c in every), sum(c["received"] for c in every)
    assert min(sent, received) > 1000
    assert abs(row["received_bytes"] - sent) <= len(every)
    assert abs(row["sent_bytes"] - received) <= len(every)
    assert row["quality"] == "exact"


def test_a_client_whose_server_died_under_it_moved_what_its_own_kernel_counts(truth, clients):
    """What one side sent last, and the other heard or did not, is all that they may differ by."""
    about = truth["sockets"]["26"]
    row, every = clients[about["address"]], about["connections"]
    assert len(every) >= 2
    for measure, sent in (("received_bytes", "sent"), ("sent_bytes", "received")):
        assert abs(row[measure] - sum(c[sent] for c in every)) <= MIB


@pytest.mark.parametrize("server", QUIESCED)
def test_export_stats_splits_what_nfsd_counted_as_the_clients_did(lab, truth, server):
    """At least most of what each client's mountstats say, never more; and that is possible by what nfsd counted."""
    rows = [row for row in answered(lab, "exports") if row["server"] == server]
    (path,) = {row["export"] for row in rows} - {None}
    assert path.startswith("/export/")
    split = {row["client"]: row for row in rows}
    for name, moved in truth["servers"][server]["clients"].items():
        row = split[truth["sockets"][name.removeprefix("vps")]["address"]]
        for measure in ("read_bytes", "written_bytes"):
            assert moved[measure] / 2 < row[measure] <= moved[measure] <= row[f"{measure}_max"]


def test_connections_were_as_the_story_has_it(truth):
    """Four at a time, anew after a reset, and one of which its server hears no end, whenever its client gives it up."""
    every = {vps: about["connections"] for vps, about in truth["sockets"].items()}
    assert len(every["21"]) >= 8
    assert len(every["23"]) >= 3
    assert len(every["24"]) == 1
    assert not any(c["lives"] for vps in every if vps != "24" for c in every[vps])


def test_what_nobody_moved_by_tcp_is_a_line_of_its_own(lab, usage):
    """Headers and mountd: clients and that line together are the links, over all of the time."""
    clients = told(lab, "client")
    rest = clients[None]
    for measure in ("received_bytes", "sent_bytes"):
        links = sum(row[measure] for row in usage.values())
        known = sum(row[measure] for client, row in clients.items() if client is not None)
        assert known < links
        assert known + rest[measure] <= links <= known + rest[f"{measure}_max"]
