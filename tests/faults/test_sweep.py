"""Every system call of a collection, of its keeping and of a question fails once, and is once the last one."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from shim import environment

#: In memory, for these tests make thousands of copies and wait for no disk.
MEMORY = Path("/dev/shm")


@pytest.mark.parametrize("what", ["collect", "keep", "ask"])
def test_no_failing_call_costs_a_byte(shim, what, record_property):
    """No acknowledged frame is lost, nothing counts twice, readers answer right, the next run makes up for it."""
    folder = tempfile.mkdtemp(prefix="nasacct-sweep-", dir=MEMORY if MEMORY.is_dir() else None)
    here = Path(__file__).parent
    paths = os.pathsep.join(str(p) for p in (here, here.parent, here.parent.parent))
    command = [sys.executable, str(here / "sweep.py"), what, folder, os.environ.get("NASACCT_SWEEP_READS", "20")]
    try:
        done = subprocess.run(
            command,
            env=environment(shim) | {"PYTHONPATH": paths},
            capture_output=True,
            text=True,
            check=False,
            timeout=2400,
        )
    finally:
        shutil.rmtree(folder)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    counted = ", ".join(f"{number} {name}" for name, number in found["calls"].items() if number)
    record_property("told", f"swept {what}: {counted}; {found['tries']} tries in {found['took_s']} s")
    assert found["broken"] == []
    assert found["tries"] > 20
