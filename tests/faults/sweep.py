"""A program into which the shim is preloaded: each call of a collection, of its keeping, of a question fails once.

    python sweep.py collect|keep|ask FOLDER [READS]

Of the keeper's steps, which read again and again what is whole, every READSth read fails (20; 1: all of them), and one
opening in six, in the last step one in twenty, unless READS is less.

It imports once and forks for every call. Below FOLDER each try gets a copy of its own. Printed is JSON: how many calls
of each class there were, and a line for every promise that was not kept.
"""

import copy
import errno
import json
import mmap
import os
import shutil
import sys
import time
import traceback
from pathlib import Path

import shim as calls
from forks import forked
from journals import Recorder

from nasacct.collect import daemon
from nasacct.errors import NasacctError
from nasacct.store import expiry, journal, journal_writer, keep, segments, tree
from nasacct.store.frame import Frame
from nasacct.store.journal_writer import JournalWriter
from nasacct.store.schema import NFSD
from nasacct.store.segment_file import read
from nasacct.store.shelf import shelf
from nasacct.store.tail import Tail
from nasacct.store.views import EVER
from nasacct.store.warehouse import Warehouse

#: What the system may say to each class of calls; every call meets one of them.
ERRORS = {
    calls.OPEN: (errno.EMFILE, errno.EIO),
    calls.CREATE: (errno.EMFILE, errno.ENOSPC, errno.EROFS),
    calls.READ: (errno.EIO,),
    calls.WRITE: (errno.ENOSPC, errno.EDQUOT, errno.EIO),
    calls.SYNC: (errno.EIO, errno.ENOSPC),
    calls.RENAME: (errno.EIO, errno.ENOSPC, errno.EROFS),
    calls.UNLINK: (errno.EIO, errno.EROFS),
    calls.MKDIR: (errno.ENOSPC, errno.EROFS),
}
COLUMNS = "epoch", "read_bytes", "read_bytes_more"
SUMS = "SELECT epoch, sum(read_bytes)::BIGINT AS m, sum(read_bytes_more)::BIGINT AS more FROM nfsd GROUP BY epoch"
#: What is replaced is deleted at the next opportunity, or never.
AT_ONCE = keep.Rules({"readings": 40, "usage": 400}, grace_s=-1e12)
NEVER = keep.Rules({"readings": 40, "usage": 400}, grace_s=1e12)
NODE = "nas1"
AT_11, NEXT_DAY = 1_795_431_900.0, 1_795_521_600.0  # 2026-11-23 11:05, 2026-11-24 12:00 UTC


class Collection(Recorder):
    """A collector whose machine the test makes up: its frames go to a real writer."""

    writer: JournalWriter

    def begin(self):
        """A new run, which goes on from what is on the disk."""
        try:
            standing, number = daemon.recover(self.folder)
        except (OSError, NasacctError):
            # it ends with a sentence, and its supervisor starts it again
            standing, number = daemon.recover(self.folder)
        self.standing = copy.deepcopy(standing)
        live = {s.identity: s for s in self.standing.live.values()}
        for thing in self.things:
            thing.subject = live.get((thing.source, thing.epoch, tuple(thing.keys.items())))
        self.alive = {"nfsd": [t for t in self.things if t.subject]}
        self.listings = {name: at.wall_ns for name, at in self.standing.listings.items()}
        self._sid = max([0, *self.standing.live])
        self.run = os.urandom(16).hex()
        origin = journal.Origin(NODE, "boot", self.run, "6.12", "0", 10 * 10**9, self.link_bytes_s)
        self.writer = JournalWriter(self.folder, origin, standing, number=number, file_s=30)

    def write(self, batches, births):
        """Hand the frame over."""
        self._seq += 1
        frame = Frame(self._seq, self.now, batches, births)
        self.standing.apply(frame)
        self.writer.put(frame)
        return frame


#: What each epoch adds up to in the end; the one that ended between two cycles may lack its last reading.
FIRST, ENDED, SECOND = (f"boot-{name}" for name in ("first", "ended", "second"))
TRUTH = {FIRST: 700, ENDED: 33, SECOND: 1077}


def collect(root, cycles, begin=lambda: None, at=lambda *_: None):
    """Cycles of two servers, one of which is started anew after the fifth.

    `begin` is called before anything is done, `at` before each cycle with its number and what is acknowledged.
    """
    made = Collection(root, NODE)
    first = made.thing("nfsd", FIRST, server="srv1")
    ended, second = (made.thing("nfsd", epoch, server="srv2") for epoch in (ENDED, SECOND))
    made.wait(10 * cycles[0])
    begin()
    made.begin()
    for i in cycles:
        at(i, made.writer.synced_seq)
        other = {ended: {"read_bytes": 7 * i}} if i < 5 else {second: {"read_bytes": 1000 + 11 * i}}
        made.cycle({first: {"read_bytes": 100 * i}, **other})
        if i == 4:
            made.final(ended, {"read_bytes": 33}, seconds=3)
            made.wait(-3)
        made.writer.flush(0.2)
    return made.writer


