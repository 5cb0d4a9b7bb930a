"""`nasacct why` of a disk that one client saturates, a moment ago, in the virtual machine of guest/inside.py."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime

import payload
import pytest

pytestmark = pytest.mark.lab


def test_who_saturated_the_disk_is_named(inside, truth_inside):
    """By random reads, and no other member, though nothing is known of what is normal: others read shortly before."""
    alone = truth_inside["alone"]
    begin, end = (datetime.fromtimestamp(alone[key], UTC).isoformat(timespec="seconds") for key in ("from", "to"))
    argv = [sys.executable, "-m", "nasacct", "why", "--root", inside / "store", "--from", begin, "--to", end, "--json"]
    environment = {**os.environ, "PYTHONPATH": str(payload.PROJECT)}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment, cwd=inside)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    members = [each for each in said["entities"] if each["culprit"] and each["entity"].startswith("server:")]
    assert [(each["entity"], each["how"]) for each in members] == [(f"server:{alone['server']}", "random_read")]
    assert members[0]["share"] == max(each["share"] for each in said["entities"])
    assert said["verdict"] in {"members", "mixed"}
