"""`nasacct check` as a person or a program runs it."""

import csv
import io
import json
import shutil

from nasacct.store.root import lock


def test_a_sound_store_is_told_to_be_so(nasacct, replayed):
    """One line with what was looked at, exit status 0."""
    done = nasacct("check", "--root", replayed)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "no fault found: 1 file, 0 rows; 0 sealed months\n"


def test_each_fault_is_a_line_and_ends_with_1(nasacct, replayed, tmp_path):
    """Kind, file below the root, sentence; nothing of a foreign name reaches the terminal."""
    store = shutil.copytree(replayed, tmp_path / "store")
    (store / "evil\x1b[2J").write_text("")
    (path,) = store.glob("node=*/journal/*.journal")
    path.write_bytes(path.read_bytes()[:-1])
    done = nasacct("check", "--root", store)
    assert done.returncode == 1
    first, second, last = done.stdout.splitlines()
    assert first.startswith(f"torn: {path.relative_to(store)} has a torn frame at byte ")
    assert second == "foreign: evil\\x1b[2J does not belong there"
    assert last == "2 faults: 1 file, 0 rows; 0 sealed months"


def test_a_program_gets_fields(nasacct, replayed, tmp_path):
    """The same as JSON and as CSV; nothing but the rows."""
    store = shutil.copytree(replayed, tmp_path / "store")
    (store / "notes").write_text("")
    expected = [{"kind": "foreign", "file": "notes", "what": "does not belong there"}]
    done = nasacct("check", "--root", store, "--json")
    assert (done.returncode, json.loads(done.stdout)) == (1, expected)
    done = nasacct("check", "--root", store, "--csv")
    assert (done.returncode, list(csv.DictReader(io.StringIO(done.stdout)))) == (1, expected)
    done = nasacct("check", "--root", replayed, "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, [])


def test_no_store_is_refused(refused, tmp_path):
    """As every command does."""
    status, sentence = refused("check", "--root", tmp_path / "none")
    assert status == 66
    assert "does not exist" in sentence


def test_repair_says_what_it_did_and_then_checks(nasacct, refused, replayed, tmp_path):
    """What was put aside is told by every check, for what only it held is lost; while a keeper runs it is refused."""
    store = shutil.copytree(replayed, tmp_path / "store")
    (tree,) = store.glob("node=*")
    (tree / "journal" / "notes").write_text("")
    done = nasacct("check", "--repair", "--root", store)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        f"put aside: {tree.name}/journal/notes does not belong there",
        f"quarantine: {tree.name}/quarantine/notes was put aside; what only it held is lost",
        "1 fault: 1 file, 0 rows; 0 sealed months",
    ]
    with lock(store, tree.name.removeprefix("node="), "keep"):
        status, sentence = refused("check", "--repair", "--root", store)
    assert status == 75
    assert "`nasacct keep` already runs" in sentence
