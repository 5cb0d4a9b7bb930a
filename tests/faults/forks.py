"""Work in a process of its own, for it is to be killed, or to leave nothing behind."""

import os
import sys
import traceback

from nasacct.__main__ import without_pandas

# as commands do: pyarrow would load it anew in every process that is forked
without_pandas()


def forked(work):
    """Do the work; its status, which is 0 when it did not fail, or None when it was killed."""
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        status = 1
        try:
            work()
            status = 0
        except BaseException:  # noqa: BLE001 - whatever it is, the parent is told
            sys.stderr.write(traceback.format_exc())
            sys.stderr.flush()
        finally:
            os._exit(status)
    _, status = os.waitpid(pid, 0)
    return None if os.WIFSIGNALED(status) else status
