"""The shim for tests of faults, compiled once; after the run: what the schedules came to."""

import sys
from pathlib import Path

import pytest

# what is beside this file can be imported, also by the programs that tests start
sys.path.insert(0, str(Path(__file__).resolve().parent))

import shim as shim_of_calls
from faults.tally import TALLY


@pytest.fixture(scope="session")
def shim(tmp_path_factory):
    """The path of the library that makes system calls fail."""
    return shim_of_calls.build(tmp_path_factory.mktemp("shim"))


def pytest_terminal_summary(terminalreporter):
    if TALLY.schedules:
        terminalreporter.section("fault schedules")
        for line in TALLY.lines():
            terminalreporter.line(line)
