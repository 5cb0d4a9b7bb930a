"""The demo's recording: checked against what really happened, and laid down with it in words."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import payload
from vm import LabError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PLACE = payload.PROJECT / "tests" / "fixtures" / "recordings" / "demo"
NAME = "recording.jsonl.zst"
MOST_BYTES = 2_000_000
THROTTLE = "iops-total=40"


def command(*arguments: str | Path) -> str:
    """What the working tree's `nasacct` printed; LabError with its sentence when it failed."""
    environment = {**os.environ, "PYTHONPATH": str(payload.PROJECT)}
    done = subprocess.run(
        [sys.executable, "-m", "nasacct", *arguments], capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode:
        raise LabError(f"nasacct {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


def replayed(recording: Path) -> dict[str, dict[str, Any]]:
    """`usage --by server` of a recording, by server."""
    with tempfile.TemporaryDirectory() as root:
        command("replay", recording, "--root", root)
        return {row["server"]: row for row in json.loads(command("usage", "--root", root, "--by", "server", "--json"))}


def differences(truth: dict[str, Any], usage: dict[str, dict[str, Any]]) -> list[str]:
    """In sentences, where usage is not what the VPSes say they moved."""
    found = []
    for server, about in truth["servers"].items():
        for measure in ("read_bytes", "written_bytes"):
            counted, moved = usage.get(server, {}).get(measure), about["moved"][measure]
            if counted != moved:
                found.append(f"server {server}: {measure} {counted}, but its VPSes moved {moved}")
    return found


def cycles(recording: Path) -> list[dict[str, Any]]:
    """The recording's cycles."""
    from nasacct.collect import recording as format_

    return [row for row in format_.read(recording) if "servers" in row]


def publish(out: Path) -> list[str]:
    """Check what scenario.py left in `out`, add how it was recorded, and put all into PLACE; gives back notes.

    LabError when the recording is too large or does not say what happened.
    """
    recording = out / NAME
    truth = json.loads((out / "GROUND_TRUTH.json").read_text("utf-8"))
    if recording.stat().st_size > MOST_BYTES:
        raise LabError(f"{recording} has {recording.stat().st_size} bytes, more than {MOST_BYTES}; record less often")
    if wrong := differences(truth, replayed(recording)):
        raise LabError("the replayed recording is not what happened: " + "; ".join(wrong))
    rows = cycles(recording)
    gaps = sorted(b["t"] - a["t"] for a, b in pairwise(rows))
    truth["recording"] = {
        "cycles": len(rows),
        "seconds": round(rows[-1]["t"] - rows[0]["t"]),
        "gap_median_s": round(gaps[len(gaps) // 2], 2),
        "gap_longest_s": round(gaps[-1], 2),
        "bytes": recording.stat().st_size,
    }
    truth["throttle"] = THROTTLE
    PLACE.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(recording, PLACE / NAME)
    (PLACE / "GROUND_TRUTH.json").write_text(json.dumps(truth, indent=1) + "\n", "utf-8")
    (PLACE / "GROUND_TRUTH.md").write_text("\n".join(_words(truth)) + "\n", "utf-8")
    return [f"{PLACE}: {truth['recording']}"]


def _words(truth: dict[str, Any]) -> Iterator[str]:
    about = truth["recording"]
    yield "# What really happened in this recording\n"
    yield (
        f"Real kernel nfsd in six servers as osctl-exportfs makes them, Linux {truth['kernel']}, {truth['filesystem']} "
        f"on {truth['disk']}, which QEMU throttled ({truth['throttle']}). Made by `tests/lab/record-demo`."
    )
    yield (
        f"{about['cycles']} cycles in {about['seconds']} s, {about['gap_median_s']} s apart (longest "
        f"{about['gap_longest_s']} s: the emulated machine is starved at times, as a busy NAS can be)."
    )
    yield (
        "Bytes are READ and WRITE payload over the wire as the VPSes' own mountstats count them, "
        "from before the first cycle to after the last.\n"
    )
    yield "| server | member | dataset | VPS (NFS version) | lives | read B | written B | operations |"
    yield "| --- | --- | --- | --- | ---: | ---: | ---: | ---: |"
    for name, server in truth["servers"].items():
        vps = ", ".join(f"{number} ({version})" for number, version in server["vps"].items())
        moved = " | ".join(str(server["moved"][key]) for key in ("read_bytes", "written_bytes", "operations"))
        yield f"| {name} | {server['member']} | {server['dataset']} | {vps} | {server['lives']} | {moved} |"
    yield "\nTimes are seconds after the wall time `began` of GROUND_TRUTH.json.\n"
    yield "| from | to | who | what | read B | written B | operations | disk busy | disk requests/s |"
    yield "| ---: | ---: | --- | --- | ---: | ---: | ---: | ---: | ---: |"
    of = {number: name for name, server in truth["servers"].items() for number in server["vps"]}
    for job in truth["jobs"]:
        number = str(job.get("vps", ""))
        moved = job["moved_by_vps"].get(number, {})
        cells = " | ".join(str(moved.get(key, "")) for key in ("read_bytes", "written_bytes", "operations"))
        who = f"VPS {number} on {of[number]}" if number else "the NAS"
        yield (
            f"| {job['start_s']} | {job['end_s']} | {who} | {job['kind']} | {cells} | "
            f"{job['disk_busy_percent']} % | {job['disk_requests_per_s']} |"
        )
