"""The recorded life of a pool (tests/fixtures/zfs), step by step under a sampler with one source."""

import copy
import json
import shutil
from pathlib import Path

import pyarrow as pa

from nasacct.collect import kstat
from nasacct.collect.machine import Listing
from nasacct.collect.sampler import Sampler
from nasacct.store.frame import Instant
from nasacct.store.journal_frames import Journal, Origin
from nasacct.store.journal_readings import of_journal
from nasacct.store.ledger import Terms, account
from nasacct.store.schema import STREAMS
from nasacct.store.standing import Standing

REAL = Path(__file__).parent / "fixtures" / "zfs"
ORDER = ("MONOTONIC_RAW", "MONOTONIC", "BOOTTIME")
TERMS = Terms(30_000_000_000)


class Life:
    """A machine whose kstats and clocks are those of a step, and what the collector made of all steps.

    `build` makes the source of a function that admits and the folder of kstats.
    """

    node, boot_id, kernel = "n", "boot", "6.12.117"

    def __init__(self, tmp_path, monkeypatch, build, among="life"):
        self.kstats, self._among, self.frames, self._clocks = tmp_path / "kstats", among, [], {}
        self.carry, self.tables = Standing(), []
        self.kstats.mkdir()
        monkeypatch.setattr(kstat, "clocks", lambda: tuple(self._clocks[f"CLOCK_{name}"] for name in ORDER))
        self.begin(build)

    def begin(self, build):
        """A run of the collector, which knows where the one before ended."""
        if self.frames:
            self.tables.append(self._file())
            self.carry = self._journal().standing()
            self.sampler.end()
        self.sampler = Sampler(self, self.carry, lambda admit: [build(admit, self.kstats)])
        self.frames, self.begun = [], None

    def now(self):
        return Instant(self._clocks["CLOCK_REALTIME"], self._clocks["CLOCK_BOOTTIME"])

    def step(self, name):
        """Be as in that step, and look; the batch."""
        real = REAL / self._among / name
        shutil.rmtree(self.kstats)
        shutil.copytree(real, self.kstats)
        self._clocks = json.loads((real / "clocks.json").read_text())["before"]
        return self.look()

    def look(self):
        """Another look, 30 s later if nothing else has happened."""
        if self.begun is None:
            self.begun = self.now()
        elif self.frames and self.now().boot_ns <= self.frames[-1].at.boot_ns:
            self._clocks = {name: ns + 30_000_000_000 for name, ns in self._clocks.items()}
        frame = self.sampler.cycle(Listing(()))
        self.frames.append(frame)
        return frame.batches[0]

    def usage(self, stream):
        """What the ledger makes of all that was looked at, as rows."""
        return self.usage_table(stream).to_pylist()

    def usage_table(self, stream):
        """The same as a table."""
        return pa.concat_tables([*(file[stream] for file in self.tables), self._file()[stream]])

    def _journal(self):
        origin = Origin("n", "boot", "run", "", "0", TERMS.interval_ns)
        return Journal("x", 1, origin, 1, self.begun, copy.deepcopy(self.carry), frames=self.frames)

    def _file(self):
        """By stream, what the ledger makes of this run."""
        return {name: account(found, "n", TERMS) for name, found in of_journal(self._journal()).items()}

    def end(self):
        self.sampler.end()


def values(batch, stream):
    """The rows of a batch by the names of subjects, and measures by name."""
    by_sid = {subject.sid: subject for subject in batch.listed}
    found = batch.rows.get(stream)
    names = [measure.name for measure in STREAMS[stream].measures]
    rows = zip(found.sids.tolist(), found.values.tolist(), strict=True) if found else ()
    return {by_sid[sid].about.get("name"): dict(zip(names, row, strict=True)) for sid, row in rows}
