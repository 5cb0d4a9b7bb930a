"""`nasacct parse`: from a file or standard input to JSON, or a sentence."""

import json
from pathlib import Path

import pytest


def test_file_and_standard_input_are_the_same(nasacct, tmp_path):
    """`-` is standard input."""
    text = "rc 0 1 2\nio 98172928 9338880\n"
    (tmp_path / "nfsd").write_text(text)
    by_file, by_input = nasacct("parse", "nfsd", tmp_path / "nfsd"), nasacct("parse", "nfsd", "-", text=text)
    assert by_file.stdout == by_input.stdout
    assert json.loads(by_file.stdout)["io"] == {"read_bytes": 98172928, "written_bytes": 9338880}


@pytest.mark.parametrize("kind", ["nfsd", "diskstats", "net_dev", "export_stats", "objset", "txgs", "psi"])
def test_broken_file_is_refused_with_its_line(refused, kind):
    """Status 65 and the line, never a guess."""
    status, sentence = refused("parse", kind, "-", text="io one two\n\x00")
    assert status == 65
    assert "line" in sentence


def test_endless_file_is_refused(refused):
    """No counter file is as long as /dev/zero."""
    status, sentence = refused("parse", "nfsd", "/dev/zero")
    assert (status, "/dev/zero" in sentence) == (65, True)


def test_this_machines_files_are_understood(nasacct):
    """Real files of the kernel that runs the test, an object for each device."""
    disks = Path("/proc/diskstats").read_text()
    understood = json.loads(nasacct("parse", "diskstats", "-", text=disks).stdout)
    assert set(understood) - {"unknown"} == {line.split()[2] for line in disks.splitlines()}
    links = Path("/proc/net/dev").read_text()
    understood = json.loads(nasacct("parse", "net_dev", "-", text=links).stdout)
    assert set(understood) - {"unknown"} == {line.split(":")[0].strip() for line in links.splitlines()[2:]}
