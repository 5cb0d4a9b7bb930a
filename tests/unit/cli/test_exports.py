"""`nasacct exports`: at least how much each client read and wrote of each export."""

import json

import pytest
import series

from nasacct.store import root

#: srv1 was used by two clients, of one of which an entry lost something; of srv2 nfsd counts the whole host.
STORE = """
exports      server=srv1 export=x client=c1 read_bytes    0+100x30
exports      server=srv1 export=x client=c1 written_bytes 0+0x30
exports      server=srv1 export=x client=c2 read_bytes    0+10x30
exports      server=srv1 export=x client=c2 written_bytes 0+5x30
nfsd         server=srv1 read_bytes    0+115x30
nfsd         server=srv1 written_bytes 0+5x30
exports      server=srv2 export=y client=c1 read_bytes    0+7x30
exports      server=srv2 export=y client=c1 written_bytes 0+0x30
nfsd         server=srv3 read_bytes    0+115x30
"""


@pytest.fixture
def store(tmp_path):
    root.prepare(tmp_path / "store")
    series.write(STORE, tmp_path / "store")
    return tmp_path / "store"


def test_every_client_has_a_lower_and_an_upper_bound(nasacct, store):
    """What no entry had is a line of its own; where nfsd's count is not known there is neither."""
    done = nasacct("exports", "--root", store, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    names = ("server", "export", "client", "read_bytes", "read_bytes_max", "written_bytes", "written_bytes_max")
    assert [tuple(row[name] for name in names) for row in json.loads(done.stdout)] == [
        ("srv1", "x", "c1", 3000, 3150, 0, 0),
        ("srv1", "x", "c2", 300, 450, 150, 150),
        ("srv1", None, None, 150, 150, 0, 0),
        ("srv2", "y", "c1", 210, None, 0, None),
    ]


def test_the_table_says_at_least(nasacct, store):
    """Of one server; without bound where there is none."""
    shown = nasacct("exports", "--root", store, "--server", "srv2").stdout
    assert shown.splitlines()[0].startswith("at least, by export_stats")
    assert ">= 210 B" in shown
    assert "not split" not in shown
    assert "not split" in nasacct("exports", "--root", store, "--server", "srv1").stdout


def test_without_any_it_says_how_to_have_them(nasacct, tmp_path):
    """The source is off unless it is named."""
    root.prepare(tmp_path / "store")
    done = nasacct("exports", "--root", tmp_path / "store")
    assert (done.returncode, done.stdout.splitlines()[0]) == (
        0, "no export_stats were read in that time; `export_stats` must be enabled",
    )  # fmt: skip
