"""Made-up pools whose truth is known: who read, wrote and removed what, at which cost, as an attribution scene."""

import numpy as np

from nasacct.reports.attribution.scene import CLASSES, STEP_S, Disks, Members, Scene

START = 1_800_000_000
#: Seconds of a rotating disk: an IO that reads, a MB that is read, an IO that writes, a MB that is written.
READ, READ_MB, WRITE, WRITE_MB = 4e-3, 5e-3, 2.5e-3, 6e-3


class Pool:
    """A pool of equal rotating disks; each thing that is asked of it adds to its counters."""

    def __init__(self, members=("one", "two", "three"), samples=720, disks=4, seed=1):
        self.members, self.samples, self.count = tuple(members), samples, disks
        self.random = np.random.default_rng(seed)
        self.activity = np.zeros((len(self.members), len(CLASSES), samples))
        self.ios = np.zeros((4, samples))  # of each disk: reads, MB read, writes, MB written
        self.used = np.zeros((len(self.members) + 1, samples))  # the truth: disk time of members, then of local work
        self.local_mb = np.zeros(samples)
        self.slow = np.ones(samples)
        for member in self.members:
            self.read(member, 0, samples, calls=20, miss=0.2)
            self.write(member, 0, samples, mb=1)

    def read(self, member, first, end, calls, miss=1.0, size_mb=0.016):
        """Reads of so many calls a second, of which a part finds nothing in memory."""
        course = self._course(first, end) * calls
        at = self.members.index(member)
        self._add(at, reads=course, read_mb=course * size_mb, lookups=course / 2)
        self._disks(at, course * miss * 0.7, course * miss * size_mb / self.count, 0, 0)

    def write(self, member, first, end, mb, size_mb=0.064):
        """Writes of so many MB a second, of which so many are committed at a time as a client does."""
        course = self._course(first, end) * mb
        at = self.members.index(member)
        commits = course / size_mb / 32
        self._add(at, writes=course / size_mb, write_mb=course, commits=commits)
        self._disks(at, 0, 0, course * 4 / self.count + commits, course * 1.3 / self.count)

    def commit(self, member, first, end, calls):
        """COMMITs, each of which is an IO at once."""
        course = self._course(first, end) * calls
        self._add(self.members.index(member), commits=course)
        self._disks(self.members.index(member), 0, 0, course, course * 0.004)

    def local(self, first, end, mb):
        """A scrub that reads so many MB a second over all disks."""
        course = self._course(first, end) * mb
        self.local_mb += course
        self._disks(len(self.members), course * 8 / self.count, course / self.count, 0, 0)

    def scene(self, local_seen=False, slow_disk=None, scan_seen=False, **changes):
        """The scene; disks are as busy as they can be, and no more. Local work is seen as processes' or as a scan's."""
        each = np.ones((self.count, 1)) * (1 + 0.01 * self.random.standard_normal((self.count, self.samples)))
        reads, read_mb, writes, write_mb = (each * row for row in self.ios)
        cost = READ * reads + READ_MB * read_mb + WRITE * writes + WRITE_MB * write_mb
        if slow_disk is not None:
            cost[slow_disk] *= self.slow
        busy = np.minimum(cost, 1)
        names = tuple(f"disk{at}" for at in range(self.count))
        disks = Disks(names, reads, read_mb, writes, write_mb, busy, 4 * cost, np.full(cost.shape, 8.0))
        full = np.where(cost.max(axis=0) > 0.95, 0.6, 0.05)
        whole = {
            "pool": "tank",
            "rotational": True,
            "transactional": True,
            "start": START,
            "present": np.ones(self.samples, bool),
            "disks": disks,
            "members": Members(self.members, self.activity),
            "some": full,
            "full": full,
            "sync_s": np.zeros(self.samples),
            "local_mb": self.local_mb if local_seen else None,
            "scanned_mb": self.local_mb if scan_seen else None,
        }
        return Scene(**{**whole, **changes})

    def hold(self):
        """Disks do no more than they can."""
        part = np.minimum(1, 1 / (np.array([READ, READ_MB, WRITE, WRITE_MB]) @ self.ios))
        self.ios *= part
        self.local_mb *= part
        self.used *= part

    def share(self, member, first, end):
        """The truth: the share of the disk time of these samples."""
        return self.used[self.members.index(member), first:end].sum() / self.used[:, first:end].sum()

    def _course(self, first, end):
        course = np.zeros(self.samples)
        noise = np.exp(0.2 * self.random.standard_normal(end - first))
        course[first:end] = noise
        return course

    def _add(self, at, **rates):
        for name, course in rates.items():
            self.activity[at, CLASSES.index(name)] += course

    def _disks(self, at, reads, read_mb, writes, write_mb):
        self.ios += np.stack([np.broadcast_to(each, self.samples) for each in (reads, read_mb, writes, write_mb)])
        self.used[at] += READ * reads + READ_MB * read_mb + WRITE * writes + WRITE_MB * write_mb


def seconds(samples):
    """How long so many samples are."""
    return samples * STEP_S
