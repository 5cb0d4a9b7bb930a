"""Reconciled: what cannot be is noticed, and what need not be is not accused."""

from datetime import timedelta

import pytest
import series

from nasacct.reports.reconciled import reconciled
from nasacct.store.warehouse import Warehouse


def told(tmp_path, text):
    """Server -> (counted twice, seen of nobody), over the last five minutes."""
    series.write(text, tmp_path)
    found = reconciled(Warehouse(tmp_path), timedelta(minutes=5))
    return {one.server: (one.too_much, one.unseen) for one in found}


def of(server, link, clients, nfs):
    """A server whose link, clients and nfsd move so many bytes in each of 60 cycles."""
    return f"""
links   server={server} link=v{server} received_bytes 0+{link}x60
links   server={server} link=v{server} sent_bytes 0+0x60
clients server={server} client=c received_bytes 0+{clients}x60
clients server={server} client=c sent_bytes 0+0x60
nfsd    server={server} read_bytes 0+0x60
nfsd    server={server} written_bytes 0+{nfs}x60
"""


@pytest.mark.parametrize(
    ("link", "clients", "nfs", "expected"),
    [(1000, 960, 950, (False, False)), (1000, 1500, 0, (True, False)), (9000, 500, 8000, (False, True))],
)
def test_clients_are_between_what_nfsd_and_the_link_say(tmp_path, link, clients, nfs, expected):
    """More than the link is counted twice; less than was read and written is of connections that nobody saw."""
    assert tuple(map(bool, told(tmp_path, of("a", link, clients, nfs))["a"])) == expected


def test_a_burst_at_the_edge_of_the_window_accuses_nobody(tmp_path):
    """The streams of one cycle are read one after the other."""
    for at in range(20, 34):
        where = tmp_path / str(at)
        where.mkdir()
        burst = f"0x{at - 1} 100000000x{60 - at}".replace("0x", "0+0x", 1).replace(" 100000000x", " 100000000+0x")
        text = "\n".join(
            f"{what} {m} {burst}"
            for what in ("links server=a link=v", "clients server=a client=c")
            for m in ("received_bytes", "sent_bytes")
        )
        assert told(where, text) == {"a": (0, 0)}


def test_a_server_without_known_clients_is_not_compared(tmp_path):
    """And a store without any says nothing."""
    assert told(tmp_path, "links server=a link=v received_bytes 0+5x60") == {}
