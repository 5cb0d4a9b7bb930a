"""On which kernels nfsd may be asked again and again for its calls in flight (`rpc-status-get`).

The dump reads what other threads are changing, and did so wrongly from its beginning (Linux 6.7) until late in 2026:
use of freed memory, reads beyond an array, calls shown that were none. Asking once is a small risk; asking every second
is to look for it. So only kernels with all of the fixes count as safe, and of which nobody knows are not asked:

    fix (fs/nfsd, net/sunrpc)                                        6.12      6.18     7.2
    defer vfree of compound ops, clear opcnt, read barrier           .109      .50      .4
    defer the free of rq_argp and rq_resp, error handling of dumps   .111
    rq_status_counter even on all exit paths                         .114               .4
    out-of-bounds read in the rpc_status dump                        .117

(kernel.org's change logs of 6.12; CVE-2026-93229 and CVE-2026-89705 for the others.) An empty place is not known to be
fixed. All other lines from 6.7 to 7.1 are named as affected, without a fix.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

State = Literal["safe", "unsafe", "unknown"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether calls in flight may be sampled on a kernel, and a clause that says why."""

    state: State
    why: str


#: The first line of stable releases that has the command, and the first that no report names.
_FIRST, _BEYOND = (6, 7), (7, 3)
#: Of a line the first release that has every fix.
_WHOLE = {(6, 12): 117}
#: Of a line the release before which a known fault is in it, where it is not known whether later ones have every fix.
_PARTLY = {(6, 18): 50, (7, 2): 4}
_RELEASE = re.compile(r"(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?(?!\d)", re.ASCII)


def judge(release: str) -> Verdict:
    """What is known of the kernel that `uname -r` names.

    What a vendor brought into an older number nobody knows here: such a kernel is judged by its number.
    """
    found = _RELEASE.match(release)
    if found is None:
        return Verdict("unknown", f"{release!r} is no kernel release that nasacct understands")
    line, patch = (int(found[1]), int(found[2])), int(found[3] or 0)
    named = f"{line[0]}.{line[1]}"
    if line < _FIRST:
        return Verdict("unsafe", f"Linux {named} has no rpc-status-get; 6.7 was the first")
    if line in _WHOLE:
        whole = f"{named}.{_WHOLE[line]}"
        if patch >= _WHOLE[line]:
            return Verdict("safe", f"Linux {named} has every known fix of rpc-status-get since {whole}")
        return Verdict("unsafe", f"rpc-status-get reads memory that is not its own before Linux {whole}")
    if line in _PARTLY:
        partly = f"{named}.{_PARTLY[line]}"
        if patch < _PARTLY[line]:
            return Verdict("unsafe", f"rpc-status-get reads memory that is not its own before Linux {partly}")
        return Verdict("unknown", f"it is not known whether Linux {named} has every fix of rpc-status-get")
    if line < _BEYOND:
        return Verdict("unsafe", f"rpc-status-get was never mended in Linux {named}")
    return Verdict("unknown", f"nothing is known of rpc-status-get in Linux {named}")
