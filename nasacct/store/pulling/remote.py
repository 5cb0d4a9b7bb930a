"""The store that is copied, as rsync over ssh shows it: which files it has, and how they come here.

rsync is started for each step and nothing of it stays. Files of a store only grow (the journal) or never change, so a
transfer appends to what is here already: killed anywhere, the next one goes on where it ended.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from nasacct.config.tables import NODE_NAME
from nasacct.errors import IO, NO_INPUT, PERMISSION, UNAVAILABLE, USAGE, NasacctError
from nasacct.store import addresses, inventory, judged, judgements, notes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from threading import Event

#: A dead host ends the connection instead of holding it for ever, and nobody is asked for a password.
SSH = "ssh -o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=5 -o ServerAliveCountMax=3"
#: A transfer in which nothing arrives for so long has failed.
SILENT_S = 60
#: rsync's exit statuses: done, and done but for files that were deleted meanwhile.
_DONE = (0, 24)
_LISTED = re.compile(r"-\S+ +(\d+) (\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) (.*)")
_WORD = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_FOLDERS = rf"journal|(?:usage|readings|cuts|{judged.FOLDER})/{_WORD}|rollup/{_WORD}/{_WORD}|quarantine"
_FILE = re.compile(rf"node=({NODE_NAME})/({_FOLDERS})/({_WORD})")
_BOOK = re.compile(rf"node=({NODE_NAME})/{re.escape(addresses.FILE)}")
STORE = "store.json"
CHRONICLES = (notes.CHRONICLE.file, judgements.CHRONICLE.file)
#: As for rsync and scp: a colon before the first slash ends a host's name.
_SOURCE = re.compile(r"(?:[^@/:]+@)?(?:\[([^]/]+)\]|([^@/:\[\]]+)):(?!:).+")

#: What ssh, a shell or rsync say when something is wrong -> what that is, with {host} and {source}, and the status.
_TROUBLES = (
    (r"Failed to exec", "the command of --ssh is not there; install ssh, or name another one", UNAVAILABLE),
    (
        r"Host key verification failed|HOST IDENTIFICATION HAS CHANGED",
        "{host} is not the host that was known, or not known yet; connect once by hand with ssh, as the same user",
        PERMISSION,
    ),
    (
        r"Permission denied \([a-z]",
        "{host} refused this user's key; put the public key into its authorized_keys (docs/operations.md)",
        PERMISSION,
    ),
    (
        r"command not found|: not found|code 127",
        "{host} has no rsync; install it there",
        UNAVAILABLE,
    ),
    (r"No space left|quota exceeded", "the copy's file system is full; make room, and it goes on", IO),
    (r"No such file or directory", "{source} is not there; check the host and the path behind the colon", NO_INPUT),
    (
        r"\[sender\].*(Permission denied|not permitted)",
        "{source} may not be read: {said}; let the key's user read it",
        PERMISSION,
    ),
    (r"Permission denied|not permitted", "the copy may not be written: {said}; run it as a user who may", PERMISSION),
    (
        r"shell clean",
        "{host} prints something before rsync starts; end that in the shell's start-up files there",
        UNAVAILABLE,
    ),
    (
        r"(?i)could not resolve|refused|timed out|timeout|unreachable|no route|closed by|reset|not responding",
        "{host} cannot be reached: {said}; check the network and whether sshd runs there",
        UNAVAILABLE,
    ),
)


class Stopped(Exception):  # noqa: N818 - nothing went wrong
    """The transfer was ended because somebody said stop."""


@dataclass(frozen=True, slots=True)
class StoreFile:
    """One file of a store by its name below the root: whose, in which folder (`journal`, `usage/nfsd`, ...)."""

    path: str
    node: str
    folder: str
    name: str

    @property
    def kind(self) -> str:
        """journal, usage, readings, cuts, rollup, judged or quarantine."""
        return self.folder.partition("/")[0]


def store_file(path: str) -> StoreFile | None:
    """What the path below a store's root is; None for what no copy has: locks, temporary and foreign files."""
    match = _FILE.fullmatch(path)
    if match is None:
        return None
    found = StoreFile(path, match[1], match[2], match[3])
    if found.kind == judged.FOLDER:
        return found if judged.named(Path(path)) else None
    wanted = {"journal": ".journal", "quarantine": ""}.get(found.kind, ".parquet")
    return found if found.name.endswith(wanted) else None


@dataclass(slots=True)
class Listing:
    """The files of a store with their sizes; `stamp` changes when store.json does, None without a store.

    `books` are such stamps of the nodes' address books, `inventory` that of the inventory, None without one,
    `chronicles` those of the chronicles by their names.
    """

    files: dict[StoreFile, int] = field(default_factory=dict)
    stamp: str | None = None
    books: dict[str, str] = field(default_factory=dict)
    inventory: str | None = None
    chronicles: dict[str, str] = field(default_factory=dict)


def listed_here(root: Path) -> Listing:
    """The same of a folder on this machine; OSError when it cannot be read."""
    found = Listing()
    for node in root.glob("node=*/"):
        for above, _, names in os.walk(node, onerror=_fail):
            below = os.path.relpath(above, root)
            for here in filter(None, (store_file(f"{below}/{name}") for name in names)):
                found.files[here] = os.stat(f"{above}/{here.name}").st_size  # noqa: PTH116 - thousands, each round
    return found


