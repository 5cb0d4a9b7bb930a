"""A /proc of made-up processes, and a collector of the source `local` alone on it."""

import shutil

from zfs import Clock

from nasacct.collect.local import Local
from nasacct.collect.machine import Listing
from nasacct.collect.sampler import Sampler
from nasacct.store.standing import Standing

IO = """rchar: {}
wchar: {}
syscr: 5
syscw: 6
read_bytes: {}
write_bytes: {}
cancelled_write_bytes: 0
"""
STAT = "{} ({}) S {} 0 0 0 -1 {} 0 0 0 0 0 71 0 0 20 0 1 0 {} 0 0 18446744073709551615 0 0 0 0 0 0\n"
USERS, KERNELS = 0x00400100, 0x00208040


class Proc:
    """A /proc, and a collector of the source alone on it."""

    def __init__(self, folder):
        self.folder = folder
        self.process("self", "nasacct")
        self.sampler = Sampler(Clock(), Standing(), self._build)
        self.totals = {}

    def _build(self, admit):
        self.source = Local(admit, 1, proc=str(self.folder))
        return [self.source]

    def process(self, pid, name, *, started=50, flags=USERS, space=1, command=b"", parent=2):
        where = self.folder / str(pid)
        shutil.rmtree(where, ignore_errors=True)
        (where / "ns").mkdir(parents=True)
        (where / "ns" / "pid").symlink_to(f"pid:[{space}]")
        (where / "stat").write_text(STAT.format(pid, name, parent, flags, started))
        (where / "cmdline").write_bytes(command)
        self.did(pid)

    def did(self, pid, read=0, dirtied=0, taken=0, given=0):
        (self.folder / str(pid) / "io").write_text(IO.format(taken, given, read, dirtied))

    def ends(self, pid):
        shutil.rmtree(self.folder / str(pid))

    def look(self):
        """One look; what is known of each job by now."""
        (batch,) = self.sampler.cycle(Listing(())).batches
        by_sid = {s.sid: s.keys["job"] for s in batch.listed}
        for rows in batch.rows.values():
            self.totals |= {by_sid[sid]: row for sid, row in zip(rows.sids.tolist(), rows.values.tolist(), strict=True)}
        return self.totals
