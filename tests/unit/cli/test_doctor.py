"""`nasacct doctor`, run on this machine as it is."""

import json
import os

import pytest
import series

from nasacct.store import root


def findings(done):
    assert done.returncode in {0, 1}, done.stderr
    return {(finding["area"], finding["name"]): finding for finding in json.loads(done.stdout)}


def test_what_is_missing_decides_the_exit_status_and_has_a_mend(nasacct, tmp_path):
    """1 when something is missing, else 0; each source says what it reads and needs."""
    done = nasacct("doctor", "--json", "--root", tmp_path / "store")
    found = findings(done)
    missing = [f for f in found.values() if f["state"] == "missing"]
    assert done.returncode == bool(missing)
    assert all(f["mend"] for f in missing)
    assert all(f["reads"] and f["needs"] for f in found.values() if f["area"] == "source")
    assert {"servers", "nfsd", "links", "disks"} <= {name for area, name in found if area == "source"}
    assert found["machine", "kernel"]["found"].split()[1] == os.uname().release
    assert not (tmp_path / "store").exists()


def test_store_is_examined(nasacct, tmp_path):
    """A good store is well; one that others may read, and one on a file system that forgets, are not."""
    store = tmp_path / "store"
    root.prepare(store)
    with root.lock(store, "nas1", "collect"):
        found = findings(nasacct("doctor", "--json", "--root", store))
    assert found["store", "writers"]["found"] == "nas1/collect"
    assert found["store", "owner"]["state"] == "ok"
    store.chmod(0o755)
    assert findings(nasacct("doctor", "--json", "--root", store))["store", "owner"]["state"] == "missing"
    forgets = findings(nasacct("doctor", "--json", "--root", "/dev/shm/none"))["store", "file system"]
    assert (forgets["state"], "tmpfs" in forgets["found"]) == ("missing", True)


SPLIT = """
links   server=a link=va received_bytes 0+1000x60
links   server=a link=va sent_bytes 0+0x60
clients server=a client=c received_bytes 0+{clients}x60
clients server=a client=c sent_bytes 0+0x60
nfsd    server=a read_bytes 0+0x60
nfsd    server=a written_bytes 0+{nfs}x60
"""


@pytest.mark.parametrize(
    ("clients", "nfs", "state", "why"),
    [
        (900, 880, "ok", "in the last hour 90.0 % of what the link of a carried is payload of known clients"),
        (500, 880, "note", "were read or written by none of them, of a"),
        (5000, 880, "missing", "more than the link carried of a"),
    ],
)
def test_clients_are_compared_with_their_servers(nasacct, tmp_path, clients, nfs, state, why):
    """As the store has them, where it has any."""
    series.write(SPLIT.format(clients=clients, nfs=nfs), tmp_path / "store")
    root.prepare(tmp_path / "store")
    found = findings(nasacct("doctor", "--json", "--root", tmp_path / "store"))["store", "clients' bytes"]
    assert found["state"] == state
    assert why in found["found"]


def test_pool_that_is_not_mounted_is_missing(nasacct, tmp_path):
    """With a mount point configured, the store's file system must be that one."""
    done = nasacct("doctor", "--json", "--root", tmp_path / "store", NASACCT_MOUNTPOINT=str(tmp_path))
    assert findings(done)["store", "file system"]["state"] == "missing"


def test_people_get_lines_of_80_columns(nasacct, tmp_path):
    """Grouped by what was looked at, and the last line sums up."""
    done = nasacct("doctor", "--root", tmp_path / "a-rather-long-name-of-a-store")
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80 + len(str(tmp_path))
    assert lines[0] == "Sources"
    assert lines[-1] == "all is well" or lines[-1].endswith(" missing")


def test_doctor_says_how_many_calls_were_added_up_inside_nfsd_and_what_reading_costs(nasacct, tmp_path):
    """A hundredth is missing inside; two sources took 5 ms of CPU each 10 s."""
    series.write(
        """
        nfsd   server=a rc_nocache 0+100x60
        inside server=a read_calls 0+99x60
        cost nfsd 4000+0x60
        cost inside 1000+0x60
        """,
        tmp_path,
    )
    (tmp_path / "store.json").write_text('{"nasacct_store": 1}')
    found = findings(nasacct("doctor", "--json", "--root", tmp_path, NASACCT_NODE="nas1"))
    assert "99 % of the calls that nfsd counted" in found["store", "inside of nfsd"]["found"]
    cost = found["store", "cost of reading"]["found"]
    assert "5 CPU-ms each 10 s, 0.1 % of a processor: nfsd 4, inside 1" in cost
