"""Situations: pools made of a family's declaration (`families/NAME.toml`) and a seed.

about = "..."                what happens, in a sentence
kinds = ["raidz2"]           disks, one of these (`disks.KINDS`)
members = [10, 60]           how many; a range is drawn from
load = [0.15, 0.4]           mean disk time of an ordinary hour
events = 2                   how often it happens, after the hour from which it is learnt what is normal
lasts = [300, 1200]          seconds
nfs3 = 0.5                   part of the members who use NFSv3
gaps = true                  readings are lost, servers start anew
always = true                it happens all the time, and there is no usual hour

[[job]]                      of a member, while it happens
does = ["random_reads"]      one of these jobs of `work.toml`
who = "one"                  the same word is the same member; "many": most members, each by itself
disks = [1.0, 2.0]           disk time it would take if it could; of many, all together
mb_s = [200, 600]            or what it asks for at most, found in memory
late = [0, 60]               seconds after the others; may be below 0
over = [0, 0]                seconds that it goes on after them
before = 0.05                part of it that goes on at all times, so that memory keeps what it reads
nfs3 = true                  whether it is over NFSv3

[[local]]                    of the node itself
does = "scrub"
disks = 1.0

[slow]                       one disk takes so many times as long
times = [5, 14]

[memory]                     part of memory that is left
left = [0.1, 0.3]
"""

from __future__ import annotations

import tomllib
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.scenarios import asked
from bench.scenarios.disks import KINDS
from bench.scenarios.memory import Memory
from bench.scenarios.pool import Pool
from bench.scenarios.work import Work

if TYPE_CHECKING:
    from bench.scenarios.asked import Streams
    from bench.scenarios.disks import Floats, Kind

FOLDER = Path(__file__).parent / "families"
_SECONDS, _LEARNT_S = 10_800, 4_000
_DEPTH = 8.0
#: Of a disk, the most that an ordinary member takes but for a twentieth of the time.
_LARGEST, _OFTEN, _ROUNDS = 0.2, 0.95, 3
#: Seconds by which members' jobs of a whole hour begin apart.
_APART_S = 25


@dataclass(frozen=True, slots=True, eq=False)
class Situation:
    """One scenario before it is simulated."""

    family: str
    seed: int
    kind: str
    members: int
    nfs3: np.ndarray  #: members: who uses NFSv3
    gaps: bool
    pool: Pool
    random: np.random.Generator  #: what counters tremble by


def families() -> list[str]:
    """All of them."""
    return sorted(each.stem for each in FOLDER.glob("*.toml"))


def told(family: str) -> dict[str, Any]:
    """A family's declaration."""
    return tomllib.loads((FOLDER / f"{family}.toml").read_text())


def made(family: str, seed: int) -> Situation:
    """The situation of a family that a seed gives."""
    table = told(family)
    random = np.random.default_rng([zlib.crc32(family.encode()), seed])
    name = str(random.choice(table["kinds"]))
    kind, members = KINDS[name], asked.drawn(random, table.get("members", [10, 60]))
    spans = _spans(random, table)
    memory = np.full(_SECONDS, float(random.uniform(24_000, 96_000)))
    streams = _scaled(
        kind,
        asked.ordinary(random, members, _SECONDS),
        float(memory[0]),
        asked.drawn(random, table.get("load", [0.15, 0.4])),
    )
    nfs3 = random.random(members) < table.get("nfs3", 0.0)
    who: dict[str, int] = {}
    for job in table.get("job", []):
        for member, part, word in _who(random, job, members, who):
            nfs3[member] = job.get("nfs3", nfs3[member])
            streams.append((member, *_job(random, kind, job, spans, part, many=word == "many")))
    if "memory" in table:
        memory *= 1 - _during(spans) * (1 - asked.drawn(random, table["memory"]["left"]))
    slower = None
    if "slow" in table:
        slower = 1 + _during(spans) * (asked.drawn(random, table["slow"]["times"]) - 1)
    pool = Pool(
        kind,
        asked.gathered(streams),
        _local(random, table, spans),
        memory,
        dirty_mb=float(random.uniform(1000, 4000)),
        period_s=int(random.choice([5, 5, 15])) if kind.transactional else 30,
        synced=not kind.transactional or not table.get("unsynced", random.random() < 0.15),
        slower=slower,
        slow_disk=int(random.integers(kind.disks)),
    )
    return Situation(family, seed, name, members, nfs3, table.get("gaps", False), pool, random)


