"""How a program is run: what it prints, what it complains of, what it takes."""

import subprocess
import sys

import pytest

from nasacct.collect.program import Program


@pytest.fixture
def script(tmp_path):
    """A program as a test writes it."""

    def write(text):
        path = tmp_path / "program"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return str(path)

    return write


def test_what_it_prints_and_complains_of_is_told(script):
    """More than a pipe holds, too; in English, with times in UTC; nothing is read from the terminal."""
    program = Program("zfs", script('echo "$LC_ALL $TZ $*"; head -c 300000 /dev/zero; cat; echo two words >&2; exit 3'))
    text, complaints = program.run("list", "-H")
    assert text.startswith(b"C UTC list -H\n")
    assert len(text) == 14 + 300_000
    assert complaints == ["two words"]


def test_a_failure_without_a_word_is_told(script):
    """By its status, and by the signal that ended it."""
    assert Program("zfs", script("exit 7")).run("list")[1] == ["zfs list ended with status 7"]
    assert Program("zfs", script("kill -9 $$")).run("list")[1] == ["zfs list ended with status -9"]
    assert Program("zfs", script("exit 0")).run("list") == (b"", [])


def test_what_it_takes_is_its_own(script):
    """All of its runs, and of nobody else's programs that end meanwhile."""
    program = Program("zfs", script("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"))
    program.run("list")
    first = program.cpu_us
    assert first > 0
    idle = Program("zpool", script("exit 0"))
    subprocess.run([sys.executable, "-c", "sum(range(10_000_000))"], check=True)
    idle.run("status")
    assert 0 <= idle.cpu_us < first
    program.run("list")
    assert program.cpu_us >= first


def test_once_closed_none_is_left_running(script):
    """One that is begun after that is killed at once."""
    program = Program("zfs", script("sleep 600"))
    program.close()
    assert program.run("list")[1] == ["zfs list ended with status -9"]
