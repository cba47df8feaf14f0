"""``tiercel engines``: what a running server thinks of each engine, and until when one is left alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
from rich.text import Text

from tiercel.app.cli.board import board, columns
from tiercel.app.cli.caller import OverHttp
from tiercel.app.cli.exits import honest
from tiercel.app.cli.options import DEFAULT_URL, Json, Url
from tiercel.app.cli.paint import clean, print_json
from tiercel.app.cli.program import example_text
from tiercel.app.cli.replies import ServerError
from tiercel.terms.clock import Deadline, SystemClock
from tiercel.terms.json import NOT_JSON

if TYPE_CHECKING:
    import typer

__all__ = ["Card", "read_cards", "register"]

_PATIENCE_S = 5.0
_COLOURS = {"closed": "green", "half_open": "yellow", "open": "bold red"}


class _Breaker(msgspec.Struct, frozen=True, kw_only=True):
    """Why an engine is left alone, and for how long."""

    failure: str = ""
    until_in_s: float = 0.0
    probing: bool = False


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """One engine as a server shows it."""

    name: str
    kind: str = ""
    model: str = ""
    state: str = "closed"
    breakers: tuple[_Breaker, ...] = ()
    in_flight: int = 0
    p50_first_ms: tuple[float | None, ...] = ()
    p50_whole_ms: tuple[float | None, ...] = ()


class _Cards(msgspec.Struct, frozen=True):
    data: tuple[Card, ...]


def register(app: typer.Typer) -> None:
    """Add the command."""
    text = example_text(
        "Show the engines of a running server: state, reason, usual times.",
        "tiercel engines",
        "tiercel engines --json | jq '.[] | select(.state != \"closed\")'",
    )
    app.command("engines", help=text)(_engines)


def _engines(*, url: Url = DEFAULT_URL, as_json: Json = False) -> None:
    with honest(as_json=as_json):
        cards = asyncio.run(_fetch(url))
    if as_json:
        print_json(cards)
    else:
        _print(cards)


async def _fetch(url: str) -> tuple[Card, ...]:
    server = OverHttp(url, SystemClock())
    try:
        return read_cards(await server.fetch("/v1/engines", Deadline.after(_PATIENCE_S, SystemClock())))
    finally:
        await server.aclose()


def read_cards(body: bytes) -> tuple[Card, ...]:
    """Read what ``/v1/engines`` says; raises ``ServerError`` when that is something else."""
    try:
        return msgspec.json.decode(body, type=_Cards).data
    except NOT_JSON:
        raise ServerError("what answers there does not speak like Tiercel", "malformed", 0) from None


def _print(cards: Sequence[Card]) -> None:
    table = columns("engine", "kind", "model", "state", "running", "first word", "whole", "left alone because")
    for card in cards:
        why = ", ".join(f"{one.failure}, {max(0.0, one.until_in_s):.1f} s" for one in card.breakers)
        table.add_row(
            *(Text(clean(text)) for text in (card.name, card.kind, card.model)),
            Text(clean(card.state), style=_COLOURS.get(card.state, "")),
            str(card.in_flight),
            _usual(card.p50_first_ms),
            _usual(card.p50_whole_ms),
            Text(clean(why)),
        )
    board().print(table)


def _usual(times_ms: Sequence[float | None]) -> str:
    """Show the usual time of the smallest requests that were measured."""
    return next((f"{ms:.0f} ms" for ms in times_ms if ms is not None), "-")