def _spans(random: np.random.Generator, table: dict[str, Any]) -> list[tuple[int, int]]:
    """Seconds in which it happens."""
    if table.get("always"):
        return [(0, _SECONDS)]
    count, found = table.get("events", 2), []
    room = (_SECONDS - _LEARNT_S) / count
    for at in range(count):
        lasts = min(asked.drawn(random, table.get("lasts", [300, 1200])), 0.65 * room)
        begin = _LEARNT_S + at * room + random.uniform(0.05, 0.3) * room
        found.append((int(begin), int(begin + lasts)))
    return found


def _during(spans: list[tuple[int, int]], late: float = 0.0, over: float = 0.0) -> Floats:
    found = np.zeros(_SECONDS)
    for begin, end in spans:
        found[max(int(begin + late), 0) : max(int(end + over), 0)] = 1.0
    return found


def _scaled(
    kind: Kind, usual: list[tuple[int, Floats, dict[str, float]]], memory_mb: float, load: float
) -> list[tuple[int, Floats, dict[str, float]]]:
    """The same streams, in all of this mean disk time, and none of more than LARGEST for long."""
    for _ in range(_ROUNDS):
        each = _loads(kind, asked.gathered(usual), memory_mb)
        scale = load / float(sum(part.mean() for part in each))
        peaks = [float(np.quantile(part, _OFTEN)) * scale for part in each]
        usual = [
            (member, rounds * scale * min(1.0, _LARGEST / max(peak, 1e-9)), numbers)
            for (member, rounds, numbers), peak in zip(usual, peaks, strict=True)
        ]
    return usual


def _loads(kind: Kind, streams: Streams, memory_mb: float) -> list[Floats]:
    """Disk time of each stream as it is, second by second."""
    work, rounds = Work(kind, streams, synced=True), streams.rounds.mean(axis=0)
    sets = np.concatenate([streams["set_mb"], streams["inodes_mb"]])
    missing = Memory.warm(sets, work.asked_mb(rounds), work.streaming, memory_mb).misses(work.streaming)
    count = len(rounds)
    cost = work.cost(missing[:count], missing[count:], np.zeros(count), kind.position(2.0))
    return list((streams.rounds * (cost.time + work.write_time)).T)


def _who(
    random: np.random.Generator, job: dict[str, Any], members: int, known: dict[str, int]
) -> list[tuple[int, float, str]]:
    """Members who do a job, with their part of it."""
    word = job["who"]
    if word == "many":
        chosen = np.flatnonzero(random.random(members) < 0.85)
        parts = random.uniform(0.7, 1.3, len(chosen))
        return [(int(each), float(part), word) for each, part in zip(chosen, parts / parts.sum(), strict=True)]
    if word not in known:
        free = [each for each in range(members) if each not in known.values()]
        known[word] = int(random.choice(free))
    return [(known[word], 1.0, word)]


def _job(
    random: np.random.Generator,
    kind: Kind,
    job: dict[str, Any],
    spans: list[tuple[int, int]],
    part: float,
    *,
    many: bool,
) -> tuple[Floats, dict[str, float]]:
    """Rounds a second of a job, and its numbers."""
    numbers = asked.numbers(random, asked.WORK["jobs"][str(random.choice(job["does"]))])
    if many:
        numbers["outstanding"] = min(numbers["outstanding"], 2.0)
    late, over = asked.drawn(random, job.get("late", 0)), asked.drawn(random, job.get("over", 0))
    during = _during(spans, late + (random.uniform(0, _APART_S) if many else 0), over)
    during = np.maximum(during, job.get("before", 0.0))
    if "mb_s" in job:
        return during * asked.drawn(random, job["mb_s"]) / (numbers["reads"] * numbers["read_kb"] * 1.024e-3), numbers
    work = Work(kind, asked.gathered([(0, during, numbers)]), synced=True)
    cost = work.cost(np.ones(1), np.ones(1), np.ones(1), kind.position(_DEPTH))
    each = float((cost.time + work.write_time + work.free_time)[0])
    return during * part * asked.drawn(random, job["disks"]) / each, numbers


def _local(random: np.random.Generator, table: dict[str, Any], spans: list[tuple[int, int]]) -> list[asked.Local]:
    found = []
    for job in table.get("local", []):
        late, over = asked.drawn(random, job.get("late", 0)), asked.drawn(random, job.get("over", 0))
        wanted = _during(spans, late, over) * asked.drawn(random, job["disks"])
        numbers = {name: float(asked.drawn(random, value)) for name, value in asked.WORK["local"][job["does"]].items()}
        found.append(asked.Local(job["does"], wanted, numbers))
    numbers = {name: float(asked.drawn(random, value)) for name, value in asked.WORK["local"]["hidden"].items()}
    return [*found, asked.Local("hidden", asked.bursts(random, _SECONDS), numbers)]
