"""docs/cli.md, made of the commands' own `--help`: `python -m nasacct.cli.reference`, or `make docs`."""

import contextlib
import io
import json
import os
from collections.abc import Iterator

from nasacct.cli import app
from nasacct.config.environment import variable
from nasacct.config.tables import keys
from nasacct.errors import MEANINGS

_HEAD = """\
# The command line

Made from the commands themselves by `make docs`; a test compares. Errors are one sentence on stderr.
"""


def lines() -> Iterator[str]:
    """The document, paragraph by paragraph."""
    yield _HEAD
    yield "## Exit statuses\n\n| status | meaning |\n| ---: | --- |"
    yield from (f"| {status} | {meaning} |" for status, meaning in MEANINGS.items())
    yield "| 130 | interrupted (Ctrl-C) |\n| 141 | the reader of the output went away |\n"
    yield "## nasacct\n\n" + _block(["--help"])
    for name in app.COMMANDS:
        yield f"## nasacct {name}\n\n" + _block([name, "--help"])
    yield "## Configuration\n\nOne TOML file; `deploy/nasacct.toml` shows and explains every key.\n"
    yield "| key | environment variable | default | is |\n| --- | --- | --- | --- |"
    for key, field in keys().items():
        default = "by the machine" if field.default_factory else f"`{json.dumps(field.default, default=str)}`"
        yield f"| {key} | {variable(key)} | {default} | {field.description} |"


def _block(arguments: list[str]) -> str:
    shown = io.StringIO()
    os.environ["COLUMNS"] = "80"
    with contextlib.redirect_stdout(shown):
        app.run(arguments)
    text = "\n".join(line.rstrip() for line in shown.getvalue().splitlines())
    return f"```text\n{text}\n```\n"


if __name__ == "__main__":
    print("\n".join(lines()))
