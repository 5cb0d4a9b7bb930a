"""What tests of several folders look at, made once by each worker."""

from pathlib import Path

import pytest

from nasacct.collect.replay import replay
from nasacct.config.tables import Config

DEMO = Path(__file__).parents[1] / "fixtures" / "recordings" / "demo" / "recording.jsonl.zst"


@pytest.fixture(scope="session")
def replayed_demo(tmp_path_factory):
    """The store of eleven minutes of six real NFS servers on one throttled disk; who changes it takes a copy."""
    where = tmp_path_factory.mktemp("demo") / "store"
    replay(DEMO, Config(root=where))
    return where