def answered(root):
    """What a reader is told: certain and possible bytes by epoch; nothing may be in trouble."""
    house = Warehouse(root)
    rows = house.query(SUMS, views=["nfsd"]).to_pylist()
    return {r["epoch"]: (r["m"], r["more"]) for r in rows}, house.trouble


def added(root):
    """The same without SQL, for it is asked a thousand times."""
    place = tree.Tree(root, NODE)
    relation = place.relation("usage", NFSD)
    found = shelf(relation.folder, left_out={})
    tail = Tail(place.journal, NODE)
    tail.look(journal.files(place.journal))
    tables = [read(s.path, relation.schema) for s in found.visible]
    tables += tail.tables("usage", "nfsd", found.replaced, *EVER)
    sums = {}
    for table in tables:
        for epoch, m, more in zip(*(table.column(c).to_pylist() for c in COLUMNS), strict=True):
            before = sums.get(epoch, (0, 0))
            sums[epoch] = before[0] + m, before[1] + more
    return sums, found.trouble + tail.trouble


def asked(root, begin):
    """Let a reader ask."""
    begin()
    answered(root)


class Try:
    """One try: what is done meets the fault in a process of its own; then the promises are looked at."""

    def __init__(self, root, of, nth, action, value=0, *, forever=False):
        self.root, self.of, self.nth, self.action = root, of, nth, action
        self.value, self.forever = value, forever
        self.shim = calls.Shim(root)

    def __str__(self):
        what = {calls.FAIL: errno.errorcode.get(self.value), calls.PART: "in part", calls.KILL: "kill"}[self.action]
        names = "+".join(name for bit, name in calls.NAMES.items() if bit & self.of)
        return f"{names} {self.nth}: {what}{' and so on' if self.forever else ''}"

    def arm(self):
        """From here on calls count."""
        self.shim.arm(self.of, self.nth, self.action, self.value, forever=self.forever)


def expect(value, wanted, what):
    """A promise."""
    assert value == wanted, f"{what}: {value}, not {wanted}"


def exact(found, what, doubtful=(), *, torn=False):
    """Every epoch's sum is the truth; a doubtful one's at least lies within its bound. A file's end may be `torn`."""
    sums, trouble = found
    expect([t for t in trouble if not torn or "torn frame" not in t], [], f"{what}, trouble")
    for epoch, (m, more) in sums.items():
        if epoch in doubtful:
            assert m <= TRUTH[epoch] <= m + more, f"{what}, {epoch}: {m} and {more} more"
        else:
            expect((m, more), (TRUTH[epoch], 0), f"{what}, {epoch}")
    expect(set(sums), set(TRUTH), f"{what}, epochs")


def try_collect(what, template):
    """Nothing that was acknowledged is lost, nothing counts twice, and the next run goes on."""
    shutil.copytree(template, what.root, dirs_exist_ok=True)
    shared = mmap.mmap(-1, 16)

    def work():
        writer = collect(what.root, range(1, 8), what.arm, lambda *told: shared.__setitem__(slice(2), bytes(told)))
        what.shim.release()
        assert writer.close(10), f"not written: {writer.trouble}"
        expect(writer.synced_seq, 8, "frames on the disk")

    if not lives(work, mortal=what.action == calls.KILL):
        # the next run begins with what was not acknowledged; its time goes on
        where = what.root / f"node={NODE}" / "journal"
        files = [journal.read(p) for p in journal.files(where)]
        kept = {f.seq for f in files if f.first_seq == 1 or len(files) > 1 for f in f.frames}
        missing = set(range(1, shared[1] + 1)) - kept
        expect(missing, set(), "acknowledged frames that are not on the disk")
        assert collect(what.root, range(min(shared[0] + 1, 7), 8)).close(10)
    killed = what.action == calls.KILL
    # the last reading was the sixth frame; a run that is killed earlier does not have it
    doubtful = (ENDED,) if killed and shared[1] < 5 else ()
    exact(answered(what.root), "collected", doubtful, torn=killed)
    place = tree.Tree(what.root, NODE)
    expect(keep.keep(place, AT_11, NEVER), 0, "steps of the keeper that failed")
    exact(answered(what.root), "kept", doubtful)
    expect([str(p) for p in place.folder.rglob(".*")], [], "left over")
    assert not place.quarantine.exists(), "put aside"


