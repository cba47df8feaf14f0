"""``tiercel version``: which Tiercel this is, and what it runs on."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

from tiercel.app.cli.options import Json
from tiercel.app.cli.paint import print_json
from tiercel.app.cli.program import example_text

if TYPE_CHECKING:
    import typer

__all__ = ["register", "show"]

_PARTS = ("uvicorn", "httptools", "msgspec", "starlette")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("version", help=example_text("Print the version.", "tiercel version --json"))(_version)


def _version(*, as_json: Json = False) -> None:
    show(as_json=as_json)


def show(*, as_json: bool) -> None:
    """Print it; a report of a bug wants all of it."""
    found = {
        "tiercel": version("tiercel"),
        "python": platform.python_version(),
        "platform": f"{sys.platform} {platform.machine()}",
        **{name: version(name) for name in _PARTS},
    }
    if as_json:
        print_json(found)
    else:
        sys.stdout.write("".join(f"{name} {value}\n" for name, value in found.items()))
