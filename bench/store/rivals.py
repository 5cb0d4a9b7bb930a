"""The same samples in others' stores: Prometheus' blocks and VictoriaMetrics, as small as they make them.

A sample is one measure of one server in one cycle of 10 s. Rivals get the counters as they would scrape them, at exact
10 s, which is their best case: what moves in `fleet`, with the labels that tell one server from another and no more.
"""

from __future__ import annotations

import http.client
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bench.store.collecting import names
from bench.store.fleet import MOVING, Fleet
from nasacct.store.schema import STREAMS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

_START_S = 1_735_689_600
_PORT = 18_428
_READY_S = 30.0
#: Lines of text sent at once.
_LINES = 400_000


@dataclass(frozen=True, slots=True)
class Samples:
    """Counters of some servers: `names` of metrics, and of each cycle int64[servers, metrics]."""

    metrics: list[str]
    servers: list[str]
    cycles: list[NDArray]  # type: ignore[type-arg]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.cycles) * len(self.servers) * len(self.metrics)


def samples(servers: int, cycles: int) -> Samples:
    """What a scrape of so many servers gives, so many times."""
    fleet, found = Fleet(servers), []
    columns = {name: [STREAMS[name].index[m] for m in moving] for name, moving in MOVING.items()}
    for i in range(cycles):
        fleet.step(10, _START_S + 10 * (i + 1))
        found.append(np.concatenate([fleet.counters[name][:, at] for name, at in columns.items()], axis=1))
    metrics = [f"{stream}_{name}_total" for stream, moving in MOVING.items() for name in moving]
    return Samples(metrics, names(servers), found)


def prometheus(given: Samples, folder: Path) -> int:
    """Bytes of the blocks that promtool makes of the samples. FileNotFoundError when it is not installed."""
    if shutil.which("promtool") is None:
        raise FileNotFoundError("promtool is not installed; apt-get install prometheus")
    text, blocks = folder / "openmetrics.txt", folder / "blocks"
    with text.open("w", encoding="ascii") as file:
        for metric in range(len(given.metrics)):
            for lines in _lines(given, metric, 1):
                file.write(lines)
        file.write("# EOF\n")
    command = [
        "promtool",
        "tsdb",
        "create-blocks-from",
        "openmetrics",
        "--max-block-duration=24h",
        str(text),
        str(blocks),
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    text.unlink()
    return _size(blocks)


def victoria(given: Samples, folder: Path) -> int:
    """Bytes of VictoriaMetrics' folder after the samples were imported and all was merged.

    FileNotFoundError when it is not installed.
    """
    if shutil.which("victoria-metrics") is None:
        raise FileNotFoundError("victoria-metrics is not installed; apt-get install victoria-metrics")
    data = folder / "victoria"
    with _victoria(data):
        for metric in range(len(given.metrics)):
            for lines in _lines(given, metric, 1000):
                _ask("POST", "/api/v1/import/prometheus", lines)
        _ask("GET", "/internal/force_flush")
        _ask("GET", "/internal/force_merge")
        _settle(data)
    return _size(data)


def _lines(given: Samples, metric: int, unit: int) -> Iterator[str]:
    """One metric's samples as text, some series at a time; times are seconds times `unit`."""
    name, lines = given.metrics[metric], []
    for server, label in enumerate(given.servers):
        head = f'{name}{{server="{label}"}} '
        lines += [
            f"{head}{cycle[server, metric]} {(_START_S + 10 * (i + 1)) * unit}\n"
            for i, cycle in enumerate(given.cycles)
        ]
        if len(lines) > _LINES:
            yield "".join(lines)
            lines = []
    yield "".join(lines)


@contextmanager
def _victoria(data: Path) -> Iterator[None]:
    arguments = ["-retentionPeriod=100y", f"-httpListenAddr=127.0.0.1:{_PORT}", f"-storageDataPath={data}"]
    with tempfile.TemporaryFile() as log:
        command = ["setpriv", "--pdeathsig", "KILL", "victoria-metrics", *arguments]
        process = subprocess.Popen(command, stderr=log, stdout=log)
        try:
            until = time.monotonic() + _READY_S
            while True:
                try:
                    _ask("GET", "/health")
                    break
                except OSError as error:
                    if process.poll() is not None or time.monotonic() > until:
                        raise RuntimeError(f"victoria-metrics does not answer ({error})") from error
                    time.sleep(0.05)
            yield
        finally:
            process.terminate()
            process.wait(60)


def _ask(method: str, path: str, body: str | None = None) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", _PORT, timeout=600)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    if answer.status >= 300:
        raise RuntimeError(f"victoria-metrics: {path}: {answer.status} {content[:200]!r}")
    return content


def _settle(data: Path) -> None:
    """Wait until the folder has stopped to shrink."""
    before, same = -1, 0
    while same < 3:
        now = _size(data)
        same = same + 1 if now == before else 0
        before = now
        time.sleep(0.5)


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            # merged away since it was listed
            continue
    return total
