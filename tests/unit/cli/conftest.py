"""The real program in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from forked import Program

RECORDING = Path(__file__).parents[2] / "fixtures" / "recordings" / "nfsd612-ext4-reader" / "trace.jsonl.zst"


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    """The program, imported once."""
    made = Program(tmp_path_factory.mktemp("program"))
    yield made
    made.close()


@pytest.fixture
def nasacct(tmp_path, program):
    """Run `nasacct ARGUMENTS` as a person would, without this machine's configuration; gives the finished process.

    What Python itself is told by the environment needs a Python of its own.
    """

    def run(*arguments, text="", **environ):
        kept = {k: v for k, v in os.environ.items() if not k.startswith("NASACCT_")}
        (tmp_path / "empty.toml").touch()
        env = {**kept, "NASACCT_CONFIG": str(tmp_path / "empty.toml"), "COLUMNS": "80", **environ}
        if not any(name.startswith("PYTHON") for name in environ):
            return program.run([*map(str, arguments)], env, text)
        return subprocess.run(
            [sys.executable, "-m", "nasacct", *map(str, arguments)],
            env=env,
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def refused(nasacct):
    """Run it and expect one sentence on stderr, nothing on stdout and no traceback; gives (status, sentence)."""

    def run(*arguments, **more):
        done = nasacct(*arguments, **more)
        assert done.stdout == ""
        assert done.stderr.startswith("nasacct: ")
        assert done.stderr.count("\n") == 1
        assert "Traceback" not in done.stderr
        return done.returncode, done.stderr.removeprefix("nasacct: ").rstrip("\n")

    return run


@pytest.fixture(scope="session")
def replayed(tmp_path_factory):
    """A store with the recording of a kernel 6.12 with three NFS servers, of which ground truth tells the bytes."""
    store = tmp_path_factory.mktemp("replayed") / "store"
    command = [sys.executable, "-m", "nasacct", "replay", RECORDING, "--root", store]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return store
