"""Pools as the kernel shows them, and a collector of their space alone, with a program in the place of `zfs`."""

import time

from nasacct.collect.machine import Listing
from nasacct.collect.sampler import Sampler
from nasacct.collect.space import Space
from nasacct.store.frame import Instant
from nasacct.store.standing import Standing

HEAD = "txg      birth      state ndirty  nread  nwritten  reads  writes  otime  qtime  wtime  stime\n"
S = 1_000_000_000


def pool(folder, name="tank", state="ONLINE", txgs=()):
    """The kernel's files of a pool; its transaction groups as (state, how many seconds ago it was born)."""
    now = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
    rows = [
        f"{i + 7}     {now - int(ago * S)} {letter}     0 0 0 0 0 5119998752 5890 0 0\n"
        for i, (letter, ago) in enumerate(txgs)
    ]
    (folder / name).mkdir(parents=True)
    (folder / name / "state").write_text(f"{state}\n")
    (folder / name / "txgs").write_text(HEAD + "".join(rows))
    return folder


class Clock:
    """A machine of which only the clock is used: ten seconds a look."""

    node, boot_id, kernel = "n", "boot", ""

    def __init__(self):
        self.ns = 1_000 * S

    def now(self):
        self.ns += 10 * S
        return Instant(self.ns, self.ns)


class Nas:
    """A sampler with the source alone, pools as a test makes them, and a program that prints what a test says."""

    def __init__(self, folder):
        self.folder, self.asked = folder, folder / "asked"
        self.kstats = pool(folder / "zfs")
        self.says("tank\t1\t500\t100\t900\t-\t-\t0\n")
        self.standing = Standing()
        self.start()

    def start(self):
        """A run of the collector, which goes on from the last one."""
        self.sampler = Sampler(Clock(), self.standing, self._build)
        self.source = self.sampler.sources[0]

    def _build(self, admit):
        return [Space(admit, 1, ["tank/more"], runs=str(self.folder / "zfs-program"), kstats=self.kstats)]

    def says(self, text, errors="", status=0, first=":"):
        """Write the program, which notes what it is asked."""
        (self.folder / "text").write_text(text)
        (self.folder / "errors").write_text(errors)
        path = self.folder / "zfs-program"
        path.unlink(missing_ok=True)
        path.write_text(
            f'#!/bin/sh\nfor word; do printf "%s|" "$word"; done >> {self.asked}; echo >> {self.asked}\n{first}\n'
            f'case " $* " in *" -r "*) ;; *) cat {self.folder}/text;; esac\n'
            f"cat {self.folder}/errors >&2; exit {status}\n"
        )
        path.chmod(0o755)

    def cycle(self, *servers):
        """Cycles until the source has brought something; its batch."""
        listing = Listing(tuple(servers))
        for _ in range(1000):
            frame = self.sampler.cycle(listing)
            self.standing.apply(frame)
            if frame.batches:
                return frame.batches[0]
            time.sleep(0.01)
        raise AssertionError("the source brings nothing")
