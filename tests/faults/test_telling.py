"""Every system call by which something is noted fails once, and is once the last one."""

import json
import os
import subprocess
import sys
from pathlib import Path

from shim import environment


def test_no_failing_call_costs_a_note(shim, tmp_path, record_property):
    """What was said before stays, what was acknowledged is there, and what is said next is taken; no file is left."""
    here = Path(__file__).parent
    paths = os.pathsep.join(str(p) for p in (here, here.parent, here.parent.parent))
    done = subprocess.run(
        [sys.executable, str(here / "telling.py"), str(tmp_path)],
        env=environment(shim) | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    record_property("told", f"noting met {found['tries']} faults")
    assert found["broken"] == []
    assert found["tries"] > 20
