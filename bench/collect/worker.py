"""A program that is measured in a process of its own: one line in, one line of JSON out."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Sequence


class Worker:
    """Starts the program; it first answers a line without having been asked, in `about`.

    It ends when its standard input does, so also when this process dies.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._name = command[0]
        # in a session of its own: what interrupts the bench must not make it talk
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, start_new_session=True
        )
        try:
            self.about = self._answer()
        except BaseException:
            self._process.kill()
            raise

    def ask(self, *words: str | int) -> dict[str, Any]:
        """Have it do one thing. Raises RuntimeError when it has ended instead."""
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(str(w) for w in words) + "\n")
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._name} ended with status {self._process.wait(10)} instead of answering")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def python(module: str, *arguments: str) -> Worker:
    """A module of the bench as a worker, in the same Python."""
    return Worker([sys.executable, "-m", module, *arguments])
