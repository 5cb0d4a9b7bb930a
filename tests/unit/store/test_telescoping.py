"""Whatever is lost, rotated, restarted or merged: usage adds up to the growth between the readings that are left."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st
from journals import Recorder

from nasacct.store import journal
from nasacct.store.keep import Rules, keep
from nasacct.store.tree import Tree
from nasacct.store.warehouse import Warehouse

if TYPE_CHECKING:
    from journals import Thing

SERVERS = 3

#: What happens next; the numbers are drawn for it.
GROWTH = st.lists(st.integers(0, 10**12), min_size=SERVERS, max_size=SERVERS)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("cycle"), GROWTH, st.sampled_from([0.5, 10, 10, 10, 25, 400, 4000])),
        st.tuples(st.just("cycle"), st.just([0] * SERVERS), st.just(10)),
        st.tuples(st.just("fail"), st.integers(0, SERVERS - 1), st.integers(0, 10**6)),
        st.tuples(st.just("end"), st.integers(0, SERVERS - 1), st.booleans()),
        st.tuples(st.just("unlisted"), st.integers(0, SERVERS - 1)),
        st.tuples(st.just("rotate")),
        st.tuples(st.just("restart")),
        st.tuples(st.just("crash"), st.integers(0, 4)),
        st.tuples(st.just("rot"), st.integers(0, 4)),
        st.tuples(st.just("wreck")),
        st.tuples(st.just("keep"), st.booleans()),
    ),
    min_size=1,
    max_size=25,
)


@dataclass
class Life:
    """What is left of one epoch's readings, and whether its birth is."""

    first: int | None = None
    last: int | None = None
    born: bool = False
    ended: bool = False

    def read(self, value: int) -> None:
        self.first = value if self.first is None else self.first
        self.last = value

    @property
    def growth(self) -> int:
        """What usage must add up to."""
        return 0 if self.last is None else self.last - self.base

    @property
    def base(self) -> int:
        """What it is counted from."""
        return 0 if self.born else self.first or 0


@dataclass
class Written:
    """What the test knows of one journal file: who stood in its head, then each frame's births and readings."""

    path: Path
    head: list[tuple[str, bool, int | None]]
    frames: list[list[tuple[str, bool, int | None]]] = field(default_factory=list)
    listings: dict[int, set[str]] = field(default_factory=dict)


