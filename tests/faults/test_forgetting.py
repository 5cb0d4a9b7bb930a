"""A forgetting that is killed anywhere is completed by running it again, and costs nobody else anything."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from shim import environment

#: In memory, for this makes hundreds of copies and waits for no disk.
MEMORY = Path("/dev/shm")


def test_killed_anywhere_it_is_completed_by_running_it_again(shim, record_property):
    """Every call that changes something is once the last one."""
    folder = tempfile.mkdtemp(prefix="nasacct-forgetting-", dir=MEMORY if MEMORY.is_dir() else None)
    here = Path(__file__).parent
    paths = os.pathsep.join(str(p) for p in (here, here.parent, here.parent.parent))
    try:
        done = subprocess.run(
            [sys.executable, str(here / "forgetting.py"), folder],
            env=environment(shim) | {"PYTHONPATH": paths},
            capture_output=True,
            text=True,
            check=False,
            timeout=1200,
        )
    finally:
        shutil.rmtree(folder)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    record_property("told", f"forgetting was killed at each of {found['tries']} calls")
    assert found["broken"] == [], done.stderr[-3000:]
    assert found["tries"] > 50
    assert found["lived"] <= 2
    assert found["left"] > 3
