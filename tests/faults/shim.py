"""The control of shim.c from the process into which it was preloaded, and the environment that preloads it."""

import ctypes
import os
import subprocess
from pathlib import Path

OPEN, CREATE, READ, WRITE, SYNC, RENAME, UNLINK, MKDIR = (1 << i for i in range(8))
NAMES = {
    OPEN: "open",
    CREATE: "create",
    READ: "read",
    WRITE: "write",
    SYNC: "fsync",
    RENAME: "rename",
    UNLINK: "unlink",
    MKDIR: "mkdir",
}
CHANGES = CREATE | WRITE | SYNC | RENAME | UNLINK | MKDIR
NONE, FAIL, PART, KILL, BLOCK = range(5)


def build(where):
    """Compile the library into the folder; its path."""
    library = where / "shim.so"
    source = Path(__file__).with_name("shim.c")
    command = ["cc", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"]
    subprocess.run([str(word) for word in command], check=True)
    return library


def environment(library, **told):
    """This process's environment for one into which the library is preloaded; `told` as in shim.c (folder, ...)."""
    return os.environ | {"LD_PRELOAD": str(library)} | {f"SHIM_{k.upper()}": str(v) for k, v in told.items()}


class Shim:
    """Faults of this process's own calls below `folder`."""

    def __init__(self, folder):
        self._library = ctypes.CDLL(None)
        self._library.shim_calls.restype = self._library.shim_hits.restype = ctypes.c_long
        self._library.shim_watch(os.fsencode(folder))

    def arm(self, classes, nth=0, action=NONE, value=0, *, forever=False, gate=None):
        """Count calls of these classes anew; let the `nth`, or all from it on, meet what is to happen."""
        until = None if gate is None else os.fsencode(gate)
        what = action if nth else PART
        self._library.shim_arm(classes, ctypes.c_long(nth), what, value, int(forever), until)

    def release(self):
        """No more faults."""
        self._library.shim_arm(0, ctypes.c_long(0), NONE, 0, 0, None)

    @property
    def calls(self):
        """How many calls were counted since it was armed."""
        return self._library.shim_calls()

    @property
    def hits(self):
        """How many of them met their fault."""
        return self._library.shim_hits()
