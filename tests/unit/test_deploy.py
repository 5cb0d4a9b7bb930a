"""The services that are shipped: valid, of one mind, and starting the command they say."""

import configparser
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from nasacct.collect.space_finding import DEVICE
from nasacct.collect.tracing import TRACEFS
from nasacct.store.pulling.remote import SSH

DEPLOY = Path(__file__).parents[2] / "deploy"
SERVICES = ["collect", "keep"]


def unit(name):
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read_string((DEPLOY / "systemd" / f"nasacct-{name}.service").read_text())
    return parser


def run_script(name):
    return DEPLOY / "runit" / f"nasacct-{name}" / "run"


@pytest.mark.parametrize("name", SERVICES)
def test_systemd_takes_the_unit(tmp_path, name):
    """systemd-analyze finds nothing wrong; where there is none, the unit has the sections and keys that matter."""
    text = (DEPLOY / "systemd" / f"nasacct-{name}.service").read_text()
    copy = tmp_path / f"nasacct-{name}.service"
    copy.write_text(text.replace("/opt/nasacct/bin/nasacct", "/bin/true"))
    if shutil.which("systemd-analyze"):
        done = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
    service = unit(name)["Service"]
    assert service["ExecStart"] == f"/opt/nasacct/bin/nasacct {name} --config /etc/nasacct.toml"
    assert service["MemoryMax"]
    assert "RestrictNamespaces" not in unit("collect")["Service"]


@pytest.mark.parametrize(
    ("name", "gives"),
    [
        ("inside", {"ReadWritePaths": f"{TRACEFS}/instances"}),
        ("space", {"PrivateDevices": "no", "DevicePolicy": "closed", "DeviceAllow": f"{DEVICE} rw"}),
    ],
)
def test_systemd_takes_the_unit_with_what_a_source_needs(tmp_path, name, gives):
    """The drop-in gives it one directory that it may write, or one device, and nothing else."""
    drop_in = f"nasacct-collect.service.d/{name}.conf"
    for path in ("nasacct-collect.service", drop_in):
        copy = tmp_path / path
        copy.parent.mkdir(exist_ok=True)
        copy.write_text((DEPLOY / "systemd" / path).read_text().replace("/opt/nasacct/bin/nasacct", "/bin/true"))
    if shutil.which("systemd-analyze"):
        argv = ["systemd-analyze", "verify", tmp_path / "nasacct-collect.service"]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str
    parser.read(DEPLOY / "systemd" / drop_in)
    assert dict(parser["Service"]) == gives


def test_systemd_takes_the_unit_of_a_copy(tmp_path):
    """It is one for each host, follows it, and may do no more than the keeper but use the network."""
    copy = tmp_path / "nasacct-pull@nas1.service"
    copy.write_text(
        (DEPLOY / "systemd" / "nasacct-pull@.service").read_text().replace("/opt/nasacct/bin/", "/bin/true ")
    )
    if shutil.which("systemd-analyze"):
        done = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
    pull, keep = unit("pull@")["Service"], unit("keep")["Service"]
    assert pull["ExecStart"].startswith(
        "/opt/nasacct/bin/nasacct pull %i:/ --every 10s --config /etc/nasacct.toml --ssh "
    )
    assert SSH.removeprefix("ssh ") in pull["ExecStart"]
    assert pull["MemoryMax"]
    confined = [k for k in keep if k.startswith(("Protect", "Private", "Restrict", "Lock", "System", "Cap", "NoNew"))]
    free = {"PrivateNetwork", "RestrictAddressFamilies", "RestartSec", "Restart"}
    assert {k: pull.get(k) for k in confined if k not in free} == {k: keep[k] for k in confined if k not in free}
    assert pull["RestrictAddressFamilies"] == "AF_UNIX AF_INET AF_INET6 AF_NETLINK"


def test_collector_tells_systemd_that_it_lives():
    """Type=notify with a watchdog that is far longer than a cycle."""
    service = unit("collect")["Service"]
    assert service["Type"] == "notify"
    assert int(service["WatchdogSec"]) >= 60


@pytest.mark.parametrize("name", SERVICES)
def test_both_kinds_of_service_grant_the_same(name):
    """Capabilities, memory and priorities of the runit service are those of the unit."""
    service, script = unit(name)["Service"], run_script(name).read_text()
    granted = re.search(r"--bounding-set -all(\S*)", script)[1]
    assert {f"CAP_{c.upper()}" for c in granted.split(",+") if c} == set(service["CapabilityBoundingSet"].split())
    for key, file in (("MemoryHigh", "memory.high"), ("MemoryMax", "memory.max")):
        number, suffix = re.fullmatch(r"(\d+)([MG])", service[key]).groups()
        limit = int(number) << {"M": 20, "G": 30}[suffix]
        assert re.search(rf"echo {limit} > \S*{re.escape(file)}", script)
    assert f"nice -n {service['Nice']} " in script
    assert f"echo {service['OOMScoreAdjust']} > /proc/self/oom_score_adj" in script


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may drop capabilities from the bounding set")
@pytest.mark.parametrize("name", SERVICES)
def test_runit_service_starts_the_command_with_its_capabilities(tmp_path, name):
    """The run script ends as the command, with no more capabilities than it says."""
    program = tmp_path / "nasacct"
    program.write_text('#!/bin/sh\necho "$0 $@"\ngrep CapBnd /proc/self/status\numask\n')
    program.chmod(0o755)
    environ = {**os.environ, "NASACCT_PROGRAM": str(program), "NASACCT_CONFIG": "/some/nasacct.toml"}
    done = subprocess.run([run_script(name)], env=environ, capture_output=True, text=True, check=True, timeout=20)
    lines = [line for line in done.stdout.splitlines() if "run:" not in line and not line.startswith("nice:")]
    assert lines[-3] == f"{program} {name} --config /some/nasacct.toml"
    assert lines[-1] == "0027"
    numbers = {"CAP_DAC_READ_SEARCH": 2, "CAP_NET_BROADCAST": 11, "CAP_SYS_PTRACE": 19, "CAP_SYS_ADMIN": 21}
    allowed = sum(1 << numbers[c] for c in unit(name)["Service"]["CapabilityBoundingSet"].split())
    assert int(lines[-2].split()[1], 16) & ~allowed == 0


@pytest.mark.parametrize("path", sorted(p for p in DEPLOY.rglob("run")), ids=lambda p: str(p.relative_to(DEPLOY)))
def test_scripts_are_executable(path):
    """Scripts that are not executable are not started by runit."""
    assert os.access(path, os.X_OK)
    assert path.read_text().startswith("#!/bin/sh\n")
