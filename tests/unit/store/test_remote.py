"""What names a source, and which of its files a copy has."""

import threading

import pytest

from nasacct.errors import USAGE, NasacctError
from nasacct.store.pulling.remote import Remote, store_file


@pytest.mark.parametrize("text", ["", "-e:x", "host:", "host::module", "rsync://host/x", ":path"])
def test_what_names_no_store(text):
    """A source that rsync would take for something else is refused."""
    with pytest.raises(NasacctError, match="names no store; write it as HOST:ROOT") as caught:
        Remote(text, threading.Event())
    assert caught.value.status == USAGE


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("nas1:/tank", "nas1"),
        ("me@nas1:tank/x:y", "nas1"),
        ("[fd00::1]:/tank", "fd00::1"),
        ("me@[fd00::1]:/", "fd00::1"),
        ("/tank/a:b", ""),
        ("./a:b", ""),
    ],
)
def test_host_of_a_source(text, host):
    """A colon before the first slash ends a host's name, as in rsync and scp."""
    assert Remote(text, threading.Event()).host == host


@pytest.mark.parametrize(
    "path",
    [
        "store.json",
        "node=n/collect.lock",
        "node=n/journal/.x.journal",
        "node=n/journal/x.parquet",
        "node=n/usage/nfsd/.part.parquet.tmp",
        "node=n/usage/part-x.parquet",
        "node=../journal/x.journal",
        "node=n/usage/../x.parquet",
        "node=n/usage/nfsd/../x.parquet",
        "node=n/gone/x.parquet",
        "sealed/2026-10.jsonl",
        ".pull/node=n/journal/x.journal",
    ],
)
def test_what_is_never_copied(path):
    """Locks, notes, temporary files, seals, other folders and names that lead out of a tree."""
    assert store_file(path) is None


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("node=n/journal/00000001-20261123T101500Z-1f6c2d3e.journal", "journal"),
        ("node=nas-1.example/usage/nfsd/day-x.parquet", "usage"),
        ("node=n/readings/stream_of_a_later_version/day-x.parquet", "readings"),
        ("node=n/rollup/5m/nfsd/month-x.parquet", "rollup"),
        ("node=n/cuts/nfsd/day-x.parquet", "cuts"),
        ("node=n/quarantine/x.parquet.1", "quarantine"),
    ],
)
def test_what_is_copied(path, kind):
    """Journal, segments, also of streams and levels that this version does not know, and what could not be read."""
    found = store_file(path)
    assert found is not None
    assert (found.path, found.kind) == (path, kind)
