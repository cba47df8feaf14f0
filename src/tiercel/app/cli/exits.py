"""How a command ends: the exit codes, and errors that say what to do next instead of a traceback."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from tiercel.app.cli.paint import bold, clean, print_json, red
from tiercel.terms.errors import TiercelError

__all__ = ["INTERRUPTED", "OK", "PROBLEM", "UNREACHABLE", "USAGE", "Unreachable", "honest"]

OK = 0
PROBLEM = 1
USAGE = 2
UNREACHABLE = 3
INTERRUPTED = 130


# What helps against the errors that a server answers with, by their code.
_NEXT = {
    "policy": "templates are for characters: add --persona, or ask a tier or an engine by its name",
    "deadline": "give it more time (--total-ms), or see which engine is slow: tiercel doctor",
    "exhausted": "see what is wrong with the engines: tiercel doctor",
    "not_found": "GET /v1/models lists the names; gold, silver and auto are always there",
    "shed": "the server is full; ask again, or raise server.max_running",
}


class Unreachable(Exception):
    """No server answers where one was expected; ``next_step`` says how to get one."""

    def __init__(self, message: str, next_step: str) -> None:
        super().__init__(message)
        self.next_step = next_step


@contextmanager
def honest(*, as_json: bool = False) -> Iterator[None]:
    """Turn the errors that people can mend into a few lines and an exit code; let bugs through."""
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except Unreachable as error:
        _tell("unreachable", str(error), error.next_step, as_json=as_json)
        raise typer.Exit(UNREACHABLE) from None
    except TiercelError as error:
        _tell(error.code, str(error), _NEXT.get(error.code, ""), as_json=as_json)
        raise typer.Exit(PROBLEM) from None


def _tell(code: str, message: str, next_step: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"error": {"code": code, "message": message, "next_step": next_step or None}})
        return
    sys.stderr.write(f"{red('error', sys.stderr)} {clean(message)}\n")
    if next_step:
        sys.stderr.write(f"{bold('next ', sys.stderr)} {clean(next_step)}\n")
