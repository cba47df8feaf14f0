"""Tables on a terminal, by rich; only for commands that nobody waits for with a stopwatch."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

__all__ = ["board", "columns"]

# Where no terminal says how wide it is (a pipe, a file), nothing is gained by breaking lines.
_WIDE = 200


def board() -> Console:
    """Return where tables are printed."""
    return Console(width=None if sys.stdout.isatty() else _WIDE, highlight=False)


def columns(*titles: str, right: int = 0) -> Table:
    """Return an empty table without lines; the last ``right`` columns hold figures."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    for index, title in enumerate(titles):
        table.add_column(title, overflow="fold", justify="right" if index >= len(titles) - right else "left")
    return table
