"""What each number of an nfsd file counts: the server whose file it is, or the whole host.

Which numbers are per network namespace changed between kernels and was backported here and there, so it is found by
looking. Two facts make that possible. A number that counts the whole host shows the same in every file, so it never
looks smaller in one file than it did earlier in another. And every call that is dispatched is counted both in `rc` and
by procedure (proc2, proc3, proc4): where the procedures add up to more than `rc`, they count more than this server.

Idle servers decide nothing: what is undecided is asked again in each cycle. Undecided procedures and threads are taken
for host-wide, which they are on every kernel so far. Undecided counters of a server's own file are taken for its own
(kernels show a namespace such a file only since they count by namespace), unless all files show the same: then they
are kept back. Files that go on showing the same while they count are host-wide, until one of them differs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

import numpy as np

from nasacct.collect.nfsd_rows import NFSD_FIELDS, WIDTH, procs_row
from nasacct.store.schema import NFSD, OPS, PROCS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nasacct.collect.nfsd_text import NfsdCounters

Verdict = Literal["server", "host", "undecided"]

#: The kernel's structures: numbers that one structure holds were always made per namespace together.
FAMILIES = (("rc", "io", "proc4ops"), ("rpc", "net"), ("procs",), ("th",))
GROUPS = tuple(group for family in FAMILIES for group in family)

#: The group of each column of a row of NFSD and OPS measures.
_OF_LINE = {"fh": "rc", "wdeleg_getattr": "proc4ops"}
COLUMNS = np.array([_OF_LINE.get(kind, kind) for kind, _ in NFSD_FIELDS] + ["proc4ops"] * OPS.width)
#: The columns that add up to a group's size.
_TOTALS = {
    "rc": [NFSD.index[name] for name in ("rc_hits", "rc_misses", "rc_nocache")],
    "io": [NFSD.index[name] for name in ("read_bytes", "written_bytes")],
    "proc4ops": list(range(NFSD.width, WIDTH - 1)),
    "rpc": [NFSD.index["rpc_calls"]],
    "net": [NFSD.index["net_packets"]],
}
#: How much of each can be counted in a second, at most.
_PER_S = {"rc": 10e6, "io": 100e9, "proc4ops": 100e6, "rpc": 10e6, "net": 10e6}
#: Counters without a lock may seem to fall by a few counts.
_RACE = 64
#: So often in a row all files must have counted the same before they are called host-wide.
_MOVES = 3
#: A fall by more than this may be the wrap of a 32-bit counter.
_HALF = 2**31


def release(kernel: str) -> tuple[int, int]:
    """The first two numbers of a kernel's release; that of a kernel of the future when it names none."""
    found = re.match(r"(\d+)\.(\d+)", kernel)
    return (int(found[1]), int(found[2])) if found else (1_000, 0)


def narrow_nfsd(kernel: str) -> frozenset[str]:
    """The measures of NFSD and OPS that this kernel counts in 32 bits, unless it counts by namespace (from 5.12 none).

    fs/nfsd/stats.h became percpu counters of 64 bits in 5.12, and with the backports that made them per namespace.
    """
    if release(kernel) >= (5, 12):
        return frozenset()
    own = (m.name for m, group in zip(NFSD.measures, COLUMNS, strict=False) if group in FAMILIES[0])
    return frozenset([*own, *(m.name for m in OPS.measures)])


def narrow_procs(kernel: str) -> frozenset[str]:
    """The measures of PROCS that this kernel counts in 32 bits: all calls before 6.3 (`vs_count`, sunrpc/svc.h)."""
    if release(kernel) >= (6, 3):
        return frozenset()
    return frozenset(m.name for m in PROCS.measures if m.kind == "counter")


