"""The command line as one program: which commands there are, and what ``tiercel --help`` says."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Protocol, cast

import typer

__all__ = ["COMMANDS", "example_text", "program"]

# Each command lives in its own file, which is read only when that command is called.
COMMANDS = ("up", "ask", "chat", "check", "doctor", "engines", "config", "sim", "version")

_ABOUT = """\
AI for games: three tiers behind one deadline.

\b
Start a server and talk to it:
  tiercel up
  tiercel ask "Any news from the road?" --persona smith

\b
Exit codes: 0 all is well, 1 a problem was found, 2 wrong usage,
3 no server answers, 130 stopped by Ctrl-C.
"""


class _Command(Protocol):
    def register(self, app: typer.Typer) -> None:
        """Add the command."""
        ...


class _Version(Protocol):
    def show(self, *, as_json: bool) -> None:
        """Print it."""
        ...


def program(names: Sequence[str] = COMMANDS) -> typer.Typer:
    """Build the program with these commands."""
    app = typer.Typer(
        name="tiercel",
        help=_ABOUT,
        no_args_is_help=True,
        # An error that nobody foresaw is shown as Python shows it, without the heavy painting.
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for name in names:
        cast("_Command", import_module(f"tiercel.app.cli.{name}")).register(app)
    return app


def example_text(summary: str, *examples: str) -> str:
    """Write the help of a command: what it is for, and lines to copy."""
    return "\n".join([summary, "", "\b", "Examples:", *(f"  {example}" for example in examples)])


def _print_version(asked: bool) -> None:  # noqa: FBT001 - an option's callback is called so
    if asked:
        cast("_Version", import_module("tiercel.app.cli.version")).show(as_json=False)
        raise typer.Exit


def _root(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Leave everything to the command; the options here act by themselves."""
