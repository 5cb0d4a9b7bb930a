"""Errors a person can cause: one sentence that says what, where and the mend, and the exit status that goes with it.

The numbers are those of sysexits.h (BSD), so that scripts and supervisors can tell them apart.
"""

from __future__ import annotations

OK = 0
#: Not an error: the command ran and its answer is "something is wrong" (`check`, `doctor`).
FINDINGS = 1
USAGE = 64
DATA = 65
NO_INPUT = 66
UNAVAILABLE = 69
SOFTWARE = 70
CANT_CREATE = 73
IO = 74
TEMPORARY = 75
PERMISSION = 77
CONFIG = 78

#: What each exit status means, in the words of `--help` and docs/cli.md.
MEANINGS = {
    OK: "done",
    FINDINGS: "something is wrong or missing; the answer says what",
    USAGE: "a wrong option or argument",
    DATA: "a file is broken or not what it should be",
    NO_INPUT: "a file or store to read from is not there",
    UNAVAILABLE: "something the command needs is not installed or not there",
    SOFTWARE: "a fault of nasacct itself",
    CANT_CREATE: "a store or file cannot be made there",
    IO: "reading or writing failed",
    TEMPORARY: "another process holds the store; try again later",
    PERMISSION: "permission denied",
    CONFIG: "the configuration is wrong",
}


class NasacctError(Exception):
    """An error for a person: `sentence` says what, where and the mend; `status` is the exit status."""

    def __init__(self, sentence: str, status: int = DATA) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.status = status


class ConfigError(NasacctError):
    """The configuration is wrong: the key, its value, where it was said and the mend."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, CONFIG)


def not_now(error: OSError) -> str:
    """The sentence for a file or folder that the system does not let one read; of its content that says nothing."""
    return f"{error.filename} cannot be read now ({(error.strerror or str(error)).lower()}); what it holds is missing"


def of_os(error: OSError, doing: str) -> NasacctError:
    """The sentence for a system call that failed while `doing` something, with the status its errno asks for."""
    if isinstance(error, PermissionError):
        mend, status = "run it as a user who may", PERMISSION
    elif isinstance(error, FileNotFoundError):
        mend, status = "check the path", NO_INPUT
    elif isinstance(error, FileExistsError | NotADirectoryError | IsADirectoryError):
        mend, status = "choose another path", CANT_CREATE
    else:
        mend, status = "check the file system", IO
    where = f" ({error.filename})" if error.filename and str(error.filename) not in doing else ""
    return NasacctError(f"{doing} failed{where}: {(error.strerror or str(error)).lower()}; {mend}", status)
