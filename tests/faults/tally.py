"""What all schedules of a run came to: how often each fault happened, and how wrong each rule was."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from faults.rivals import RULES
from faults.truth import MEASURES

if TYPE_CHECKING:
    from faults.judge import Claim, Judge

#: What nasacct calls certain; what lies above it is within its stated bounds.
OURS = "nasacct, what is certain"


@dataclass
class Tally:
    """Sums over schedules. `errors`: |rule - truth| in bytes by rule, `worst` of one schedule, `wrong` how many."""

    schedules: int = 0
    moved: int = 0
    outside: int = 0
    unseen: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    worst: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)

    def count(self, judge: Judge, claims: dict[tuple[str, str], Claim]) -> None:
        """Take a schedule that was judged: every server's bytes, by each rule and in truth."""
        story = judge.story
        self.schedules += 1
        self.outside += judge.missed
        self.faults.update(story.faults)
        errors: Counter[str] = Counter()
        for name in {life.server.name for life in story.host.lives}:
            for measure in MEASURES:
                if judge.counted_by_host(measure):
                    continue
                lives = [life for life in story.host.lives if life.server.name == name]
                moved = sum(judge.truth(life, measure) for life in lives)
                ours = sum(
                    claims[key].certain for life in lives if (key := (measure, life.epoch_of(measure))) in claims
                )
                series = story.polled.get((name, measure), [])
                for rule, estimate in RULES.items():
                    errors[rule] += abs(estimate(series) - moved)
                errors[OURS] += abs(ours - moved)
                self.moved += moved
                self.unseen += sum(judge.truth(i, measure) for i in lives if i.epoch_of(measure) not in judge.known)
        self.errors += errors
        self.wrong.update(rule for rule, error in errors.items() if error)
        self.worst |= errors

    def clear(self) -> None:
        """Begin anew."""
        self.__init__()  # type: ignore[misc]

    def add(self, other: Self) -> None:
        """Take another process's tally."""
        for name in ("schedules", "moved", "outside", "unseen"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.faults += other.faults
        self.errors += other.errors
        self.wrong += other.wrong
        self.worst |= other.worst

    def lines(self) -> list[str]:
        """The tally as people read it."""
        named = sorted(self.faults.items(), key=lambda item: (-item[1], item[0]))
        faults = ", ".join(f"{what.replace('_', ' ')} {count:,}" for what, count in named)
        rows: list[tuple[Any, ...]] = [(r, self.errors[r], self.worst[r], self.wrong[r]) for r in (OURS, *RULES)]
        return [
            f"{self.schedules:,} schedules, {self.moved:,} bytes moved; happened: {faults}",
            f"error outside stated bounds: {self.outside:,} bytes",
            f"in lives of which nothing is left anywhere: {self.unseen:,} bytes, which are part of no statement",
            f"{'by the rule of':28} {'sum of |error|, bytes':>24} {'worst schedule':>22} {'schedules wrong':>16}",
            *(f"{name:28} {error:>24,} {worst:>22,} {wrong:>16,}" for name, error, worst, wrong in rows),
        ]


#: Of this process.
TALLY = Tally()