def try_keep(what, template, step):
    """A reader's answer is right at once and afterwards, and the next run makes up for what was not done."""
    shutil.copytree(template, what.root, dirs_exist_ok=True)
    place = tree.Tree(what.root, NODE)

    def work():
        what.arm()
        failed = step(place)
        assert what.shim.hits, "the call did not come again"
        what.shim.release()
        assert failed or not what.of & calls.WRITE, "nobody told"
        exact(added(what.root), "in the same process")

    if what.action != calls.KILL:
        work()
    elif not lives(work, mortal=True):
        exact(answered(what.root), "after the kill")
    expiry.clean(place)
    for _ in range(2):
        expect(keep.keep(place, NEXT_DAY, AT_ONCE), 0, "failed steps")
    exact(added(what.root), "in the end")
    expect([str(p) for p in place.folder.rglob(".*")], [], "left over")
    expect(sorted(s.level for s in shelf(place.relation("usage", NFSD).folder).visible), ["day"], "levels")
    # the newest, and the one before it for the case that the newest is lost
    expect(len(journal.files(place.journal)), 2, "journal files")
    assert not place.quarantine.exists(), "put aside"
    for name in tree.STEPS:
        rolled = place.rollup(name, NFSD)
        rows = [row for s in shelf(rolled.folder).visible for row in read(s.path, rolled.schema).to_pylist()]
        found = {e: sum(r["read_bytes"] for r in rows if r["epoch"] == e) for e in TRUTH}
        day = shelf(place.relation("usage", NFSD).folder).visible
        usage = [r for s in day for r in read(s.path, place.relation("usage", NFSD).schema).to_pylist()]
        expect(found, {e: sum(r["read_bytes"] for r in usage if r["epoch"] == e) for e in TRUTH}, f"rolled to {name}")


def try_ask(what, template):
    """An answer is right, or it says what is missing from it, or it is a sentence."""
    shutil.copytree(template, what.root, dirs_exist_ok=True)
    what.arm()
    try:
        sums, trouble = answered(what.root)
    except NasacctError:
        sums, trouble = None, []
    assert what.shim.hits, "the call did not come again"
    what.shim.release()
    if sums is not None and not trouble:
        exact((sums, trouble), "during the fault")
    exact(answered(what.root), "after the fault")


def lives(work, *, mortal=False):
    """Do the work in a process of its own; whether it lived to its end. Only a `mortal` one may not."""
    status = forked(work)
    if mortal and status is None:
        return False
    assert status == 0, "the process under the fault failed, see above"
    return True


def counted(root, template, of, work):
    """How many calls of the class the work makes; in a process of its own."""
    shared = mmap.mmap(-1, 8)

    def count():
        shutil.copytree(template, root, dirs_exist_ok=True)
        shim = calls.Shim(root)
        work(root, lambda: shim.arm(of))
        shared[:] = shim.calls.to_bytes(8, "little")

    lives(count)
    shutil.rmtree(root)
    return int.from_bytes(shared[:], "little")


class Sweep:
    """All tries; two at a time."""

    def __init__(self, folder):
        self.folder, self.calls, self.tries = folder, {}, 0
        self.broken = []
        self._running = {}

    def sweep(self, name, template, of, work, judge, *, kill=False, part=False, forever=False, steps=None):
        """Every call of each class that `work` makes fails, or one in so many of `steps`; and what else is asked."""
        for bit, spoken in calls.NAMES.items():
            if not bit & of:
                continue
            number = counted(self.folder / "count", template, bit, work)
            self.calls[spoken] = self.calls.get(spoken, 0) + number
            for nth in range(1, number + 1, (steps or {}).get(bit, 1)):
                value = ERRORS[bit][nth % len(ERRORS[bit])]
                faults = [(bit, calls.FAIL, value, False)]
                faults += [(bit, calls.KILL, 0, False)] if kill and bit & calls.CHANGES else []
                faults += [(bit, calls.PART, 0, False)] if part and bit == calls.WRITE else []
                faults += [(calls.CHANGES, calls.FAIL, errno.EROFS, True)] if forever and bit == calls.WRITE else []
                for classes, action, error, on in faults:
                    self.tries += 1
                    root = self.folder / f"{self.tries}"
                    self._start(name, Try(root, classes, nth, action, error, forever=on), template, judge)
        self.wait(0)

    def _start(self, name, what, template, judge):
        self.wait(1)
        told = self.folder / f"{self.tries}.txt"
        pid = os.fork()
        if not pid:
            status = 1
            try:
                with told.open("w") as file:
                    os.dup2(file.fileno(), 2)
                judge(what, template)
                status = 0
            except BaseException:  # noqa: BLE001 - whatever it is, the parent is told
                sys.stderr.write(traceback.format_exc())
                sys.stderr.flush()
            finally:
                shutil.rmtree(what.root, ignore_errors=True)
                os._exit(status)
        self._running[pid] = f"{name}, {what}", told

    def wait(self, most):
        """Wait until no more than so many tries run."""
        while len(self._running) > most:
            pid, status = os.wait()
            who, told = self._running.pop(pid)
            if status:
                self.broken.append(f"{who}: {told.read_text()[-2000:]}")
                print(self.broken[-1], file=sys.stderr, flush=True)
            told.unlink()


