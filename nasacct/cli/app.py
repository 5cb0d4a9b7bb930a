"""All commands put together, each imported only when it is asked for.

A command `x` is the function `x` in `nasacct/cli/x.py`. Beside it stand EXAMPLES (command line -> what it is for) and
STATUSES (its exit statuses), which end its `--help` and docs/cli.md. It returns its exit status, None for 0.
"""

import importlib
from typing import Annotated

import typer

from nasacct import __version__
from nasacct.errors import MEANINGS, OK, USAGE, NasacctError

#: Every command in the order of `nasacct --help`.
COMMANDS = (
    *(
        "collect",
        "keep",
        "compact",
        "check",
        "pull",
        "usage",
        "exports",
        "top",
        "episodes",
        "why",
        "blame",
        "inflight",
        "space",
        "note",
        "verdict",
        "inventory",
        "member",
    ),
    *("record", "replay", "parse", "doctor"),
)

EXAMPLES = {
    "nasacct top": "who uses the NAS now",
    "nasacct usage --by server --since yesterday": "what each server moved",
    "nasacct doctor": "what this machine lets nasacct read, and what is missing",
}


def run(arguments: list[str]) -> int:
    """Run one command line; its exit status. NasacctError for what a person did wrong."""
    arguments = arguments or ["--help"]
    names = arguments[:1] if arguments[0] in COMMANDS else list(COMMANDS)
    command = typer.main.get_command(assemble(names))
    try:
        # not command(): that would end the process its own way when the output is closed
        with command.make_context("nasacct", list(arguments)) as context:
            answer = command.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    except typer.TyperException as error:
        raise _usage_error(error, " ".join(["nasacct", *names[: len(names) == 1]])) from None
    return answer if isinstance(answer, int) else OK


def assemble(names: list[str]) -> typer.Typer:
    """The application with the named commands in it."""
    app = typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        help="Knows, exactly and provably, who uses a NAS and how.",
        epilog=ending(EXAMPLES, (OK, USAGE)),
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_nasacct)
    for name in names:
        module = importlib.import_module(f"nasacct.cli.{name}")
        app.command(name, epilog=ending(module.EXAMPLES, module.STATUSES))(getattr(module, name))
    return app


def ending(examples: dict[str, str], statuses: tuple[int, ...]) -> str:
    """The end of a `--help`: EXAMPLES and EXIT STATUS. A paragraph that begins with a backspace is not wrapped."""
    shown = "\n".join(f"  {line}\n      {purpose}" for line, purpose in examples.items())
    meant = "\n".join(f"  {status:>3}  {MEANINGS[status]}" for status in statuses)
    return f"\b\nEXAMPLES\n{shown}\n\n\b\nEXIT STATUS\n{meant}"


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"nasacct {__version__}")
        raise typer.Exit


def _nasacct(
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and end.")
    ] = False,
) -> None:
    """Nothing: every command does its own work."""


def _usage_error(error: typer.TyperException, command: str) -> NasacctError:
    """One sentence of typer's message, which may have several lines, and where to look."""
    message = " ".join(error.format_message().split()).rstrip(".").replace("Value error, ", "")
    return NasacctError(f"{message[:1].lower()}{message[1:]} (see `{command} --help`)", USAGE)
