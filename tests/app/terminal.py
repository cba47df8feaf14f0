"""What the tests of commands stand on: how to start one as a shell does, and what it left."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Protocol

__all__ = ["MAIN", "Ran", "Run", "Spawn", "clean_environ"]

# As a shell starts it: a test run in the background would hand down a Ctrl-C that is ignored.
MAIN = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from tiercel.app.cli import main; main()"
)


class Ran:
    """What a command left: its exit code, what it printed, and where."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    @property
    def json(self) -> dict[str, object]:
        """What it printed, as data."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


class Run(Protocol):
    """Runs a command in an empty folder, in this process."""

    def __call__(self, *arguments: str, stdin: str = "", environ: dict[str, str] | None = None) -> Ran:
        """Return what it left."""
        ...


class Spawn(Protocol):
    """Starts a command as a process of its own."""

    def __call__(self, *arguments: str, environ: dict[str, str] | None = None) -> subprocess.Popen[str]:
        """Return the process; the test that started it need not end it."""
        ...


def clean_environ() -> dict[str, str]:
    """Return this environment without anything that Tiercel would read."""
    return {name: value for name, value in os.environ.items() if not name.startswith("TIERCEL_")}
