"""Writes the journal on a thread of its own, so that no disk ever delays a cycle.

`put` never blocks. Frames wait in memory until they are written and synced; when they are larger than the ring may
be, the two oldest waiting ones become one: resolution goes, bytes, births and finals stay. After a failed write or
sync the file is left as it is and its unsynced frames begin a new one: an error of fsync is reported once and the
next fsync of that descriptor says nothing of the lost pages, so it is never tried again.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nasacct.store import journal
from nasacct.store.frame import merge

if TYPE_CHECKING:
    from pathlib import Path

    from nasacct.store.frame import Frame
    from nasacct.store.journal import Origin
    from nasacct.store.standing import Standing

log = logging.getLogger(__name__)

#: A new file is begun after this long, whatever was written.
DEFAULT_FILE_S = 900
#: Pause before the next attempt after a failed write.
RETRY_S = 2.0


@dataclass(frozen=True, slots=True)
class Stalled:
    """Frames that wait, the oldest first: for how many `seconds`, and after which next file's number and last frame."""

    seconds: float
    after: tuple[int, int]
    frames: tuple[Frame, ...]


class JournalWriter:
    """The one writer of a node's journal folder.

    `trouble` is why nothing can be written at present, `fault` an error of this program that ended the thread,
    `since` the monotonic time from which on a frame has waited without any getting to the disk.
    `standing` is what stood when the run began (taken over, and kept current). `ring_bytes` bounds the frames that
    wait for the disk; `file_s` is how long, by the frames' own CLOCK_BOOTTIME, a file is written before the next.
    """

    def __init__(
        self,
        folder: Path,
        origin: Origin,
        standing: Standing,
        *,
        number: int,
        file_s: float = DEFAULT_FILE_S,
        ring_bytes: int = 32 << 20,
    ) -> None:
        self.folder, self.origin, self.standing = folder, origin, standing
        standing.goes_on(origin.boot_id)
        self.file_ns, self.ring_bytes = int(file_s * 1e9), ring_bytes
        self.trouble: str | None = None
        self.fault: Exception | None = None
        self.merged = 0
        self.bytes_written = 0
        self.synced_seq = 0
        self.since = 0.0
        self._number = number
        self._waiting: deque[Frame] = deque()
        self._held_bytes = 0
        self._changed = threading.Condition()
        self._closing = False
        self._rotate = False
        self._fd: int | None = None
        self._opened_ns = 0
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def put(self, frame: Frame) -> None:
        """Hand over a frame. Never blocks and never fails."""
        with self._changed:
            if not self._waiting:
                self.since = time.monotonic()
            self._waiting.append(frame)
            self._held_bytes += frame.nbytes
            # the first may be in the writer's hands, and the last is the newest: those between give way
            while self._held_bytes > self.ring_bytes and len(self._waiting) > 3:
                first, second, third = self._waiting.popleft(), self._waiting.popleft(), self._waiting.popleft()
                one = merge(second, third)
                self._waiting.appendleft(one)
                self._waiting.appendleft(first)
                self._held_bytes += one.nbytes - second.nbytes - third.nbytes
                self.merged += 1
            self._changed.notify_all()

    def rotate(self) -> None:
        """Begin a new file with the next frame."""
        self._rotate = True

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that was put is on the disk; False when that took longer than allowed."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting, timeout_s)

    def close(self, timeout_s: float = 30.0) -> bool:
        """Write what waits, end the thread, and say whether everything is on the disk."""
        done = self.flush(timeout_s)
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(1.0 if not done else timeout_s)
        return done

    @property
    def waiting(self) -> int:
        """Frames not yet on the disk."""
        return len(self._waiting)

    def stalled(self) -> Stalled:
        """What waits now, and on which state of the disk it builds."""
        with self._changed:
            since = time.monotonic() - self.since if self._waiting else 0.0
            return Stalled(since, (self._number, self.synced_seq), tuple(self._waiting))

    def _run(self) -> None:
        try:
            self._work()
        except Exception as err:
            log.exception("the journal's writer ended")
            self.fault = err
        self._close_file()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    break
                frame = self._waiting[0]
            try:
                self._write(frame)
            except OSError as err:
                self._failed(err)
                continue
            self.trouble = None
            with self._changed:
                # only what is on the disk stands: a new file's head must never claim more
                self.standing.apply(frame)
                self.synced_seq, self.since = frame.seq, time.monotonic()
                self._waiting.popleft()
                self._held_bytes -= frame.nbytes
                self._changed.notify_all()

    def _write(self, frame: Frame) -> None:
        if self._fd is None or self._rotate or frame.at.boot_ns - self._opened_ns >= self.file_ns:
            self._close_file()
            self._open(frame)
        assert self._fd is not None
        data = journal.encode_frame(frame)
        _write_all(self._fd, data)
        os.fdatasync(self._fd)
        self.bytes_written += len(data)

    def _open(self, frame: Frame) -> None:
        path = self.folder / journal.file_name(self._number, frame.at, self.origin.run)
        # without its head it is no journal file, so it gets its name when the head is on the disk
        temporary = self.folder / ".head.tmp"
        head = journal.encode_head(self.origin, frame.seq, frame.at, self.standing)
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
        # a number is used once, also when the file it names could not be begun
        self._number += 1
        try:
            _write_all(fd, head)
            os.fsync(fd)
            temporary.rename(path)
        except OSError:
            os.close(fd)
            temporary.unlink(missing_ok=True)
            raise
        self._fd, self._opened_ns, self._rotate = fd, frame.at.boot_ns, False
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self.bytes_written += len(head)

    def _failed(self, err: OSError) -> None:
        why = f"{self.folder}: {err.strerror or err}"
        if why != self.trouble:
            log.error("journal not written, frames wait in memory: %s", why)
        self.trouble = why
        self._close_file()
        with self._changed:
            self._changed.wait_for(lambda: self._closing, RETRY_S)
            if self._closing:
                self._waiting.clear()

    def _close_file(self) -> None:
        if self._fd is not None:
            fd, self._fd = self._fd, None
            try:
                os.close(fd)
            except OSError as err:
                log.warning("closing a journal file: %s", err)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
