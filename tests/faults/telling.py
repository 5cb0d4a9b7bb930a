"""A program into which the shim is preloaded: each call by which something is noted fails once, and is once the last.

    python telling.py FOLDER

Printed is JSON: how many tries there were, and a line for every promise that was not kept.
"""

import errno
import json
import os
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

import shim as calls
from forks import forked

from nasacct.errors import NasacctError
from nasacct.store import notes, root
from nasacct.store.check.whole import check

AT = datetime(2026, 11, 27, tzinfo=UTC)
#: How a try ends: noted, refused in a sentence, noted and no call met its fault, or otherwise.
NOTED, REFUSED, WHOLE, FAILED = 0, 3, 4, 1
ERRORS = {calls.KILL: (0,), calls.FAIL: (errno.EIO, errno.ENOSPC)}
CLASSES = (calls.OPEN, calls.CREATE, calls.READ, calls.WRITE, calls.SYNC, calls.RENAME)


def tell(where, text):
    return notes.tell(where, text, (AT, AT), ["nas1"], AT)


def tried(where, *fault):
    """Note something while a call meets its fault; how it ended, None: killed."""

    def work():
        shim = calls.Shim(where)
        shim.arm(*fault)
        try:
            tell(where, "second")
            status = NOTED if shim.hits else WHOLE
        except NasacctError:
            status = REFUSED
        os._exit(status)

    status = forked(work)
    return None if status is None else os.waitstatus_to_exitcode(status)


def kept(where, ended):
    """The promise that was not kept, if there is one."""
    texts = [note.text for note in notes.read(where)]
    if texts not in (["first"], ["first", "second"], ["second", "first"]):
        return f"it says {texts}"
    if ended in {NOTED, WHOLE} and len(texts) != 2:
        return "what was noted is not there"
    tell(where, "third")
    if len(notes.read(where)) != len(texts) + 1:
        return "what is noted next is not there"
    return "; ".join(map(str, check(where).findings))


def main(folder):
    template, tries, broken = folder / "template", 0, []
    root.prepare(template, volatile=True)
    tell(template, "first")
    for classes in CLASSES:
        for action, values in ERRORS.items():
            for value in values:
                for nth in range(1, 99):
                    where = shutil.copytree(template, folder / "try")
                    ended = tried(where, classes, nth, action, value)
                    why = "it ended otherwise" if ended == FAILED else kept(where, ended)
                    broken += [f"{calls.NAMES[classes]} {nth} ({action}, {value}): {why}"] if why else []
                    shutil.rmtree(where)
                    if ended == WHOLE:
                        break
                    tries += 1
    print(json.dumps({"tries": tries, "broken": broken}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