class Semantics:
    """What was found out so far on this machine. `verdicts` has an entry for each of GROUPS."""

    def __init__(self) -> None:
        self.verdicts: dict[str, Verdict] = dict.fromkeys(GROUPS, "undecided")
        self._alike = False
        self._alike_sum = 0
        self._alike_moves = 0
        self._tops: dict[str, int] = {}
        self._procs_tops = np.zeros(0, np.int64)
        self._threads: list[tuple[int, int, int]] = []

    def of(self, group: str) -> Verdict:
        """The verdict on a group: its own or, while it has none, that of its family."""
        if self.verdicts[group] != "undecided":
            return self.verdicts[group]
        family = next(family for family in FAMILIES if group in family)
        return next((self.verdicts[g] for g in family if self.verdicts[g] != "undecided"), "undecided")

    @property
    def settled(self) -> bool:
        """Nothing is left that other files could tell, but for the threads."""
        return self.of("procs") != "undecided" and all(self.of(group) == "server" for group in _TOTALS)

    @property
    def server_columns(self) -> NDArray[np.bool_]:
        """Which columns of NFSD and OPS are to be stored as the server's."""
        return self._where({"server"} if self._alike else {"server", "undecided"})

    @property
    def host_columns(self) -> NDArray[np.bool_]:
        """Which columns of NFSD and OPS are to be stored as the node's."""
        return self._where({"host"})

    def _where(self, verdicts: set[str]) -> NDArray[np.bool_]:
        return np.isin(COLUMNS, [group for group in GROUPS if self.of(group) in verdicts])

    def only_the_host_has_a_file(self) -> None:
        """No namespace but the first shows an nfsd file: its numbers are the host's."""
        for group in GROUPS:
            if self.verdicts[group] == "undecided":
                self.verdicts[group] = "host"

    def see(
        self,
        rows: NDArray[np.int64],
        samples: Sequence[NfsdCounters],
        host: NDArray[np.int64] | None,
        *,
        span_ns: int,
        kernel: str,
    ) -> None:
        """Look at one cycle.

        `rows` int64[n, WIDTH] are of n namespaces, all read within `span_ns` (0: not known); `samples` are some of
        the same texts; `host` is the row of the first namespace, read after all others.
        """
        wide = release(kernel) >= (5, 12)
        for group in _TOTALS:
            if self.verdicts[group] != "server" and len(rows):
                self._see_group(group, rows, host, span_ns, wide=wide and group not in FAMILIES[1])
        self._see_alike(rows)
        if self.verdicts["procs"] == "undecided" or self.of("rc") == "undecided":
            self._see_procs(samples, wide=wide)

    def _see_group(
        self, group: str, rows: NDArray[np.int64], host: NDArray[np.int64] | None, span_ns: int, *, wide: bool
    ) -> None:
        if not wide and group == "io":
            return  # bytes wrap 32 bits so fast that a fall tells nothing
        totals = np.maximum(rows[:, _TOTALS[group]], 0).sum(axis=1)
        least, top = int(totals.min()), int(totals.max())
        falls = [self._tops.get(group, 0) - least - _RACE]
        if host is not None and (host[_TOTALS[group]] >= 0).any():
            falls.append(top - int(np.maximum(host[_TOTALS[group]], 0).sum()) - (0 if wide else _RACE))
        if span_ns:
            falls.append(top - least - int(_PER_S[group] * span_ns / 1e9) - _RACE)
        if any(fall > 0 and (wide or fall < _HALF) for fall in falls):
            self.verdicts[group] = "server"
        self._tops[group] = top

    def _see_alike(self, rows: NDArray[np.int64]) -> None:
        """Whether all files show the same, which they do while they count the host (or are all as idle)."""
        counters = rows[:, : WIDTH - 1]
        total = int(np.maximum(counters, 0).sum())
        self._alike = len(rows) > 1 and total > 0 and bool((counters == counters[0]).all())
        moved = self._alike and 0 < self._alike_sum < total
        self._alike_moves = self._alike_moves + moved if self._alike else 0
        self._alike_sum = total if self._alike else 0
        if self._alike_moves >= _MOVES:
            for group in _TOTALS:
                self._decide(group, "host")

    def _see_procs(self, samples: Sequence[NfsdCounters], *, wide: bool) -> None:
        seen: dict[tuple[int, ...], list[int]] = {}
        tops = np.full(len(PROCS.measures) - 1, -1, np.int64)
        for counters in samples:
            row = procs_row(counters)
            calls = sum(max(n, 0) for n in row)
            dispatched = sum(counters.numbers.get("rc", (0,)))
            rpc = counters.numbers.get("rpc", (0, 0))
            # calls under way (one a thread), refused ones, and those dispatched while the file was printed
            slack = _RACE + counters.numbers.get("th", (0,))[0] + rpc[1]
            if "rc" in counters.numbers and calls > dispatched + dispatched // 16 + slack:
                self._decide("procs", "host")
                if wide:
                    self._decide("rc", "server")
            if "rpc" in counters.numbers and rpc[0] + rpc[0] // 16 + slack < calls < _HALF:
                self._decide("rpc", "server")
            seen.setdefault(tuple(row), []).append(dispatched)
            tops = np.maximum(tops, row)
            falls = self._procs_tops - np.array(row) if len(self._procs_tops) else np.zeros(1)
            if ((falls > _RACE) & (falls < _HALF)).any():
                self._decide("procs", "server")
        for row_seen, dispatched_by in seen.items():
            calls = sum(max(n, 0) for n in row_seen)
            if calls >= 100 and max(dispatched_by) - min(dispatched_by) > 10 + calls // 100:
                self._decide("procs", "host")
        self._procs_tops = tops

    def _decide(self, group: str, verdict: Verdict) -> None:
        if self.verdicts[group] == "undecided":
            self.verdicts[group] = verdict

    def see_threads(self, threads: Sequence[int]) -> None:
        """Look at the numbers of threads that the files of different namespaces show in one cycle."""
        if self.verdicts["th"] != "undecided" or len(threads) < 3:
            return
        now = (len(threads), min(threads), max(threads))
        self._threads = [*self._threads[-2:], now]
        before = self._threads[-2] if len(self._threads) > 1 else now
        same, was_same = now[1] == now[2], before[1] == before[2]
        if same and was_same and now[0] == before[0] and now[1] != before[1] and min(now[1], before[1]) > 0:
            self.verdicts["th"] = "host"  # all changed at once
        elif not same and self._threads == [now] * 3:
            self.verdicts["th"] = "server"
