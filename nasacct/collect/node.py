"""The source `node`: the machine as a whole, by /proc/pressure/io, stat, meminfo, loadavg and uptime.

    /proc/stat      cpu  1453 0 7279 7331 1161 0 494 0 0 0      ticks of 1/100 s: user nice system idle iowait irq
                    ctxt 3412345                                softirq steal (guest and guest_nice are within user)
                    processes 2345                              forks
                    procs_running 2
                    procs_blocked 0                             tasks waiting for a disk
    /proc/meminfo   MemTotal:       24604924 kB
    /proc/loadavg   0.36 0.22 0.12 1/180 21344
    /proc/uptime    1512.07 2890.11

A file that is not there leaves its measures absent: no kernel needs to have them all.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from nasacct.collect import pressure
from nasacct.collect.changes import Changes
from nasacct.collect.lines import ParseError, fields, number
from nasacct.store.frame import ABSENT, Batch, Subject
from nasacct.store.schema import NODE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nasacct.collect.machine import Listing, Machine

_CPU = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
_STAT = {"ctxt": "context_switches", "processes": "forks", "procs_running": "running", "procs_blocked": "blocked"}
_MEMORY = {
    "MemTotal": "memory_total_bytes",
    "MemAvailable": "memory_available_bytes",
    "Dirty": "memory_dirty_bytes",
    "Writeback": "memory_writeback_bytes",
}
_LOADS = ("load1_hundredths", "load5_hundredths", "load15_hundredths")
_TWO_DECIMALS = re.compile(r"[0-9]{1,9}\.[0-9]{2}", re.ASCII)


class Node:
    """Hands out the machine's row."""

    name = "node"
    streams = (NODE.name,)

    def __init__(self, admit: Callable[[Subject], int]) -> None:
        self._admit = admit
        self._changes = Changes(NODE)
        self._subject: Subject | None = None

    def read(self, machine: Machine, listing: Listing) -> Batch:  # noqa: ARG002  the node is there without servers
        """Read what there is. A file that is broken or refused is named in `Batch.note`."""
        if self._subject is None or self._subject.epoch != machine.boot_id:
            self._subject = Subject(self.name, {}, machine.boot_id)
            self._subject.sid = self._admit(self._subject)
        batch = Batch(self.name, machine.now(), [self._subject])
        found: dict[str, int] = {}
        troubles: list[str] = []
        for path, understand in _FILES.items():
            try:
                found.update(understand(machine.file(path)))
            except FileNotFoundError:
                continue
            except ParseError as error:
                troubles.append(f"{path} is broken: {error}")
            except OSError as error:
                if path != pressure.PATH:
                    troubles.append(f"{path} cannot be read: {error.strerror or error}")
        batch.note = "; ".join(troubles)
        if found:
            values = np.array([[found.get(measure.name, ABSENT) for measure in NODE.measures]], np.int64)
            batch.rows = self._changes.rows([self._subject], values)
        else:
            batch.failed[self._subject] = batch.note or "none of its files is there"
        return batch


def pressure_of(text: bytes) -> dict[str, int]:
    """The measures of /proc/pressure/io. Raises ParseError."""
    waits = pressure.parse(text)
    totals = {f"io_{kind}_us": waits.total_us(kind) for kind in pressure.KINDS}
    return {name: total for name, total in totals.items() if total is not None}


def stat(text: bytes) -> dict[str, int]:
    """The measures of /proc/stat. Raises ParseError."""
    found: dict[str, int] = {}
    for line_no, words in _words(text):
        if words[0] == "cpu":
            values = [number(word, line_no) for word in words[1:]]
            found.update(zip((f"cpu_{name}" for name in _CPU), values, strict=False))
        elif words[0] in _STAT:
            found[_STAT[words[0]]] = _first(words, line_no)
    return found


def meminfo(text: bytes) -> dict[str, int]:
    """The measures of /proc/meminfo, in bytes. Raises ParseError."""
    sizes: dict[str, int] = {}
    for line_no, words in _words(text):
        name = words[0].removesuffix(":")
        if name in _MEMORY or name in ("SwapTotal", "SwapFree"):
            if words[2:] != ["kB"]:
                raise ParseError(line_no, f"{name} is not in kB")
            sizes[name] = _first(words, line_no) * 1024
    found = {measure: sizes[name] for name, measure in _MEMORY.items() if name in sizes}
    if "SwapTotal" in sizes and "SwapFree" in sizes:
        found["swap_used_bytes"] = max(sizes["SwapTotal"] - sizes["SwapFree"], 0)
    return found


def loadavg(text: bytes) -> dict[str, int]:
    """The measures of /proc/loadavg. Raises ParseError."""
    for line_no, words in _words(text):
        if len(words) < len(_LOADS):
            raise ParseError(line_no, "it has fewer than three averages")
        return {name: _hundredths(word, line_no) for name, word in zip(_LOADS, words, strict=False)}
    raise ParseError(1, "the file is empty; read it again")


def uptime(text: bytes) -> dict[str, int]:
    """The measure of /proc/uptime. Raises ParseError."""
    for line_no, words in _words(text):
        return {"uptime_s": _hundredths(words[0], line_no) // 100}
    raise ParseError(1, "the file is empty; read it again")


_FILES: dict[str, Callable[[bytes], dict[str, int]]] = {
    pressure.PATH: pressure_of,
    "proc/stat": stat,
    "proc/meminfo": meminfo,
    "proc/loadavg": loadavg,
    "proc/uptime": uptime,
}


def _words(text: bytes) -> Iterator[tuple[int, list[str]]]:
    """The words of each whole line; what follows the last newline was cut and is left out."""
    for line_no, line in enumerate(text.decode("utf-8", "replace").split("\n")[:-1], 1):
        words = fields(line)
        if words:
            yield line_no, words


def _first(words: list[str], line_no: int) -> int:
    if len(words) < 2:
        raise ParseError(line_no, f"{words[0]} has no number")
    return number(words[1], line_no)


def _hundredths(word: str, line_no: int) -> int:
    if not _TWO_DECIMALS.fullmatch(word):
        raise ParseError(line_no, f"{word!r} is no number with two decimals")
    return int(word.replace(".", ""))
