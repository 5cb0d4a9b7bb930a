"""A machine made of files in a folder, which tests write and sources read."""

import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from zfs_life import Life

from nasacct.collect.machine import Listing, Server
from nasacct.collect.tracing import Section
from nasacct.store.frame import Instant

FIXTURES = Path(__file__).parents[2] / "fixtures/proc"


class FolderMachine:
    """What a test wrote: `proc/...` of the host, the servers' nfsd files under `servers/`, and the disks it lists."""

    node, boot_id, kernel = "n", "boot", "6.12.117"

    def __init__(self, folder):
        self.folder = folder
        self.ns, self.span_ns = 0, 0
        self.listed = []

    def write(self, path, text):
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())

    def nfsd_is(self, **texts):
        for name, text in texts.items():
            self.write(f"servers/{name}", text)

    def listing(self, *names, complete=True):
        return Listing(tuple(Server(name, f"boot/{name}") for name in names), complete=complete)

    def now(self):
        self.ns += self.span_ns
        return Instant(self.ns, self.ns)

    def nfsd(self, server):
        return (self.folder / "servers" / server.name).read_bytes()

    def file(self, path):
        return (self.folder / path).read_bytes()

    def disks(self):
        return self.listed


class Histograms:
    """A kernel that counts calls in every generation there is, by inode and key, and prints them as one does."""

    def __init__(self):
        self.generations, self.dropped, self.closed, self.broken = {}, Counter(), False, False

    def begin(self, name, size):
        if self.broken:
            raise FileNotFoundError(2, "No such file or directory")
        self.generations[name] = Counter()

    def remove(self, name):
        del self.generations[name]

    def close(self):
        self.closed = True
        self.generations.clear()

    def call(self, inode, key="READ", us=7):
        for counts in self.generations.values():
            counts[inode, key, "hits"] += 1
            counts[inode, key, "us"] += us

    def read(self):
        return {name: self._section(name, counts) for name, counts in self.generations.items()}

    def drop(self, calls):
        for name in self.generations:
            self.dropped[name] += calls

    def _section(self, name, counts):
        lines = frozenset(
            f"{{ netns_ino: {i}, key: {k}   }} hitcount:  {n}  execute:  {counts[i, k, 'us']}".encode()
            for (i, k, what), n in counts.items()
            if what == "hits"
        )
        return Section(lines, len(lines), self.dropped[name])


@pytest.fixture(scope="session")
def histograms():
    """Makes a kernel that counts calls."""
    return Histograms


@pytest.fixture
def machine(tmp_path):
    return FolderMachine(tmp_path)


@pytest.fixture
def admit():
    """Gives subjects their sids as the sampler does, and remembers them."""
    numbers = itertools.count(1)
    subjects = []

    def admit(subject):
        subjects.append(subject)
        return next(numbers)

    admit.subjects = subjects
    return admit


@pytest.fixture
def fixture_text():
    """The text of a fixture file, by folder and kind."""
    return lambda folder, kind: (FIXTURES / folder / f"{kind}.txt").read_bytes()


@pytest.fixture
def rows_of():
    """The rows of one stream of a batch, by the keys of their subjects: {key: {measure: value}}."""

    def rows_of(batch, stream, key="server"):
        found = batch.rows.get(stream.name)
        if found is None:
            return {}
        assert found.sids.dtype == np.int32
        assert found.values.dtype == np.int64
        assert found.values.shape == (len(found.sids), stream.width)
        by_sid = {s.sid: s for s in [*(batch.listed or []), *batch.ended]}
        names = [m.name for m in stream.measures]
        return {
            by_sid[sid].keys.get(key): dict(zip(names, row, strict=True))
            for sid, row in zip(found.sids.tolist(), found.values.tolist(), strict=True)
        }

    return rows_of


@pytest.fixture
def living(tmp_path, monkeypatch):
    """Makes the recorded life of a pool under a sampler, with the source that `build` makes."""
    made = []

    def begin(build, among="life"):
        made.append(Life(tmp_path, monkeypatch, build, among))
        return made[-1]

    yield begin
    for life in made:
        life.end()
