"""What a person does wrong gets one sentence and a documented exit status."""

import errno
import json
import os
import subprocess
import sys

import pytest

from nasacct import errors


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["usge"], "did you mean 'usage'?"),
        (["usage", "--jsn"], "--json"),
        (["usage", "--since"], "nasacct usage --help"),
        (["usage", "--by", "colour"], "'server', 'client', 'vps', 'export', 'member', 'node'"),
        (["usage", "--json", "--csv"], "leave one of them out"),
        (["usage", "--since", "soon"], "2026-11-23"),
        (["usage", "extra"], "extra"),
        (["parse", "nfsd"], "FILE"),
        (["parse", "nfs", "file"], "'diskstats'"),
        (["collect", "--for", "10s"], "add --dry-run"),
        (["collect", "--dry-run", "--for", "soon"], "90s"),
        (["collect", "--dry-run", "--for", "0.2s"], "at least 1s"),
        (["--colour"], "nasacct --help"),
    ],
)
def test_wrong_option_is_one_sentence_with_the_mend(refused, arguments, words):
    """A wrong command, option or value ends with 64 and says what would have been right."""
    status, sentence = refused(*arguments)
    assert status == 64
    assert words.lower() in sentence.lower()


def test_missing_store_is_told(refused, tmp_path):
    """Asking a store that is not there ends with 66 and names the path."""
    status, sentence = refused("usage", "--root", tmp_path / "nowhere")
    assert status == 66
    assert str(tmp_path / "nowhere") in sentence


def test_newer_store_is_refused_without_writing(refused, tmp_path):
    """A store of a later version is refused in one sentence, and nothing in it changes."""
    (tmp_path / "store.json").write_text(json.dumps({"nasacct_store": 999}))
    before = sorted(tmp_path.iterdir())
    for command in (["usage"], ["keep", "--once"], ["collect"]):
        status, sentence = refused(*command, "--root", tmp_path)
        assert status == 65
        assert "999" in sentence
    assert sorted(p for p in tmp_path.iterdir() if p.name != "empty.toml") == before


def test_store_on_a_tmpfs_is_refused_with_the_mend(refused):
    """A collector pointed at a file system that forgets ends with 73 and names --volatile."""
    status, sentence = refused("collect", "--root", "/dev/shm/nasacct-test-of-refusal")
    assert status == 73
    assert "tmpfs" in sentence
    assert "--volatile" in sentence


def test_wrong_configuration_is_told(refused, tmp_path):
    """A wrong value in the file, or in the environment, ends with 78 and names where it was said."""
    (tmp_path / "wrong.toml").write_text("interval_s = 0.5\n")
    status, sentence = refused("usage", "--config", tmp_path / "wrong.toml")
    assert (status, "wrong.toml" in sentence) == (78, True)
    status, sentence = refused("usage", NASACCT_ZONE="Europe/Nowhere")
    assert (status, "NASACCT_ZONE" in sentence) == (78, True)
    status, sentence = refused("usage", "--config", tmp_path / "none.toml")
    assert (status, "none.toml" in sentence) == (78, True)


def test_unreadable_file_is_told(refused, tmp_path):
    """A missing counter file ends with 66; a directory in its place is no traceback either."""
    assert refused("parse", "nfsd", tmp_path / "nowhere")[0] == 66
    assert refused("parse", "nfsd", tmp_path)[0] in errors.MEANINGS


def test_missing_extra_is_told(refused, tmp_path):
    """Without the package that an extra brings, the sentence says how to install it; status 69."""
    (tmp_path / "duckdb.py").write_text("raise ModuleNotFoundError(\"No module named 'duckdb'\", name='duckdb')\n")
    (tmp_path / "store.json").write_text(json.dumps({"nasacct_store": 1}))
    status, sentence = refused("usage", "--root", tmp_path, PYTHONPATH=str(tmp_path))
    assert status == 69
    assert "nasacct[reports]" in sentence


def test_own_fault_names_the_way_to_its_traceback(nasacct, refused, tmp_path):
    """A fault of the program is one line with status 70; NASACCT_TRACEBACK=1 shows the rest."""
    (tmp_path / "sitecustomize.py").write_text(
        "import tomllib\ndef broken(*_): raise KeyError('x\\n\\ny')\ntomllib.loads = broken\n"
    )
    status, sentence = refused("usage", PYTHONPATH=str(tmp_path))
    assert status == 70
    assert "NASACCT_TRACEBACK=1" in sentence
    told = nasacct("usage", PYTHONPATH=str(tmp_path), NASACCT_TRACEBACK="1")
    assert "Traceback" in told.stderr
    assert told.returncode == 70


def test_reader_that_goes_away_is_no_error():
    """`nasacct ... | true` ends with 141 and without a word."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "nasacct", "--help"], stdout=write, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (errno.EACCES, errors.PERMISSION),
        (errno.EPERM, errors.PERMISSION),
        (errno.ENOENT, errors.NO_INPUT),
        (errno.EEXIST, errors.CANT_CREATE),
        (errno.ENOTDIR, errors.CANT_CREATE),
        (errno.ENOSPC, errors.IO),
        (errno.EIO, errors.IO),
    ],
)
def test_system_errors_keep_their_meaning(number, status):
    """The errno of a failed system call decides the exit status, and the sentence names the file once."""
    told = errors.of_os(OSError(number, "Went wrong", "/some/file"), "reading /some/file")
    assert told.status == status
    assert told.sentence.count("/some/file") == 1
    assert "went wrong" in told.sentence


def test_every_status_has_a_meaning():
    """No command ends with a status that its help cannot explain."""
    from nasacct.cli import app

    for name in app.COMMANDS:
        module = __import__(f"nasacct.cli.{name}", fromlist=[name])
        assert set(module.STATUSES) <= set(errors.MEANINGS)
