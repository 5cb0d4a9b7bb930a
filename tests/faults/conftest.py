"""The shim for tests of faults, compiled once; pulls that end."""

import sys
import threading
from pathlib import Path

import pytest
from copying import KEPT

from nasacct.store.pulling.remote import Remote
from nasacct.store.pulling.rounds import Pull
from nasacct.store.root import prepare

# what is beside this file can be imported, also by the programs that tests start
sys.path.insert(0, str(Path(__file__).resolve().parent))

import shim as shim_of_calls


@pytest.fixture(scope="session")
def shim(tmp_path_factory):
    """The path of the library that makes system calls fail."""
    return shim_of_calls.build(tmp_path_factory.mktemp("shim"))


@pytest.fixture
def pulled(tmp_path):
    """Makes Pulls of a source into one copy, which end with the test."""
    made = []
    prepare(tmp_path / "copy", volatile=True)

    def begin(source, rules=KEPT, **more):
        pull = Pull(Remote(str(source.root), threading.Event()), tmp_path / "copy", rules, **more)
        made.append(pull)
        return pull

    yield begin
    for pull in made:
        pull.__exit__()
