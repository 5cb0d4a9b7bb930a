"""What Prometheus' node_exporter spends on the same links: its netdev collector, scraped over HTTP on the loopback.

It is given as little to do as it can: no other collector, and no metrics about itself. It ends with the bench.
"""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Self

PROGRAM = "prometheus-node-exporter"
#: In the bench's own network namespace, where every port is free.
_ADDRESS, _PORT = "127.0.0.1", 9100
_READY_S = 10.0


class Exporter:
    """A running node_exporter. Raises FileNotFoundError when the program is not installed."""

    def __init__(self) -> None:
        if shutil.which(PROGRAM) is None:
            raise FileNotFoundError(f"{PROGRAM} is not installed; apt-get install {PROGRAM}")
        self.version = subprocess.run(
            [PROGRAM, "--version"], capture_output=True, text=True, check=True
        ).stdout.split()[2]
        self._process = subprocess.Popen(
            [
                *("setpriv", "--pdeathsig", "KILL", PROGRAM),
                *("--collector.disable-defaults", "--collector.netdev", "--web.disable-exporter-metrics"),
                f"--web.listen-address={_ADDRESS}:{_PORT}",
            ],
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + _READY_S
        while True:
            try:
                self.scrape()
            except OSError as err:
                if self._process.poll() is not None or time.monotonic() > until:
                    self.close()
                    raise RuntimeError(f"{PROGRAM} does not answer ({err})") from err
                time.sleep(0.05)
            else:
                break

    def scrape(self) -> int:
        """One scrape; gives back how many interfaces it told of."""
        connection = http.client.HTTPConnection(_ADDRESS, _PORT, timeout=30)
        connection.request("GET", "/metrics")
        body = connection.getresponse().read()
        connection.close()
        return body.count(b"\nnode_network_receive_bytes_total{")

    def cpu_ns(self) -> int:
        """User and system time of all its threads so far; /proc/<pid>/stat, fields 14 and 15, in clock ticks."""
        stat = Path(f"/proc/{self._process.pid}/stat").read_bytes()
        fields = stat.rpartition(b")")[2].split()
        return (int(fields[11]) + int(fields[12])) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
