"""Whose clients and exports are, wherever they are shown: owner and consumer apart, ids and names apart."""

import csv
import io
import json

import pytest
from journals import Recorder

from nasacct.store import inventory
from nasacct.store.inventory import EVER, Statement

MOVED = ("received_bytes", "sent_bytes")
ADDRESSES = {"c1": "192.0.2.21", "c2": "192.0.2.9", "c3": "2001:db8:0:31::77"}


def thing(kind, id_, **said):
    return Statement(kind, id_, EVER[0], said, 1)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """An export of a member that a VPS of another one uses, a hypervisor, and somebody of whom nothing is known."""
    where = tmp_path_factory.mktemp("whose") / "store"
    recorder = Recorder(where)
    things = {recorder.thing("nfsd", server="103"): ("read_bytes", "read")}
    things[recorder.thing("links", server="103", link="nfs-103")] = MOVED
    for name, address in ADDRESSES.items():
        client = recorder.thing("clients", f"boot/103/{name}", server="103", client=name)
        client.about = {"address": address}
        things[client] = MOVED
        waits = recorder.thing("inflight", f"boot/w/{name}", server="103", client=name, operation="read")
        things[waits] = ("in_flight_us", "sampled_calls")
    for k in range(4):
        recorder.cycle({each: dict.fromkeys(measures, 1_000_000 * k) for each, measures in things.items()})
    inventory.tell(
        where,
        [
            thing("member", "1001", name="novakova-jana"),
            thing("member", "1002", name="second"),
            thing("vps", "21", name="web1.example.org", member="1002"),
            thing("address", "192.0.2.21/32", vps="21"),
            thing("address", "192.0.2.9/32", name="node7"),
            thing("export", "103", server="103", dataset="1001/photos", member="1001"),
        ],
    )
    return where


CLIENT = {
    "kind": "vps",
    "vps": "21",
    "vps_name": "web1.example.org",
    "consumer": "1002",
    "consumer_name": "second",
    "owner": "1001",
    "owner_name": "novakova-jana",
}


@pytest.mark.parametrize(
    ("command", "rows"),
    [
        (["usage", "--by", "client"], lambda said: said),
        (["usage", "--by", "vps"], lambda said: said),
        (["top", "--once", "--server", "103"], lambda said: said["clients"]),
        (["inflight"], lambda said: said),
    ],
)
def test_clients_have_owner_and_consumer_apart(nasacct, store, command, rows):
    """The same columns everywhere, in JSON and CSV; of who is nobody's only the owner is known."""
    told = rows(json.loads(nasacct(*command, "--root", store, "--json").stdout))
    (mine,) = [row for row in told if row["vps"] == "21"]
    assert {key: mine[key] for key in CLIENT} == CLIENT
    for kind in ("shared", "address"):
        (other,) = [row for row in told if row["kind"] == kind]
        assert {key: other[key] for key in CLIENT} == dict.fromkeys(CLIENT) | {
            "kind": kind,
            "owner": "1001",
            "owner_name": "novakova-jana",
        }
    written = list(csv.DictReader(io.StringIO(nasacct(*command, "--root", store, "--csv").stdout)))
    (mine,) = [row for row in written if row["vps"] == "21"]
    assert {key: mine[key] for key in CLIENT} == CLIENT


def test_exports_and_members_have_names_beside_ids(nasacct, store):
    """An export is its dataset and its number to people."""
    (row,) = json.loads(nasacct("usage", "--by", "export", "--root", store, "--json").stdout)
    told = {key: row[key] for key in ("export", "dataset", "owner", "owner_name", "node")}
    assert told == {
        "export": "103",
        "dataset": "1001/photos",
        "owner": "1001",
        "owner_name": "novakova-jana",
        "node": "nas1",
    }
    assert "1001/photos (103)" in nasacct("usage", "--by", "export", "--root", store).stdout
    (row,) = json.loads(nasacct("usage", "--by", "member", "--root", store, "--json").stdout)
    assert (row["member"], row["member_name"]) == ("1001", "novakova-jana")


@pytest.mark.parametrize(
    ("command", "lines"),
    [
        (["usage", "--by", "client"], ["192.0.2.21", "21 web1.exam…", "1002 second", "1001 novakova-…"]),
        (["usage", "--by", "vps"], ["shared", "2001:db8:0:31::77", "not per client"]),
        (["usage", "--by", "member"], ["1001 novakova-jana"]),
        (["top", "--once", "--server", "103"], ["server 103, owner 1001 novakova-jana", "1002 second", "shared"]),
        (["usage", "--by", "operation"], ["NFSv4", "read"]),
    ],
)
def test_people_see_it_in_80_columns(nasacct, store, command, lines):
    """Nothing is folded; a name is cut where there is no room for all of it."""
    shown = nasacct(*command, "--root", store).stdout
    assert max(map(len, shown.splitlines())) <= 80
    for line in lines:
        assert line in shown
