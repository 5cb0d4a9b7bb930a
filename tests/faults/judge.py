"""Compares what the store answers with what really happened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from faults.run import INTERVAL_S
from faults.truth import LINKS, MEASURES, NFSD, SECOND

from nasacct.reports import usage

if TYPE_CHECKING:
    from collections.abc import Collection

    from faults.story import Story
    from faults.truth import Life

    from nasacct.store.warehouse import Warehouse

#: A row of two intervals is cut at an edge by time: what moved so near to it may be on its other side.
NEAR = (2 * INTERVAL_S + 1) * SECOND
EVER = {"since": datetime(1971, 1, 1, tzinfo=UTC), "until": datetime(2199, 1, 1, tzinfo=UTC)}
#: All parts of usage, a row for each measure.
_PARTS = (
    "WITH parts AS ("
    + " UNION ALL ".join(
        f"SELECT epoch, server, t0_us, t1_us, t0_us - before_us AS begin, t1_us + after_us AS until, whole, "
        f"'{m}' AS measure, {m} AS m, {m}_more AS more FROM {'nfsd' if m in NFSD else 'links WHERE server IS NOT NULL'}"
        for m in MEASURES
    )
    + ") "
)
_EPOCHS = (
    _PARTS
    + """
SELECT measure, epoch, coalesce(CAST(sum(m) AS BIGINT), 0) AS certain,
       CAST(sum(m + CASE WHEN whole THEN 0 ELSE more END) AS BIGINT) AS possible,
       count(*) FILTER (m IS NULL OR more IS NULL) AS unknown, count(*) FILTER (t1_us < t0_us) AS backwards
FROM parts GROUP BY measure, epoch
"""
)
#: By server and step, what is no share of a long row that reaches out of the step, which may have been in another one.
_SURE = (
    _PARTS
    + """
