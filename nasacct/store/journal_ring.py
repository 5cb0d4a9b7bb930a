"""What the disk does not take is mirrored in memory, where readers on the same machine find it.

The pool that blocks may be the one that the journal lies on, and that is when people ask. Frames that wait longer than
they should are written to a journal file in a folder on a file system in memory (`/run/nasacct`), as the next file of
the same run: it begins with what stands on the disk and holds everything since. Readers take it for the newest file.
It goes as soon as a frame gets to the disk. A thread of its own does this; its failure costs nobody anything.
Of a run that was killed meanwhile the next one takes it into the journal, if the disk takes anything by then.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from nasacct.store import journal
from nasacct.store.mounts import forgets, mounts
from nasacct.store.sync import sync_folder

if TYPE_CHECKING:
    from nasacct.store.frame import Frame
    from nasacct.store.journal_writer import JournalWriter, Stalled

log = logging.getLogger(__name__)

#: Where the collector mirrors and readers look unless configured otherwise.
RING = Path("/run/nasacct")


def place(ring: Path, folder: Path) -> Path:
    """Where below `ring` the mirror of the journal in `folder` lies: no copy of the store has the same. OSError."""
    status = folder.stat()
    return ring / f"{folder.parent.name.removeprefix('node=')}-{status.st_dev:x}-{status.st_ino:x}"


def mirrored(ring: Path | None, folder: Path, paths: list[Path]) -> list[Path]:
    """The mirror that goes on after the journal's files `paths`, if there is one; empty when there is none."""
    if ring is None or not ring.is_dir():
        return []
    with contextlib.suppress(OSError):
        last = journal.number_of(paths[-1]) if paths else 0
        return [p for p in journal.files(place(ring, folder)) if journal.number_of(p) > last][-1:]
    return []


def take_back(ring: Path, folder: Path, patience_s: float) -> None:
    """What a run that was killed left below `ring` becomes the journal's next file, as which it was written.

    If the disk does not take it in that time, it is lost, and so told.
    """
    for path in mirrored(ring, folder, journal.files(folder)):
        lock, given_up = threading.Lock(), threading.Event()
        told: list[str] = [f"{folder} took nothing for {patience_s:.0f} s"]
        mover = threading.Thread(target=_move, args=(path, folder, lock, given_up, told), name="ring", daemon=True)
        mover.start()
        mover.join(patience_s)
        with lock:
            # a new run takes the same number: what comes to the disk later must not
            given_up.set()
        if told:
            log.error("what the last run could not write, and kept in %s, is lost: %s", path, told[0])
        else:
            log.info("%s, which the last run could not write, was taken from memory", path.name)
            shutil.rmtree(path.parent, ignore_errors=True)


def _move(path: Path, folder: Path, lock: threading.Lock, given_up: threading.Event, told: list[str]) -> None:
    temporary = folder / ".ring.tmp"
    try:
        with temporary.open("wb") as file:
            file.write(path.read_bytes())
            file.flush()
            os.fsync(file.fileno())
        with lock:
            if given_up.is_set():
                temporary.unlink()
            else:
                temporary.rename(folder / path.name)
                sync_folder(folder)
                told.clear()
    except OSError as error:
        told[:] = [error.strerror or str(error)]
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


class Ring:
    """Mirrors below the folder `ring` what waits for longer than `after_s`, until `close`."""

    def __init__(self, writer: JournalWriter, ring: Path, *, after_s: float) -> None:
        self.writer, self.after_s = writer, after_s
        self.where = place(ring, writer.folder)
        self._after = (0, 0)
        self._last, self._size = 0, 0
        self._path: Path | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ring,), name="ring", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End; what has not got to the disk stays mirrored until the next run."""
        self._stop.set()
        self._thread.join(1.0)

    def _run(self, ring: Path) -> None:
        try:
            if not forgets(ring, mounts()):
                log.warning("%s is not in memory, so cycles that wait for the disk are not mirrored there", ring)
                return
            # of a run that was killed
            shutil.rmtree(self.where, ignore_errors=True)
            while not self._stop.wait(self.after_s / 4):
                self._look(self.writer.stalled())
            if not self.writer.waiting:
                self._remove()
        except OSError as error:
            log.warning("cycles that wait for the disk are not mirrored in %s: %s", ring, error.strerror)

    def _look(self, stalled: Stalled) -> None:
        if stalled.seconds < self.after_s:
            self._remove()
        elif self._path is None or self._after != stalled.after or self._size > self.writer.ring_bytes:
            self._begin(stalled)
        else:
            self._append([f for f in stalled.frames if f.seq > self._last])

    def _begin(self, stalled: Stalled) -> None:
        writer, first = self.writer, stalled.frames[0]
        number, _ = stalled.after
        with contextlib.suppress(RuntimeError):
            # a frame that gets to the disk meanwhile changes what stands: then nothing is stalled any more
            head = journal.encode_head(writer.origin, first.seq, first.at, writer.standing)
            if writer.stalled().after != stalled.after:
                return
            self._remove()
            for folder in (self.where.parent, self.where):
                folder.mkdir(mode=0o750, exist_ok=True)
            path = self.where / journal.file_name(number, first.at, writer.origin.run)
            temporary = self.where / ".head.tmp"
            data = head + b"".join(journal.encode_frame(f) for f in stalled.frames)
            temporary.write_bytes(data)
            temporary.rename(path)
            self._path, self._after, self._size, self._last = path, stalled.after, len(data), stalled.frames[-1].seq

    def _append(self, frames: list[Frame]) -> None:
        assert self._path is not None
        for frame in frames:
            data = journal.encode_frame(frame)
            with self._path.open("ab") as file:
                file.write(data)
            self._size, self._last = self._size + len(data), frame.seq

    def _remove(self) -> None:
        if self._path is not None:
            path, self._path = self._path, None
            path.unlink(missing_ok=True)
            self.where.rmdir()
