"""A program into which the shim is preloaded: a forgetting is killed at every call that changes something.

    python forgetting.py FOLDER

It imports once and forks for every call. Printed is JSON: how many tries there were, and a line for every promise that
was not kept.
"""

import json
import mmap
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

import shim as calls
from forks import forked
from journals import Recorder

from nasacct.store import forgetting, inventory, keep, striking, tree
from nasacct.store.check import whole
from nasacct.store.expiry import clean
from nasacct.store.inventory import EVER, Statement
from nasacct.store.parts import consume
from nasacct.store.schema import CLIENTS, LINKS
from nasacct.store.segment_file import read
from nasacct.store.shelf import shelf
from nasacct.store.tree import Tree

START = datetime(2026, 11, 23, 22, 40, tzinfo=UTC)
NOW = datetime(2026, 11, 25, tzinfo=UTC)
RULES = keep.Rules({"readings": 40, "usage": 400}, grace_s=1e12)
ADDRESSES = {"6f6e650000000001": "192.0.2.101", "74776f0000000002": "198.51.100.202"}
GONE, STAYS = ADDRESSES
WORDS = ("Aurelia", "192.0.2.101")


def told(kind, thing, **properties):
    """A statement of all times."""
    return Statement(kind, thing, EVER[0], properties, int(START.timestamp()))


def recorded(root):
    """A store of two days and a journal's tail; of two clients, one is somebody's who is to be forgotten."""
    recorder = Recorder(root, start=START.isoformat(), interval_s=300)
    link = recorder.thing("links", server="101", link="v101")
    clients = [recorder.thing("clients", f"boot/101/{c}-77", server="101", client=c) for c in ADDRESSES]
    for thing in clients:
        thing.about = {"address": ADDRESSES[thing.keys["client"]]}
    for i in range(30):
        if i and i % 6 == 0:
            recorder.rotate()
        read = {link: {"received_bytes": 9000 * i, "sent_bytes": 9 * i}}
        recorder.cycle(read | {t: {"received_bytes": 1000 * i, "sent_bytes": i} for t in clients})
        if i == 23:
            assert keep.keep(Tree(root, "nas1"), START.timestamp() + 86_400 * 1.5, RULES) == 0
    inventory.tell(root, [told("member", "1001", name="Aurelia"), told("vps", "21", name="Aurelia", member="1001")])
    inventory.tell(root, [told("address", "192.0.2.101/32", vps="21")])


def usage(root):
    """What is left of usage, of sums of each step, and of readings: by client the certain bytes, and how many rows."""
    place, found = Tree(root, "nas1"), {}
    for relation in (place.relation("usage", CLIENTS), *place.rollups(CLIENTS), place.relation("readings", CLIENTS)):
        for segment in shelf(relation.folder).visible:
            for row in read(segment.path, relation.schema).to_pylist():
                name = str(relation), row["client"]
                number, total = found.get(name, (0, 0))
                found[name] = number + 1, total + (row["received_bytes"] or 0)
    return found


def forget(root):
    """Forget as the command does."""
    place = Tree(root, "nas1")
    clean(place)
    forgetting.forget(root, "1001", NOW)
    striking.strike(place)


def judge(root, wanted):
    """What is promised once it was done again: no word of it, everything else as it was, and the check content."""
    found = usage(root)
    assert found == wanted, f"{found}, not {wanted}"
    wrong = whole.check(root).findings
    assert not wrong, wrong
    for path in root.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert not any(word.encode() in content for word in WORDS), f"{path} says it"
    assert not list(root.rglob(".*")), list(root.rglob(".*"))


def main():
    """Kill it everywhere."""
    folder = Path(sys.argv[1])
    for module in (tree, keep, whole):
        module.STREAMS = {"links": LINKS, "clients": CLIENTS}
    template = folder / "recorded"
    template.mkdir()
    assert forked(lambda: recorded(template)) == 0
    shared = mmap.mmap(-1, 8)

    def count():
        shim = calls.Shim(folder / "count")
        shutil.copytree(template, folder / "count")
        shim.arm(calls.CHANGES)
        forget(folder / "count")
        shared[:] = shim.calls.to_bytes(8, "little")
        shim.release()

    assert forked(count) == 0
    number = int.from_bytes(shared[:], "little")
    # it makes parts of the journal, too: what stays is what a store has that was only kept
    kept = folder / "kept"
    shutil.copytree(template, kept)
    assert forked(lambda: consume(Tree(kept, "nas1"))) == 0
    wanted = {name: value for name, value in usage(kept).items() if name[1] != GONE}
    judge(folder / "count", wanted)
    broken, lived = [], 0
    for nth in range(1, number + 1):
        root = folder / str(nth)
        shutil.copytree(template, root)

        def killed(root=root, nth=nth):
            calls.Shim(root).arm(calls.CHANGES, nth, calls.KILL)
            forget(root)

        def again(root=root):
            forget(root)
            judge(root, wanted)

        # a truncated lock file is the one change after which the shim lets it go on
        lived += forked(killed) is not None
        if forked(again) != 0:
            broken.append(f"{nth}: see above")
        shutil.rmtree(root)
    print(json.dumps({"tries": number - lived, "lived": lived, "broken": broken, "left": len(wanted)}))


if __name__ == "__main__":
    main()
