"""What a command loads: each is a process of its own, which starts in front of somebody who waits."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from nasacct.__main__ import main
status = main(sys.argv[1:])
print(*(name for name in ("pandas", "streamlit") if name in sys.modules), file=sys.stderr)
sys.exit(status)
"""


@pytest.mark.parametrize("command", [["usage", "--json"], ["exports"], ["check"], ["episodes"]])
def test_commands_load_no_pandas(replayed, command):
    """Pyarrow would, with its first array, wherever pandas is installed."""
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, *command, "--root", str(replayed)], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "\n"), ran.stdout
