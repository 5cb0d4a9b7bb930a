"""Ids of clients' addresses."""

import pytest

from nasacct.collect.client_ids import ClientIds, make_key
from nasacct.errors import NasacctError


def test_an_address_has_one_id_on_a_node(tmp_path):
    """For ever, by the tree's key; without one, for the life of the process; and it does not say whose it is."""
    (tmp_path / "a").mkdir()
    make_key(tmp_path / "a")
    make_key(tmp_path / "a")
    assert (tmp_path / "a" / "address.key").stat().st_mode & 0o777 == 0o600
    ids = ClientIds(tmp_path / "a")
    assert ids("10.0.0.1") == ClientIds(tmp_path / "a")("10.0.0.1") != ids("10.0.0.2")
    assert len({ids("fd00::1"), ids("fd00:0::1"), ClientIds(tmp_path / "b")("fd00::1")}) == 2
    assert len(ids("10.0.0.1")) == 16
    (tmp_path / "a" / "address.key").write_bytes(b"short")
    with pytest.raises(NasacctError, match=r"address.key is no key of 32 bytes; bring it back"):
        make_key(tmp_path / "a")