def _fail(error: OSError) -> None:
    raise error


class Remote:
    """A store on another host (`[user@]HOST:ROOT`) or in another folder; NasacctError when `source` names none.

    `stop` ends a transfer with Stopped. Every error is a NasacctError with what ssh, rsync or the system said.
    """

    def __init__(self, source: str, stop: Event, ssh: str = SSH) -> None:
        self.source, self.stop, self.ssh = source, stop, ssh
        match = _SOURCE.fullmatch(source)
        local = source and ":" not in source.partition("/")[0]
        if source.startswith(("-", "rsync:")) or not (match or local):
            raise NasacctError(f"{source!r} names no store; write it as HOST:ROOT, USER@HOST:ROOT or a path", USAGE)
        self.host = (match[1] or match[2]) if match else ""
        self._base = source.rstrip("/") + "/"

    def listing(self) -> Listing:
        """What is there now."""
        roots = [f"--include=/{name}" for name in ("node=*", STORE, inventory.FILE, *CHRONICLES)]
        hidden = ("--exclude=.*", "--exclude=*.lock", *roots, "--exclude=/*")
        found = Listing()
        for line in self._run(["--list-only", "--recursive", "--no-human-readable", *hidden, self._base]).splitlines():
            match = _LISTED.fullmatch(line)
            if match is None:
                continue
            if match[3] == STORE:
                found.stamp = f"{match[1]} {match[2]}"
            elif match[3] == inventory.FILE:
                found.inventory = f"{match[1]} {match[2]}"
            elif match[3] in CHRONICLES:
                found.chronicles[match[3]] = f"{match[1]} {match[2]}"
            elif (book := _BOOK.fullmatch(match[3])) is not None:
                found.books[book[1]] = f"{match[1]} {match[2]}"
            elif (here := store_file(match[3])) is not None:
                found.files[here] = int(match[1])
        return found

    def fetch(
        self,
        paths: Collection[str],
        into: Path,
        *,
        verify: bool = False,
        limit: int | None = None,
        meanwhile: Callable[[], None] | None = None,
        every_s: float = 10,
    ) -> None:
        """Bring files into the folder `into`; of what is there already only what is missing at its end.

        What no longer exists is passed over. `verify`: what is there already is compared. `limit`: bytes a second.
        `meanwhile` is called every `every_s` seconds until all is there.
        """
        options = ["--append-verify" if verify else "--append", "--files-from=-", "--from0", "--ignore-missing-args"]
        options += [f"--bwlimit={max(limit // 1024, 1)}"] if limit else []
        listed = b"".join(os.fsencode(path) + b"\0" for path in paths)
        self._run([*options, self._base, f"{into}/"], listed, meanwhile, every_s)

    @contextlib.contextmanager
    def brought(self, paths: Collection[str]) -> Iterator[Path]:
        """A folder with these files as they are there, those that exist; it goes with the `with` block."""
        with tempfile.TemporaryDirectory() as name:
            self.fetch(paths, Path(name))
            yield Path(name)

    def _run(
        self, arguments: list[str], given: bytes = b"", meanwhile: Callable[[], None] | None = None, every_s: float = 10
    ) -> str:
        """What rsync prints."""
        command = ["rsync", f"--timeout={SILENT_S}", *([f"--rsh={self.ssh}"] if self.host else []), *arguments]
        with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as said:
            asked.write(given)
            asked.seek(0)
            try:
                process = subprocess.Popen(
                    command, stdin=asked, stdout=out, stderr=said, env={**os.environ, "LC_ALL": "C"}
                )
            except FileNotFoundError:
                raise NasacctError("rsync is not installed here; install it (3.1 or later)", UNAVAILABLE) from None
            try:
                self._wait(process, meanwhile, every_s)
            finally:
                _end(process)
            if process.returncode not in _DONE:
                raise self._trouble(process.returncode, _text(said))
            return _text(out)

    def _wait(self, process: subprocess.Popen[bytes], meanwhile: Callable[[], None] | None, every_s: float) -> None:
        due = time.monotonic() + every_s
        while True:
            try:
                process.wait(0.2)
            except subprocess.TimeoutExpired:
                if self.stop.is_set():
                    raise Stopped from None
                if meanwhile is not None and time.monotonic() >= due:
                    meanwhile()
                    due = time.monotonic() + every_s
            else:
                return

    def _trouble(self, status: int, text: str) -> NasacctError:
        """The sentence for a failed rsync. What the other side printed comes without its control characters."""
        lines = ["".join(c if c.isprintable() else " " for c in line).strip() for line in text.splitlines()]
        theirs = [line for line in lines if line and not re.match(r"rsync( error)?: |\(see ", line)]
        ours = [line for line in lines if line.startswith("rsync: ") and "connection unexpectedly closed" not in line]
        said = next(iter([*ours, *theirs] if status == 23 else [*theirs, *ours]), f"rsync ended with {status}")
        words = {"host": self.host or "this machine", "source": self.source, "said": said.rstrip(".")}
        for pattern, sentence, meant in _TROUBLES:
            if re.search(pattern, text):
                return NasacctError(sentence.format(**words), meant)
        return NasacctError(f"copying from {self.source} failed: {words['said']}; it goes on where it ended", IO)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End what still runs."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _text(file: BinaryIO) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")
