"""Counter series as text, so that a reset, a gap or an end is seen in the test itself.

    start 2026-11-23T10:00:00Z
    interval 10
    files 3                                   a new journal file every 3 cycles
    gap 4 600                                 before cycle 4 pass 600 s instead of one interval
    nfsd server=srv1 read_bytes  0+100x3 . 500 - 0 70
    links server=srv1 link=v1 sent_bytes  0 5 ? 9
    cost nfsd 4000 4100 4000                  what reading a source took in each cycle, in us of CPU time
    node nas2                                 what follows is of another node

A row is a stream, its keys (`=` alone: NULL; a space is %20) and a measure, then one value a cycle: `0+100x3` is
0 100 200 300, `.` a thing that is listed but cannot be read, `?` one that was read but lacks this measure, `-` one that
is not there. What comes after a `-` is a new life: a new epoch. Rows of one thing agree about `.` and `-`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote

from journals import Recorder, Thing

from nasacct.store.schema import STREAMS

if TYPE_CHECKING:
    from pathlib import Path

_RUN = re.compile(r"(-?\d+)([+-]\d+)x(\d+)")
Values = dict[str, list[str]]


@dataclass
class Node:
    """The series of one node: of each thing (stream's source, keys) the values of its measures."""

    name: str
    start: str = "2026-11-23T10:00:00Z"
    interval_s: float = 10
    file_cycles: int = 0
    gaps: dict[int, float] = field(default_factory=dict)
    costs: dict[str, list[int]] = field(default_factory=dict)
    things: dict[tuple[str, tuple[tuple[str, str | None], ...]], Values] = field(default_factory=dict)


def parse(text: str) -> list[Node]:
    """The nodes of a text; the first is called nas1 unless the text says otherwise."""
    nodes = [Node("nas1")]
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if not words:
            continue
        node = nodes[-1]
        match words:
            case ["start", at]:
                node.start = at
            case ["interval", seconds]:
                node.interval_s = float(seconds)
            case ["files", cycles]:
                node.file_cycles = int(cycles)
            case ["gap", cycle, seconds]:
                node.gaps[int(cycle)] = float(seconds)
            case ["cost", source, *values]:
                node.costs[source] = [int(v) for w in values for v in _expanded(w)]
            case ["node", name]:
                nodes = [n for n in nodes if n.things]
                nodes.append(Node(name, node.start, node.interval_s, node.file_cycles, dict(node.gaps)))
            case [stream, *rest]:
                keys = tuple((k, unquote(v) or None) for k, _, v in (w.partition("=") for w in rest if "=" in w))
                measure, *values = [w for w in rest if "=" not in w]
                node.things.setdefault((stream, keys), {})[measure] = [v for w in values for v in _expanded(w)]
    return nodes


def _expanded(word: str) -> list[str]:
    run = _RUN.fullmatch(word)
    if run is None:
        return [word]
    return [str(int(run[1]) + i * int(run[2])) for i in range(int(run[3]) + 1)]


def write(text: str, root: Path) -> None:
    """Make a store at `root` of the text, all of it still in the journal."""
    for node in parse(text):
        recorder = Recorder(root, node=node.name, start=node.start.replace("Z", "+00:00"), interval_s=node.interval_s)
        cycles = max((len(v) for values in node.things.values() for v in values.values()), default=0)
        lives: dict[object, Thing] = {}
        for cycle in range(cycles):
            if cycle and node.file_cycles and cycle % node.file_cycles == 0:
                recorder.rotate()
            now: dict[Thing, dict[str, int | None] | None] = {}
            for (stream, keys), values in node.things.items():
                row = {measure: v[cycle] if cycle < len(v) else "-" for measure, v in values.items()}
                if "-" in row.values():
                    lives.pop((stream, keys), None)
                    continue
                if (stream, keys) not in lives:
                    epoch = f"boot-{node.name}-{stream}-{keys}-{cycle}"
                    if STREAMS[stream].joined:
                        # of one connection
                        epoch += "/1"
                    lives[stream, keys] = recorder.thing(stream, epoch, **dict(keys))
                read = {m: None if v == "?" else int(v) for m, v in row.items() if v != "."}
                now[lives[stream, keys]] = read if len(read) == len(row) else None
            took = {source: us[cycle] for source, us in node.costs.items() if cycle < len(us)}
            recorder.cycle(now, seconds=node.gaps.get(cycle, node.interval_s), cpu_us=took)
