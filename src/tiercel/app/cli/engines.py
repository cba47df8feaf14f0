"""``tiercel engines``: what a running server thinks of each engine, and until when one is left alone."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tiercel.app.cli.caller import OverHttp
from tiercel.app.cli.exits import honest
from tiercel.app.cli.options import DEFAULT_URL, Json, Url
from tiercel.app.cli.paint import clean, print_json
from tiercel.app.cli.program import example_text
from tiercel.terms.clock import Deadline, SystemClock

__all__ = ["register"]

_PATIENCE_S = 5.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    text = example_text(
        "Show the engines of a running server: health, breaker, reason.",
        "tiercel engines",
        "tiercel engines --json | jq '.data[].state'",
    )
    app.command("engines", help=text)(_engines)
