"""`nasacct` and `python -m nasacct`: run one command, turn every error into one sentence and its exit status."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import suppress
from importlib.abc import MetaPathFinder
from pathlib import Path

from nasacct import errors

#: Which extra brings a package that the base installation lacks.
_EXTRAS = {
    "duckdb": "reports",
    "scipy": "reports",
    "vl_convert": "reports",
    "streamlit": "dashboard",
    "authlib": "dashboard",
}


class _WithoutPandas(MetaPathFinder):
    def find_spec(self, fullname: str, path: object, target: object = None) -> None:  # noqa: ARG002 - as Python calls it
        """Refuse pandas."""
        if fullname == "pandas":
            raise ModuleNotFoundError("commands do without pandas (nasacct/__main__.py)")


def without_pandas() -> None:
    """Keep pandas out of this process: pyarrow would load it at its first array, to see whether that is one of pandas'.

    That costs a third of a second of CPU time and 35 MB. pyarrow does without when it cannot be imported.
    """
    if not any(isinstance(each, _WithoutPandas) for each in sys.meta_path):
        sys.meta_path.insert(0, _WithoutPandas())


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit status; errors are told on stderr, never as a traceback."""
    # before numpy comes: matrices here are small, and on a busy node threads only wait for one another
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    without_pandas()
    from nasacct.cli import app  # noqa: PLC0415 - importing is part of what may fail, and --version needs none of it

    arguments = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError):
            # a server's name that this terminal's encoding lacks is shown escaped instead of ending the program
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        status = app.run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # the reader has seen enough (`nasacct usage | head`); Python would complain once more while it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + 13
    except KeyboardInterrupt:
        return 128 + 2
    except Exception as error:  # noqa: BLE001 - the one place where everything else ends
        told = _told(error)
        if os.environ.get("NASACCT_TRACEBACK"):
            traceback.print_exc()
        print(f"nasacct: {told.sentence}", file=sys.stderr)
        return told.status
    return status


def _told(error: Exception) -> errors.NasacctError:
    if isinstance(error, errors.NasacctError):
        return error
    if isinstance(error, ModuleNotFoundError) and (extra := _EXTRAS.get((error.name or "").partition(".")[0])):
        return errors.NasacctError(
            f"this command needs the package {error.name}; install it with pip install 'nasacct[{extra}]'",
            errors.UNAVAILABLE,
        )
    if isinstance(error, OSError):
        return errors.of_os(error, "the command")
    last = traceback.extract_tb(error.__traceback__)[-1]
    what = " ".join(str(error).split())[:200]
    return errors.NasacctError(
        f"a fault of nasacct itself: {type(error).__name__}: {what} ({Path(last.filename).name}:{last.lineno}); "
        "set NASACCT_TRACEBACK=1, run it again and report what it prints",
        errors.SOFTWARE,
    )


if __name__ == "__main__":
    sys.exit(main())
