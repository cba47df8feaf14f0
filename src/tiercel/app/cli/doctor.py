"""``tiercel doctor``: tries every tier and engine live, and says which does not keep what is counted on."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from tiercel.app.cli.caller import Caller, OverHttp
from tiercel.app.cli.engines import read_cards
from tiercel.app.cli.exits import PROBLEM, honest
from tiercel.app.cli.inhouse import InHouse
from tiercel.app.cli.options import Config, Gold, Json, Silver, extras_of, sources_of
from tiercel.app.cli.paint import clean, dim, green, print_json, red, yellow
from tiercel.app.cli.patients import Named, OfPort
from tiercel.app.cli.probes import Promise, Result, examine_engine, examine_tier
from tiercel.app.cli.program import example_text
from tiercel.app.settings import Loaded, Settings, load
from tiercel.engines.catalogue.spec import EngineSpec
from tiercel.route.proof import prove
from tiercel.terms.clock import Clock, Deadline, SystemClock

__all__ = ["register"]

_PATIENCE_S = 5.0
_QUESTION = {"messages": [{"role": "user", "content": "Hello."}], "stream": True}


class _Explained(msgspec.Struct, frozen=True, kw_only=True):
    """Of a decision: how much time there is."""

    first_s: float
    total_s: float


class _Names(msgspec.Struct, frozen=True):
    data: tuple[_Name, ...]


class _Name(msgspec.Struct, frozen=True):
    id: str


def register(app: typer.Typer) -> None:
    """Add the command."""
    text = example_text(
        "Try every tier and engine live: reachable, quick enough, true to what it claims.",
        "tiercel doctor",
        "tiercel doctor --silver http://127.0.0.1:8000/v1",
        "tiercel doctor --url http://127.0.0.1:8484 --json",
    )
    app.command("doctor", help=text)(_doctor)


def _doctor(
    *,
    url: Annotated[
        str | None, typer.Option("--url", metavar="URL", help="Examine a running server; otherwise the configuration.")
    ] = None,
    config: Config = None,
    silver: Silver = None,
    gold: Gold = None,
    as_json: Json = False,
) -> None:
    results: list[Result] = []
    with honest(as_json=as_json):
        if url is None:
            loaded = load(sources_of(config, extras=extras_of(silver, gold)))
            asyncio.run(_gather(_of_configuration(loaded, SystemClock()), results, talk=not as_json))
        else:
            asyncio.run(_gather(_of_server(url, SystemClock()), results, talk=not as_json))
    ok = all(result.verdict != "fail" for result in results)
    if as_json:
        print_json({"ok": ok, "results": results})
    elif ok:
        sys.stdout.write(f"{green('ok')} nothing is wrong\n")
    if not ok:
        raise typer.Exit(PROBLEM)


async def _gather(examined: AsyncIterator[Sequence[Result]], results: list[Result], *, talk: bool) -> None:
    """Collect results, and print each as it comes, with a sign of life between."""
    console = Console(stderr=True)
    with console.status("examining ...") if talk and console.is_terminal else _Quiet():
        async for batch in examined:
            results.extend(batch)
            for result in batch if talk else ():
                _print(result)
