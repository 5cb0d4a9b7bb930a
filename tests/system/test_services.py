"""The capabilities that the shipped services keep are enough for what the collector does."""

import configparser
import os
import subprocess
import sys
from pathlib import Path

import pytest
from spaces import eventually

from nasacct.collect import process, recording

pytestmark = pytest.mark.system
UNIT = Path(__file__).parents[2] / "deploy" / "systemd" / "nasacct-collect.service"


@pytest.fixture
def anonymous():
    """A process in a network namespace without a name, as osctl-exportfs has them."""
    sleeper = subprocess.Popen(["unshare", "--net", "sleep", "1000"])
    try:
        own = process.namespace("/proc", "self")
        eventually(lambda: process.namespace("/proc", sleeper.pid) not in {own, None})
        yield sleeper
    finally:
        sleeper.kill()
        sleeper.wait()


def recorded(tmp_path, anonymous, capabilities):
    """What `nasacct record` finds with these capabilities only: servers by name with their counters, and its log."""
    state = tmp_path / "exportfs" / "servers" / "101"
    state.mkdir(parents=True)
    (state / "pid").write_text(str(anonymous.pid))
    (state / "config.yml").write_text("---\naddress: 198.18.0.1\nnetif:\n")
    (state.parent.parent).chmod(0o700)
    # somebody else's, as a state directory may be
    os.chown(state.parent.parent, 12345, 12345)
    environ = {
        **{k: v for k, v in os.environ.items() if not k.startswith("NASACCT_")},
        "NASACCT_SERVERS__EXPORTFS": str(state.parent.parent),
        "NASACCT_SERVERS__COUNTER": "snmp",
        "NASACCT_CONFIG": "/dev/null",
    }
    bounding = ",".join(["-all", *(f"+{name.removeprefix('CAP_').lower()}" for name in capabilities)])
    file = tmp_path / "recording.jsonl.zst"
    command = ["setpriv", "--no-new-privs", f"--bounding-set={bounding}"]
    command += [sys.executable, "-m", "nasacct", "record", file, "--for", "1s", "--interval", "1s"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True, timeout=60)
    rows = list(recording.read(file))
    named = set().union(*(row["static"]["servers"] for row in rows if "static" in row))
    texts = {name: server["rpc_nfsd"] for row in rows if "servers" in row for name, server in row["servers"].items()}
    return named, texts, done.stderr


def test_capabilities_of_the_unit_are_enough(tmp_path, world, anonymous):
    """A server of osctl-exportfs and one in a named namespace are found and read, and nothing is refused."""
    (space,) = world.spaces()
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.read_string(UNIT.read_text())
    named, texts, log = recorded(tmp_path, anonymous, unit["Service"]["CapabilityBoundingSet"].split())
    assert {"101", space.name} <= named
    assert texts["101"].startswith("Ip:")
    assert texts[space.name].startswith("Ip:")
    assert "CAP_" not in log
    assert "cannot be" not in log


def test_without_them_it_is_told_what_is_missing(tmp_path, world, anonymous):
    """With none at all neither is found, and the log says so."""
    (space,) = world.spaces()
    named, _, log = recorded(tmp_path, anonymous, [])
    assert not named & {"101", space.name}
    assert "cannot be" in log
    assert "CAP_NET_BROADCAST" in log
