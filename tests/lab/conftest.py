"""The lab's own modules are beside its tests: `vm` (the virtual machine), `payload` (what it brings into the guest).

So are those that the guest runs, in guest/.
"""

import io
import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent / "guest"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import payload
import vm


def played(script, out, disk, timeout_s):
    """Boot a machine with that disk, and play a script of guest/ in it; what it leaves comes to `out`."""
    said = io.BytesIO()
    machine = vm.Machine(disks=[disk], inputs=[payload.tree()], site=payload.site_packages(), stdout=said, stderr=said)
    end = machine.run(["python3", f"guest/{script}"], out, timeout_s=timeout_s)
    words = said.getvalue().decode("utf-8", "replace")[-6000:]
    assert end.status == 0, f"the guest ended with {end.status}; it said:\n{words}\nits console:\n{end.console}"
    print(words, f"{end.accelerator}: {end.lived_s:.0f} s")
    return out


@pytest.fixture(scope="session")
def accuracy(tmp_path_factory):
    """The directory that guest/accuracy.py left: truth.json, collect.log, store."""
    return played("accuracy.py", tmp_path_factory.mktemp("lab"), vm.Disk("nas", "2G"), 340)


@pytest.fixture(scope="session")
def inside(tmp_path_factory):
    """The directory that guest/inside.py left, which is played once for all that looks inside nfsd."""
    return played("inside.py", tmp_path_factory.mktemp("inside"), vm.Disk("nas", "2G", "iops-total=30"), 520)


@pytest.fixture(scope="session")
def truth_inside(inside):
    """What inside.json says."""
    return json.loads((inside / "inside.json").read_text("utf-8"))
