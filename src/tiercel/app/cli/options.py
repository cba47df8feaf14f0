"""The options that several commands share, and what they make of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from tiercel.app.settings import Extra, Flag, Sources, read_extra
from tiercel.app.settings.rules import is_loopback

__all__ = ["DEFAULT_URL", "Config", "Gold", "Json", "Silver", "Url", "extras_of", "is_local", "sources_of"]

DEFAULT_URL = "http://127.0.0.1:8484"

Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", metavar="FILE", help="A TOML file; otherwise $TIERCEL_CONFIG, then ./tiercel.toml."),
]
Silver = Annotated[
    list[str] | None,
    typer.Option(
        "--silver",
        metavar="MODEL",
        help="Put a model in front of Silver: URL, URL#model, openai/<model>, anthropic/<model>; may be repeated.",
    ),
]
Gold = Annotated[list[str] | None, typer.Option("--gold", metavar="MODEL", help="The same for Gold.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
Url = Annotated[
    str, typer.Option("--url", envvar="TIERCEL_URL", metavar="URL", help="Where the server is.", show_default=True)
]


def extras_of(silver: list[str] | None, gold: list[str] | None) -> tuple[Extra, ...]:
    """Read the models that flags put in front of tiers, and ask their servers where no model is named.

    Raises ``Misconfigured``, and ``Unreachable`` when a server has to be asked and does not answer.
    """
    extras = (
        *(read_extra(text, "silver") for text in silver or ()),
        *(read_extra(text, "gold") for text in gold or ()),
    )
    if all(extra.model for extra in extras):
        return extras
    from tiercel.app.cli.asking import name_models  # noqa: PLC0415 - a client, needed only when somebody is asked

    return name_models(extras)


def is_local(url: str) -> bool:
    """Whether this address is on this machine."""
    return is_loopback(urlsplit(url).hostname or "")


def sources_of(config: Path | None, flags: tuple[Flag, ...] = (), extras: tuple[Extra, ...] = ()) -> Sources:
    """Say where settings come from for this process: the one place that reads its environment."""
    return Sources(config=config, environ=dict(os.environ), flags=flags, extras=extras, folder=Path())
