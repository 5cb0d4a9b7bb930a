"""Who may mount what, as osctl-exportfs's configuration says."""

from pathlib import Path

from nasacct.cli.allowed import rows
from nasacct.collect.exportfs_config import parse
from nasacct.collect.machine import Listing, Server
from nasacct.store import root
from nasacct.store.inventory import EVER, Inventory, Statement

CONFIG = Path(__file__).parents[2] / "fixtures" / "exportfs" / "plain.yml"


def told(kind, thing, **said):
    return Statement(kind, thing, EVER[0], said, 1)


KNOWN = Inventory(
    [
        told("export", "123", server="123", member="1001"),
        told("address", "172.16.8.21/32", vps="21"),
        told("vps", "21", name="web", member="1002"),
    ]
)


def test_each_host_is_told_with_whose_it_is():
    """One address without its prefix; whom nobody knows stays an address; others' servers are left out."""
    exports = parse(CONFIG.read_bytes()).exports
    listing = Listing((Server("123", "boot/1", exports=exports), Server("124", "boot/2", exports=exports)))
    found = [
        (row["server"], row["path"], row["host"], row["access"], row["vps"], row["consumer"], row["owner"])
        for row in rows(listing, "nas1", KNOWN, ["123"], 0)
    ]
    assert found == [
        ("123", "/export/1001", "172.16.8.21", "rw", "21", "1002", "1001"),
        ("123", "/export/1001", "192.0.2.77", "rw", None, None, "1001"),
    ]
    assert len(list(rows(listing, "nas1", KNOWN, [], 0))) == 4


def test_who_asks_for_a_server_that_is_none_is_told(refused, nasacct, tmp_path):
    """And who has none learns where they are looked for."""
    root.prepare(tmp_path / "store")
    environ = {"NASACCT_SERVERS__EXPORTFS": str(tmp_path / "none"), "NASACCT_SERVERS__NAMESPACES": "false"}
    status, sentence = refused("inventory", "allowed", "999", "--root", tmp_path / "store", **environ)
    assert (status, sentence) == (66, "no server 999 lives here; `nasacct doctor` says what is found")
    shown = nasacct("inventory", "allowed", "--root", tmp_path / "store", **environ).stdout
    assert "servers.exportfs" in shown
