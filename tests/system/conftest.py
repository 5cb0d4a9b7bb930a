"""Real network namespaces for each test; `spaces` beside this file makes them.

A kernel without nfsd has no net/rpc/nfsd, so net/snmp of each namespace stands in for it everywhere in these tests.
Unlike nfsd's file, a kept descriptor of that keeps its namespace alive, which is the harder case.
"""

import os
import sys
from pathlib import Path

import pytest

from nasacct.config import Config

sys.path.insert(0, str(Path(__file__).resolve().parent))

import spaces


@pytest.fixture(scope="session", autouse=True)
def root():
    """Namespaces take root, and leftovers of killed runs would stay for ever."""
    if os.geteuid() != 0:
        pytest.skip("makes real network namespaces: run as root")
    spaces.remove_leftovers()


@pytest.fixture
def world():
    """Namespaces for one test."""
    made = spaces.World()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def config(tmp_path):
    """A configuration in which net/snmp stands in for the counters of nfsd, and osctl-exportfs is the test's."""
    return Config(
        root=tmp_path / "store",
        node="n",
        interval_s=1,
        servers={"exportfs": tmp_path / "exportfs", "counter": "snmp"},
        sources={"enabled": ("links",)},
    )