def recorded(folder):
    """A store that a collector has written around eleven o'clock, in four files."""

    def work():
        made = Recorder(folder, NODE, start="2026-11-23T10:58:20+00:00", interval_s=30)
        first = made.thing("nfsd", FIRST, server="srv1")
        ended, second = (made.thing("nfsd", epoch, server="srv2") for epoch in (ENDED, SECOND))
        for i in range(8):
            if i in {3, 6}:
                made.rotate()
            other = {ended: {"read_bytes": 7 * i}} if i < 5 else {second: {"read_bytes": 1000 + 11 * i}}
            made.cycle({first: {"read_bytes": 100 * i}, **other})
            if i == 4:
                made.final(ended, {"read_bytes": 33}, seconds=3)
                made.wait(-3)

    lives(work)
    return folder


def late(root):
    """The collector goes on the next day: its last file of the day before is closed late."""
    newest = journal.files(root / f"node={NODE}" / "journal")[-1]
    standing = journal.read(newest).standing()
    at = standing.listings["nfsd"]
    at = type(at)(at.wall_ns + 50_000 * 10**9, at.boot_ns + 50_000 * 10**9)
    origin = journal.Origin(NODE, "boot", "f" * 32, "6.12", "0", 10 * 10**9)
    path = newest.with_name(journal.file_name(journal.number_of(newest) + 1, at, origin.run))
    path.write_bytes(journal.encode_head(origin, 1, at, standing))


def main():
    """Sweep, and print what was found."""
    which, folder = sys.argv[1], Path(sys.argv[2])
    reads = int(sys.argv[3]) if len(sys.argv) > 3 else 20
    for module in (tree, keep):
        module.STREAMS = {"nfsd": NFSD}
    journal_writer.RETRY_S = 0.01
    daemon.AGAIN_S, daemon.PATIENCE_S = 0.01, 0.1
    # a folder that is young is listed anew: every try makes the same calls, however long it takes
    segments._TICK_NS = 1 << 62
    began = time.monotonic()
    sweep = Sweep(folder)
    if which == "collect":
        template = folder / "begun"
        template.mkdir()
        lives(lambda: collect(template, range(1)).close(10))
        sweep.sweep(
            "collecting",
            template,
            calls.CHANGES | calls.OPEN,
            lambda root, begin: collect(root, range(1, 8), begin).close(10),
            try_collect,
            kill=True,
            part=True,
            forever=True,
        )
    else:
        template = recorded(folder / "recorded")
        steps = {
            "parts and hours": lambda place: keep.keep(place, AT_11, NEVER),
            "days, rollups, expiry": lambda place: keep.keep(place, NEXT_DAY, AT_ONCE),
            "a late part": lambda place: keep.keep(place, NEXT_DAY, AT_ONCE),
        }
        for name, step in steps.items():
            if name == "a late part":
                lives(lambda root=template: late(root))
            if which == "keep":
                sweep.sweep(
                    name,
                    template,
                    calls.CHANGES | calls.OPEN | calls.READ,
                    lambda root, begin, step=step: (begin(), step(tree.Tree(root, NODE))),
                    lambda what, template, step=step: try_keep(what, template, step),
                    kill=name != "a late part",
                    forever=name != "a late part",
                    # a read that fails leaves nothing behind; what opens files for a late part did so for the day
                    steps={calls.READ: reads, calls.OPEN: min(reads, 20 if name == "a late part" else 6)},
                )
            following = folder / f"after {name}"
            shutil.copytree(template, following)
            lives(lambda root=following, step=step: step(tree.Tree(root, NODE)))
            template = following
            if which == "ask":
                sweep.sweep(name, template, calls.OPEN | calls.READ, asked, try_ask)
    took = time.monotonic() - began
    print(json.dumps({"calls": sweep.calls, "tries": sweep.tries, "broken": sweep.broken, "took_s": round(took, 1)}))


if __name__ == "__main__":
    main()
