"""``tiercel up``: the server, with one command and nothing else installed."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from tiercel.app.cli.exits import honest
from tiercel.app.cli.options import Config, Gold, Json, Silver, extras_of, sources_of
from tiercel.app.cli.program import example_text
from tiercel.app.settings import Flag, load

__all__ = ["register"]

Level = Literal["debug", "info", "warning", "error"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    text = example_text(
        "Start the server. It needs nothing: no key, no model, no file.",
        "tiercel up",
        "tiercel up --silver http://127.0.0.1:8000/v1",
        "tiercel up --silver openai/gpt-5-mini --port 9000",
    )
    app.command("up", help=text)(_up)


def _up(  # noqa: PLR0913 - a command has as many arguments as it has options
    *,
    host: Annotated[str | None, typer.Option("--host", help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option("--port", help="The port; 0 takes a free one.", min=0, max=65535)] = None,
    config: Config = None,
    silver: Silver = None,
    gold: Gold = None,
    behind_proxy: Annotated[
        bool, typer.Option("--behind-proxy", help="Something in front of Tiercel decides who may come in.")
    ] = False,
    open_page: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in a browser.")] = True,
    log_json: Annotated[bool, typer.Option("--log-json", help="Write logs as JSON.")] = False,
    log_level: Annotated[Level | None, typer.Option("--log-level", help="How much to write down.")] = None,
    as_json: Json = False,
) -> None:
    given = (
        Flag(("server", "host"), host, "--host"),
        Flag(("server", "port"), port, "--port"),
        Flag(("server", "behind_proxy"), behind_proxy or None, "--behind-proxy"),
        Flag(("log", "form"), "json" if log_json else None, "--log-json"),
        Flag(("log", "level"), log_level, "--log-level"),
    )
    with honest(as_json=as_json):
        flags = tuple(flag for flag in given if flag.value is not None)
        loaded = load(sources_of(config, flags, extras_of(silver, gold)))
        from tiercel.app.cli.start import start  # noqa: PLC0415 - the server is loaded to serve, not to print --help

        start(loaded, open_page=open_page, as_json=as_json)