SELECT measure, server, t0_us // $step * $step // 1000000 AS start, CAST(sum(m) AS BIGINT) AS m
FROM parts WHERE m IS NOT NULL AND server IS NOT NULL AND (until - begin <= $long
    OR (begin >= t0_us // $step * $step AND until <= t0_us // $step * $step + $step))
GROUP BY ALL
"""
)
_VIEWS = ("nfsd", "links")


@dataclass
class Claim:
    """What is said of something: at least `certain`, at most `possible` (None: no bound)."""

    certain: int
    possible: int | None

    def miss(self, low: int, high: int) -> int:
        """By how many bytes the truth, which lies between these, is outside of it."""
        over = self.certain - high
        under = 0 if self.possible is None else low - self.possible
        return max(over, under, 0)


class Judge:
    """Asks the store of a story. `told` has a sentence for each number outside of its bounds."""

    def __init__(self, story: Story, warehouse: Warehouse) -> None:
        self.story, self.warehouse = story, warehouse
        self.told: list[str] = []
        self.missed = 0
        self.now = story.host.real
        self.known = set().union(*story.traced.values())

    def truth(self, life: Life, measure: str, since: int = 0, until: int | None = None) -> int:
        """What a life moved between two moments."""
        end = self.now if life.end is None else life.end
        return life.moved(measure, end if until is None else min(until, end), since)

    def counted_by_host(self, measure: str) -> bool:
        """In this kernel no server has such a counter of its own."""
        return self.story.host.host_wide and measure in NFSD

    def lives(self, measure: str, known: Collection[str] | None = None) -> list[Life]:
        """Those of which anything is left."""
        there = self.known if known is None else known
        return [life for life in self.story.host.lives if life.epoch_of(measure) in there]

    def bounded(self, life: Life) -> bool:
        """The time of an end that came with a reboot is told by the wall clock, so it must not have been stepped."""
        return not self.story.stepped or life.boot_id == self.story.host.boot_id

    def check(self, what: str, claim: Claim, low: int, high: int) -> None:
        miss = claim.miss(low, high)
        if miss:
            self.missed += miss
            self.told.append(f"{what}: {miss} bytes outside; said {claim}, truth {low}..{high}")

    def epochs(self) -> dict[tuple[str, str], Claim]:
        """Every epoch, of what is left of its counters; gives back the claims."""
        rows = self.warehouse.query(_EPOCHS, views=_VIEWS).to_pylist()
        assert not any(row["backwards"] for row in rows)
        claims = {
            (r["measure"], r["epoch"]): Claim(r["certain"], None if r["unknown"] else r["possible"]) for r in rows
        }
        for measure in MEASURES:
            mine = {epoch: claim for (name, epoch), claim in claims.items() if name == measure}
            for life in self.lives(measure, mine if self.counted_by_host(measure) else None):
                claim = mine.pop(life.epoch_of(measure), Claim(0, 0))
                moved = self.truth(life, measure)
                said = claim if self.bounded(life) else Claim(claim.certain, None)
                self.check(f"{life.server.name} {life.epoch_of(measure)} {measure}", said, moved, moved)
            for epoch, claim in mine.items():
                moved = self._host_moved(epoch, measure) if self.counted_by_host(measure) else 0
                here = epoch.split("/")[0] == self.story.host.boot_id
                said = claim if here or not self.story.stepped else Claim(claim.certain, None)
                self.check(f"nobody's {epoch} {measure}", said, moved, moved)
        return claims

    def _host_moved(self, epoch: str, measure: str) -> int:
        host, boot = self.story.host, epoch.split("/", maxsplit=1)[0]
        since = self.story.host_from.get(boot, 0)
        base = host.host_moved(measure, since, boot) if since else 0
        return host.host_moved(measure, self.now, boot) - base

    def servers(self) -> list[dict[str, Any]]:
        """Every server as a whole; gives back the rows."""
        rows = usage.ask(self.warehouse, **EVER).to_pylist()
        for row in rows:
            for measure in MEASURES:
                if self.counted_by_host(measure):
                    continue
                mine = [life for life in self.lives(measure) if life.server.name == row["who"]]
                moved = sum(self.truth(life, measure) for life in mine)
                claim = _claim(row, measure)
                if not all(map(self.bounded, mine)):
                    claim.possible = None
                self.check(f"{row['who']} {measure}", claim, moved, moved)
        return rows

    def node(self, servers: list[dict[str, Any]], claims: dict[tuple[str, str], Claim]) -> None:
        """The servers, and the epochs, add up to the node."""
        (node,) = usage.ask(self.warehouse, "node", **EVER).to_pylist() or [dict.fromkeys(MEASURES)]
        for measure in MEASURES:
            whole = sum(claim.certain for (name, _), claim in claims.items() if name == measure)
            assert whole == (node[measure] or 0), f"epochs do not add up to the node: {measure}"
            if not self.counted_by_host(measure):
                added = sum(row[measure] or 0 for row in servers)
                assert added == whole, f"servers do not add up to the node: {measure}"

    def steps(self, servers: list[dict[str, Any]], step: str, seconds: int) -> None:
        """Every step of every server; all together they are the whole."""
        rows = usage.ask(self.warehouse, step=step).to_pylist()
        for whole in servers:
            for measure in MEASURES:
                added = sum(row[measure] or 0 for row in rows if row["who"] == whole["who"])
                assert added == (whole[measure] or 0), f"steps of {step} do not add up: {whole['who']} {measure}"
        if self.story.stepped:
            # which time of the wall clock a byte moved at is no longer one question
            return
        params = {"step": seconds * 1_000_000, "long": (2 * INTERVAL_S + 1) * 1_000_000}
        found = self.warehouse.query(_SURE, params, views=_VIEWS).to_pylist()
        sure = {(r["measure"], r["server"], r["start"]): r["m"] for r in found}
        for measure in LINKS if self.story.host.host_wide else MEASURES:
            for row in rows:
                self._step(row, measure, seconds, sure)

    def _step(self, row: dict[str, Any], measure: str, seconds: int, sure: dict[tuple[str, str, int], int]) -> None:
        host = self.story.host
        start = int(row["from"].timestamp()) // seconds * seconds
        low, high = start * SECOND - host.offset, (start + seconds) * SECOND - host.offset
        mine = [life for life in self.lives(measure) if life.server.name == row["who"]]
        least = sum(self.truth(life, measure, low + NEAR, high - NEAR) for life in mine)
        most = sum(self.truth(life, measure, low - NEAR, high + NEAR) for life in mine)
        claim = _claim(row, measure)
        assert claim.possible is None or claim.possible >= claim.certain
        claim.certain = sure.get((measure, row["who"], start), 0)
        self.check(f"{row['who']} {measure} from {row['from']} for {seconds} s", claim, least, most)


def _claim(row: dict[str, Any], measure: str) -> Claim:
    claim = Claim(row[measure] or 0, row[f"{measure}_max"])
    if row[f"{measure}_quality"] == "exact":
        assert claim.possible == claim.certain
    return claim
