"""A synthetic fleet of NFS servers: the counters that a collector would read, cycle after cycle.

Of ten servers six are idle, three light, one is busy: in use for 3, 45 and 90 % of the time. While one is in use it
moves bytes at a level that is lognormal over the servers, follows the time of day and wanders (AR(1) of its
logarithm). In a cycle of 10 s about a quarter of all rows change, and a seventh of all numbers. Packets, calls and
operations follow from the bytes and from a mix of requests that is the server's own. All is the same for the same seed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nasacct.store.schema import LINKS, NFSD, OPS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

#: Of ten servers, in their order: 0 idle, 1 light, 2 busy.
_CLASSES = np.array([0, 1, 0, 2, 0, 1, 0, 0, 1, 0])
#: By class: the share of the time in use, how long that lasts (s), bytes a second (median, sigma of the logarithm).
_SHARE, _LASTS_S = np.array([0.035, 0.45, 0.9]), np.array([30.0, 180.0, 1800.0])
_BYTES_S, _SIGMA = np.array([20e3, 400e3, 12e6]), np.array([1.0, 1.2, 1.0])
#: How long the level remembers (s), how far it wanders, and how much the time of day matters.
_MEMORY_S, _WANDERS, _DIURNAL = 600.0, 0.6, 0.7
_OPERATIONS = "access close commit getattr getfh lookup open putfh read readdir remove sequence setattr write"
#: What moves, by stream, in the order in which rivals are given it. Everything else of a stream stays as it is.
MOVING = {
    "nfsd": ("read_bytes", "written_bytes", "rc_misses", "rc_nocache", "net_tcp_connections"),
    "links": ("received_bytes", "sent_bytes", "received_packets", "sent_packets"),
    "ops": tuple(_OPERATIONS.split()),
}
_STREAMS = {s.name: s for s in (NFSD, LINKS, OPS)}
#: Operations other than read, write and the wrapping of every compound, for each request for metadata.
_META = {"access": 0.2, "close": 0.1, "getfh": 0.1, "lookup": 0.1, "open": 0.1, "readdir": 0.05}
_RARE = {"remove": 0.02, "setattr": 0.05}


class Fleet:
    """`counters` has, by stream, int64[servers, width]: what would be read now; `step` lets time pass."""

    def __init__(self, servers: int, seed: int = 1) -> None:
        self._random = np.random.default_rng(seed)
        kind = _CLASSES[np.arange(servers) % len(_CLASSES)]
        normal = self._random.standard_normal
        self._share, self._lasts_s = _SHARE[kind], _LASTS_S[kind]
        self._bytes_s = np.minimum(_BYTES_S[kind] * np.exp(_SIGMA[kind] * normal(servers)), 600e6)
        self._read_share = self._random.beta(0.3, 0.3, servers)
        self._request = 2.0 ** self._random.integers(14, 21, servers)
        self._meta_per_request = np.exp(normal(servers)) * 0.02
        self._on = self._random.random(servers) < self._share
        self._wander = normal(servers)
        self.counters = {name: np.zeros((servers, s.width), np.int64) for name, s in _STREAMS.items()}
        for name, table in self.counters.items():
            # as after some months of life
            moving = [_STREAMS[name].index[m] for m in MOVING[name]]
            scale = 40 if name in {"links", "nfsd"} else 22
            table[:, moving] = np.exp2(self._random.uniform(scale / 2, scale, (servers, len(moving)))).astype(np.int64)
        self.counters["nfsd"][:, NFSD.index["net_tcp_connections"]] %= 1 << 31

    def step(self, seconds: float, at_s: float) -> NDArray[np.bool_]:
        """Let `seconds` pass until `at_s` (UTC): the counters grow; gives back which servers were used."""
        n = len(self._on)
        stay = np.exp(-seconds / self._lasts_s)
        self._on = self._random.random(n) < self._share + (self._on - self._share) * stay
        rho = float(np.exp(-seconds / _MEMORY_S))
        self._wander = rho * self._wander + np.sqrt(1 - rho * rho) * self._random.standard_normal(n)
        used = np.flatnonzero(self._on)
        day = 1 + _DIURNAL * np.sin(2 * np.pi * (at_s / 86_400 - 0.375))
        self._grow(used, self._bytes_s[used] * day * np.exp(_WANDERS * self._wander[used]) * seconds)
        on: NDArray[np.bool_] = self._on
        return on

    def _grow(self, used: Ints, moved: Floats) -> None:
        poisson, request, share = self._random.poisson, self._request[used], self._read_share[used]
        reads, writes = poisson(moved * share / request), poisson(moved * (1 - share) / request)
        # requests are not all of full size
        size = request * self._random.uniform(0.8, 1.0, len(used))
        read_bytes, written_bytes = (reads * size).astype(np.int64), (writes * size).astype(np.int64)
        meta = poisson((moved / request + 10) * self._meta_per_request[used])
        rare = {name: poisson(meta * part) for name, part in _RARE.items()}
        other = {name: poisson(meta * part) for name, part in _META.items()}
        commits = self._random.binomial(writes, 0.02)
        calls = reads + writes + meta + commits + 1
        self._add("nfsd", used, read_bytes=read_bytes, written_bytes=written_bytes)
        self._add("nfsd", used, rc_nocache=calls - rare["remove"], rc_misses=rare["remove"])
        self._add("nfsd", used, net_tcp_connections=poisson(0.002, len(used)))
        self._add("ops", used, sequence=calls, putfh=calls, read=reads, write=writes, commit=commits, **other, **rare)
        self._add("ops", used, getattr=writes + meta)
        full = 1448
        received = written_bytes // full + calls + (read_bytes // full) // 2
        sent = read_bytes // full + calls + (written_bytes // full) // 2
        self._add("links", used, received_packets=received, sent_packets=sent)
        self._add("links", used, received_bytes=written_bytes + 66 * received + 160 * calls)
        self._add("links", used, sent_bytes=read_bytes + 66 * sent + 130 * calls)

    def _add(self, stream: str, used: Ints, **growth: Ints) -> None:
        for name, by in growth.items():
            self.counters[stream][used, _STREAMS[stream].index[name]] += by
