"""`python -m bench.soak`: run the real collector while servers come and go, and watch what it holds."""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.collect import namespaces
from nasacct.errors import OK, PERMISSION, SOFTWARE, UNAVAILABLE
from nasacct.units import in_bytes, in_duration, seconds

_REPOSITORY = Path(__file__).resolve().parent.parent.parent
#: Descriptors and threads may differ by so many between two looks: what is open only for a moment.
_NOISE = 8


@dataclass(frozen=True, slots=True)
class Look:
    """What the collector holds at one moment."""

    at_s: float
    memory: int
    descriptors: int
    threads: int
    cpu_s: float
    stored: int


def main() -> int:
    """Run, print a line now and then, and say what grew; 70 when descriptors or threads did, or the collector ended."""
    options = _options()
    if os.geteuid() != 0:
        print("bench.soak makes network namespaces: run it as root", file=sys.stderr)
        return PERMISSION
    build = _REPOSITORY / "build"
    build.mkdir(exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix="soak-", dir=build) as folder:
            namespaces.isolate()
            fleet = namespaces.make(options.servers)
            return _soak(Path(folder), fleet.names, options.for_, options.interval)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"bench.soak could not run: {error}", file=sys.stderr)
        return UNAVAILABLE


def _soak(folder: Path, names: list[str], for_s: float, interval: str) -> int:
    counter = "rpc/nfsd" if Path("/proc/net/rpc/nfsd").exists() else "snmp"
    environ = {**os.environ, "NASACCT_SERVERS__COUNTER": counter, "NASACCT_NODE": "soak"}
    command = [sys.executable, "-m", "nasacct", "collect", "--volatile", "--root", str(folder / "store")]
    with (folder / "log").open("wb") as log:
        collector = subprocess.Popen([*command, "--interval", interval], env=environ, stderr=log)
        began, looks = time.monotonic(), list[Look]()
        print("        at   memory  descriptors  threads  CPU      stored")
        try:
            while (now := time.monotonic() - began) < for_s and collector.poll() is None:
                _come_and_go(names)
                if now >= for_s / 20 * (len(looks) + 1):
                    looks.append(_look(collector.pid, now, folder))
                    _show(looks[-1])
                time.sleep(0.5)
        finally:
            collector.send_signal(signal.SIGTERM)
            status = collector.wait(60)
    if status != OK or len(looks) < 4:
        print(f"the collector ended with {status}:\n{(folder / 'log').read_text()[-2000:]}", file=sys.stderr)
        return SOFTWARE
    return _judge(looks)


def _come_and_go(names: list[str]) -> None:
    """End one server, and begin it anew."""
    name = random.choice(names)
    lines = [f"netns del {name}", f"netns add {name}", f"link add nfs-{name} type veth peer name eth0 netns {name}"]
    # the kernel takes the old link away a moment after its namespace
    for line in lines:
        for _ in range(50):
            if subprocess.run(["ip", *line.split()], capture_output=True, check=False).returncode == 0:
                break
            time.sleep(0.02)


def _look(pid: int, at_s: float, folder: Path) -> Look:
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return Look(
        at_s,
        int(status["VmRSS"].split()[0]) * 1024,
        len(list(Path(f"/proc/{pid}/fd").iterdir())),
        int(status["Threads"]),
        (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"),
        sum(path.stat().st_size for path in folder.rglob("*.journal")),
    )


def _show(look: Look) -> None:
    print(
        f"{in_duration(look.at_s):>10} {in_bytes(look.memory):>8} {look.descriptors:>12} {look.threads:>8}"
        f"  {in_duration(look.cpu_s):<8} {in_bytes(look.stored):>7}",
        flush=True,
    )


def _judge(looks: list[Look]) -> int:
    first, last = looks[len(looks) // 4], looks[-1]
    print(f"since {in_duration(first.at_s)}: memory {in_bytes(last.memory - first.memory)}, ", end="")
    print(f"descriptors {last.descriptors - first.descriptors:+}, threads {last.threads - first.threads:+}")
    grew = max(last.descriptors - first.descriptors, last.threads - first.threads) > _NOISE
    return SOFTWARE if grew else OK


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--for", dest="for_", type=seconds, default=600.0, metavar="LENGTH", help="default 10m")
    parser.add_argument("--servers", type=int, default=100, metavar="N", help="network namespaces (default 100)")
    parser.add_argument("--interval", default="1s", metavar="LENGTH", help="between two cycles (default 1s)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
