"""Traces: recorded in the virtual machine, one boot a file system, packed, and laid down with their truth."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import payload
import traced
from plots import AFTER_S, HISTORY_S, LOAD_S, PLOTS, Plot
from vm import HERE, Disk, LabError, Machine, cache

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_BYTES = 300_000
#: What QEMU lets the disk do. ZFS writes in large pieces, so that bytes must have a limit, too.
THROTTLES = {"ext4": "iops-total=40", "zfs": "iops-total=60,bps-total=8000000"}
MEMORY = {"ext4": "768M", "zfs": "1280M"}
#: A disk that was less busy while the loads lasted was not saturated. More cannot be asked for: ZFS takes writes for
#: 15 s before it writes any, and QEMU lets requests go in bunches, between which all wait for an emulated processor.
BUSY_PERCENT = 50
_SETUP_S, _ROUND_S = 600, 90


def record(plots: list[Plot], out: Path) -> None:
    """Play plots of one file system, and leave each in a folder of `out`; LabError when the guest failed."""
    (filesystem,) = {plot.filesystem for plot in plots}
    machine = Machine(
        memory=MEMORY[filesystem],
        disks=[Disk("nas", "4G", THROTTLES[filesystem])],
        inputs=[payload.tree()],
        site=payload.site_packages(),
        zfs=_zfs() if filesystem == "zfs" else None,
    )
    timeout_s = _SETUP_S + len(plots) * (HISTORY_S + LOAD_S + AFTER_S + _ROUND_S)
    end = machine.run(["python3", "guest/stage.py", *(plot.name for plot in plots)], out, timeout_s)
    if end.status:
        raise LabError(f"the guest ended with status {end.status}; its console: {end.console}")


def _zfs() -> Path:
    built = subprocess.run([HERE / "build-zfs"], stdout=subprocess.PIPE, text=True, check=False)
    if built.returncode:
        raise LabError("ZFS could not be built for the guest (tests/lab/build-zfs, see above)")
    return Path(built.stdout.strip())


def publish(plot: Plot, out: Path) -> str:
    """Pack a plot's store, and put it beside its truth into the fixtures; a sentence of it.

    LabError when it does not say what happened, or is too large.
    """
    truth = json.loads((out / plot.name / traced.TRUTH).read_text("utf-8"))
    if reason := wrong(truth):
        raise LabError(f"{plot.name}: {reason}")
    store = traced.packed(out / plot.name / "store")
    if len(store) > MOST_BYTES:
        raise LabError(f"{plot.name}: its store has {len(store)} bytes, more than {MOST_BYTES}")
    truth["throttle"] = THROTTLES[plot.filesystem]
    place = traced.PLACE / plot.name
    place.mkdir(parents=True, exist_ok=True)
    (place / traced.STORE).write_bytes(store)
    (place / traced.TRUTH).write_text(json.dumps(truth, indent=1) + "\n", "utf-8")
    return f"{plot.name}: {len(store)} bytes, the disk was busy {truth['disk_busy_percent']} %"


def wrong(truth: dict[str, Any]) -> str:
    """Why a trace is none of what it should be; nothing where it is."""
    if truth["collector_status"]:
        return f"the collector ended with status {truth['collector_status']}"
    if idle := [load["what"] for load in truth["loads"] if load.get("done") == 0]:
        return f"nothing came of {idle}"
    if truth["disk_busy_percent"] < BUSY_PERCENT:
        return f"the disk was busy only {truth['disk_busy_percent']} % of the time"
    return ""


def main(arguments: list[str]) -> Iterator[str]:
    """Record the plots that are named, all where none is; `--from OUT` only lays down. A sentence of each."""
    given = Path(arguments[1]) if arguments[:1] == ["--from"] else None
    wanted = [plot for plot in PLOTS if given or not arguments or plot.name in arguments]
    if unknown := set() if given else set(arguments) - {plot.name for plot in PLOTS}:
        raise LabError(f"there are no plots {', '.join(sorted(unknown))}; there are {', '.join(p.name for p in PLOTS)}")
    for filesystem in THROTTLES:
        plots = [plot for plot in wanted if plot.filesystem == filesystem]
        out = given or cache() / f"traces-{filesystem}"
        if plots and given is None:
            shutil.rmtree(out, ignore_errors=True)
            record(plots, out)
        yield from (publish(plot, out) for plot in plots if (out / plot.name / traced.TRUTH).exists())
