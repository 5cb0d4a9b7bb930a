"""What a call in flight is doing, in one word: an NFSv3 procedure, or of an NFSv4 compound the operation that matters.

A compound is a chain such as SEQUENCE PUTFH READ_PLUS, or SEQUENCE PUTFH OPEN GETFH ACCESS GETATTR: it moves to a file,
does something, and asks for attributes. What it does is the last of its operations that no other one is there to serve.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nasacct.store.nfs_names import PROC2, PROC3, PROC4, PROC4OPS

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What has no name here.
OTHER = "other"
#: ONC RPC's number of NFS; NFSACL's and whatever else nfsd serves has another one.
NFS = 100003
_NAMES = {2: PROC2, 3: PROC3}
_COMPOUND = PROC4.index("compound")
#: Operations that choose a file or a session and do nothing with it, that ask for attributes, and that look for a file:
#: each is what a compound does where there is none of those that follow, nor any that is not here.
_RANKS = {
    **dict.fromkeys("sequence putfh putpubfh putrootfh getfh savefh restorefh nverify verify".split(), 0),
    **dict.fromkeys(["getattr"], 1),
    **dict.fromkeys("access lookup lookupp".split(), 2),
}
_MOST = 3


def operation(program: int, version: int, procedure: int, ops: Sequence[int] = ()) -> str:
    """The word for a call; `ops` are the numbers of a compound's operations, in their order."""
    if program != NFS:
        return OTHER
    if version == 4:
        return _compound(ops) if procedure == _COMPOUND else _named(PROC4, procedure)
    return _named(_NAMES.get(version, []), procedure)


def _named(names: Sequence[str], number: int) -> str:
    return names[number] if 0 <= number < len(names) else OTHER


#: What each operation is called, and how much it says of a compound.
_KNOWN = {number: (_RANKS.get(name, _MOST), name) for number, name in PROC4OPS.items()}
_UNKNOWN = (_MOST, OTHER)


def _compound(ops: Sequence[int]) -> str:
    best, found = -1, OTHER
    for op in ops:
        rank, name = _KNOWN.get(op, _UNKNOWN)
        if rank >= best:
            best, found = rank, name
    return found
