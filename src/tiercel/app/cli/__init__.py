"""The command line: ``tiercel up``, ``ask``, ``chat``, ``check``, ``doctor``, ``engines``, ``config``, ``version``."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; ends the process with its exit code."""
    from tiercel.app.cli.program import COMMANDS, program  # noqa: PLC0415 - whoever imports a part needs not the whole

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # What a model says must not end a program on a terminal that cannot show it.
            stream.reconfigure(errors="replace")
    given = list(sys.argv[1:] if arguments is None else arguments)
    # `up` must start fast and stay lean, so that only the command that was called is loaded.
    asked = given[0] if given and "_TIERCEL_COMPLETE" not in os.environ else ""
    names = (asked,) if asked in COMMANDS else COMMANDS
    program(names)(args=given, prog_name="tiercel")