class Story:
    """Tells a recorder what happens, and remembers what a reader can still know of it."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.tree = Tree(recorder.root, recorder.node)
        self.lives = [0] * SERVERS
        self.values = [0] * SERVERS
        self.things: list[Thing] = [self._new(i) for i in range(SERVERS)]
        self.files: list[Written] = []
        self.kept = 0
        self.truth: dict[str, int] = {}

    def _new(self, slot: int) -> Thing:
        self.lives[slot] += 1
        return self.recorder.thing("nfsd", f"boot-{slot}-{self.lives[slot]}", server=f"srv{slot}")

    def tell(self, what: str, *args: Any) -> None:
        getattr(self, what)(*args)

    def cycle(self, growth: list[int], seconds: float) -> None:
        self.values = [v + g for v, g in zip(self.values, growth, strict=True)]
        self._cycle({t: {"read_bytes": v} for t, v in zip(self.things, self.values, strict=True)}, seconds)

    def fail(self, slot: int, growth: int) -> None:
        """One server cannot be read, though it is used."""
        self.values[slot] += growth
        now = {t: {"read_bytes": v} for t, v in zip(self.things, self.values, strict=True)}
        self._cycle(now | {self.things[slot]: None}, 10)

    def unlisted(self, slot: int) -> None:
        """One server is not seen in a listing that knows itself to be incomplete."""
        now = {t: {"read_bytes": v} for t, v in zip(self.things, self.values, strict=True)}
        del now[self.things[slot]]
        self._cycle(now, 10, complete=False)

    def end(self, slot: int, final: bool) -> None:
        """A server is started anew, with or without a last reading of its old counters."""
        thing = self.things[slot]
        if final and thing.subject is not None and thing in self.recorder.alive.get("nfsd", ()):
            self.values[slot] += 7
            self._before_frame()
            self.recorder.final(thing, {"read_bytes": self.values[slot]}, seconds=1)
            self.files[-1].path = self.recorder.path
            self.files[-1].frames.append([(thing.epoch, False, self.values[slot])])
        self.truth[thing.epoch] = self.values[slot]
        self.things[slot], self.values[slot] = self._new(slot), 0

    def rotate(self) -> None:
        self.recorder.rotate()

    def restart(self) -> None:
        self.recorder.restart()

    def crash(self, frames: int) -> None:
        """The machine loses what was not on the disk."""
        if self.recorder.path is not None:
            left = self.recorder.tear(frames)
            del self.files[-1].frames[left:]
        self.recorder.restart()

    def rot(self, frames: int) -> None:
        """The end of the last closed file becomes unreadable before it was kept."""
        if (written := self._last_closed()) is not None:
            left = self.recorder.tear(frames, written.path)
            del written.frames[left:]
            self.recorder.sizes[written.path] = self.recorder.sizes[written.path][: left + 1]

    def wreck(self) -> None:
        """All of the last closed file becomes unreadable; what was before it is there to be bridged from."""
        if (written := self._last_closed()) is not None and len(self.files) >= 3:
            written.path.write_bytes(b"no journal")
            self.files.remove(written)

    def keep(self, days_are_over: bool) -> None:
        """The keeper runs, before or long after the days are over."""
        grace_s = -1e12 if days_are_over else 1e12
        assert keep(self.tree, 4e9 if days_are_over else 0, Rules({"readings": 40, "usage": 400}, grace_s)) == 0
        self.kept = max(len(self.files) - 1, self.kept)

    def _last_closed(self) -> Written | None:
        open_one = self.files and self.files[-1].path == journal.files(self.recorder.folder)[-1]
        if not open_one or len(self.files) < 2 or len(self.files) - 2 < self.kept:
            return None
        return self.files[-2]

    def _cycle(self, now: dict[Thing, dict[str, int | None] | None], seconds: float, *, complete: bool = True) -> None:
        fresh = [t for t in now if t.subject is None]
        self._before_frame()
        self.recorder.cycle(now, seconds=seconds, complete=complete)
        self.files[-1].path = self.recorder.path
        said = [(t.epoch, t in fresh and t.subject.after is not None, v and v["read_bytes"]) for t, v in now.items()]
        self.files[-1].frames.append(said)
        if complete:
            self.files[-1].listings[id(said)] = {t.epoch for t in now}

    def _before_frame(self) -> None:
        if self.recorder.path is None or not self.files or self.files[-1].path != self.recorder.path:
            last = self.recorder.standing.last("nfsd")
            sids = last.sids()
            values = dict(zip(sids.tolist(), last.of(sids)[2][:, 0].tolist(), strict=True))
            head = [(s.epoch, s.after is not None, values.get(s.sid)) for s in self.recorder.standing.live.values()]
            self.files.append(Written(Path(), head))

    def left(self) -> dict[str, Life]:
        """What is left of every epoch."""
        lives: dict[str, Life] = {}
        for written in self.files:
            for frame in [written.head, *written.frames]:
                for epoch, born, value in frame:
                    life = lives.setdefault(epoch, Life())
                    life.born |= born
                    if value is not None:
                        life.read(value)
                listed = {e for e, _, _ in frame} if frame is written.head else written.listings.get(id(frame))
                if listed is not None:
                    for epoch, life in lives.items():
                        life.ended |= epoch not in listed
        return lives

    def check(self, warehouse: Warehouse) -> None:
        """Usage adds up to what is left, and bounds what is not."""
        found = {row.pop("epoch"): row for row in warehouse.query(ADDED, views=["nfsd"]).to_pylist()}
        assert all(row["unknown"] == 0 for row in found.values())
        left = self.left()
        grown = {epoch: life.growth for epoch, life in left.items() if life.growth}
        assert {epoch: row["certain"] for epoch, row in found.items() if row["certain"]} == grown
        for epoch, life in left.items():
            if life.ended and (life.born or life.last is not None):
                # who was read once only, at its end, has no usage
                possible = found[epoch]["possible"] if epoch in found else 0
                assert self.truth[epoch] - life.base <= possible


ADDED = """
SELECT epoch,
       CAST(sum(read_bytes) AS BIGINT) AS certain,
       CAST(sum(read_bytes + CASE WHEN whole THEN 0 ELSE read_bytes_more END) AS BIGINT) AS possible,
       count(*) FILTER (read_bytes IS NULL) AS unknown
FROM nfsd GROUP BY epoch
"""


@settings(max_examples=25, deadline=None)
@given(steps=STEPS)
def test_usage_adds_up_whatever_happens(steps):
    """The sum over an epoch is its last reading minus its first, or the last one when it was born, at every moment.

    What happened between the last reading that is left and an end is never more than the bound.
    """
    with tempfile.TemporaryDirectory() as folder:
        story = Story(Recorder(Path(folder), link_bytes_s=10**13))
        warehouse = Warehouse(Path(folder))
        for what, *args in steps:
            story.tell(what, *args)
            if what in ("keep", "rotate", "rot"):
                story.check(warehouse)
        story.check(warehouse)
        story.keep(True)
        story.keep(True)
        story.check(warehouse)
