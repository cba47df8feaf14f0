"""Writes to a terminal: a little colour where one is there, and never a control character that somebody else sent.

The commands that must start at once (``up``, ``ask``) write through this and nothing heavier.
"""

from __future__ import annotations

import os
import sys
from typing import IO

import msgspec

__all__ = ["bold", "clean", "dim", "green", "money", "print_json", "red", "yellow"]

# Everything but tab and line feed that moves a cursor or begins an escape; words of models and servers are strangers'.
_CONTROL = {code: None for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}
_CONTROL |= dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)))


def clean(text: str) -> str:
    """Take out what could command the terminal."""
    return text.translate(_CONTROL)


def bold(text: str, to: IO[str] | None = None) -> str:
    """Make it stand out."""
    return _styled(text, "1", to)


def dim(text: str, to: IO[str] | None = None) -> str:
    """Make it step back."""
    return _styled(text, "2", to)


def red(text: str, to: IO[str] | None = None) -> str:
    """Say that it went wrong."""
    return _styled(text, "1;31", to)


def green(text: str, to: IO[str] | None = None) -> str:
    """Say that it is well."""
    return _styled(text, "32", to)


def yellow(text: str, to: IO[str] | None = None) -> str:
    """Say that it wants a look."""
    return _styled(text, "33", to)


def money(dollars: float | None) -> str:
    """Write a cost; an unknown one is never shown as none."""
    if dollars is None:
        return "cost unknown"
    return "$0" if dollars == 0 else f"${dollars:.6f}"


def print_json(value: object) -> None:
    """Print one JSON document for a program to read."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def _styled(text: str, code: str, to: IO[str] | None) -> str:
    stream = to if to is not None else sys.stdout
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and stream.isatty()
    return f"\x1b[{code}m{text}\x1b[0m" if wanted else text
