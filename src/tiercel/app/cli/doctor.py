"""``tiercel doctor``: tries every tier and engine live, and says which does not keep what is counted on."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import nullcontext
from typing import Annotated, TypeVar

import msgspec
import typer
from rich.console import Console

from tiercel.app.cli.caller import OverHttp
from tiercel.app.cli.engines import read_cards
from tiercel.app.cli.exits import PROBLEM, honest
from tiercel.app.cli.greeting import PERSONA
from tiercel.app.cli.inhouse import InHouse
from tiercel.app.cli.options import Config, Gold, Json, Silver, extras_of, sources_of
from tiercel.app.cli.paint import clean, dim, green, print_json, red, yellow
from tiercel.app.cli.patients import Named, OfPort
from tiercel.app.cli.probes import Promise, Result, examine_engine, examine_tier
from tiercel.app.cli.program import example_text
from tiercel.app.cli.replies import ServerError
from tiercel.app.settings import Settings, load
from tiercel.engines.catalogue.spec import EngineSpec
from tiercel.route.proof import prove
from tiercel.terms.clock import Clock, Deadline, SystemClock
from tiercel.terms.json import NOT_JSON

__all__ = ["register"]

_Doc = TypeVar("_Doc")

_PATIENCE_S = 5.0
_QUESTION = {"messages": [{"role": "user", "content": "Hello."}], "stream": True}


class _Explained(msgspec.Struct, frozen=True, kw_only=True):
    """Of a decision: how much time there is, and who would be asked first."""

    first_s: float
    total_s: float
    rungs: tuple[_Rung, ...] = ()


class _Rung(msgspec.Struct, frozen=True):
    name: str


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
            house = InHouse(loaded, SystemClock())
            asyncio.run(_gather(_of_house(house, loaded.settings, SystemClock()), results, talk=not as_json))
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
    with console.status("examining ...") if talk and console.is_terminal else nullcontext():
        async for batch in examined:
            results.extend(batch)
            for result in batch if talk else ():
                _print(result)


async def _of_house(house: InHouse, settings: Settings, clock: Clock) -> AsyncIterator[list[Result]]:
    """Examine each engine alone, then each tier with all its rungs, in a house of our own."""
    try:
        for name, engine in settings.engines.items():
            if engine.is_model:
                patient = OfPort(house.engines[name], clock)
                yield await examine_engine(patient, engine, _counted_on(name, settings), clock)
        for tier, spec in settings.tiers.items():
            if spec.rungs:
                promise = Promise(first_ms=spec.first_ms, total_ms=spec.total_ms)
                yield await examine_tier(Named(tier, house), promise, spec.rungs[0], clock)
            else:
                yield [Result(subject=f"tier {tier}", check="rungs", verdict="skip", detail="it has none")]
    finally:
        await house.aclose()


async def _of_server(url: str, clock: Clock) -> AsyncIterator[list[Result]]:
    """Examine what a server offers, as any client could."""
    server = OverHttp(url, clock)
    try:
        for card in read_cards(await server.fetch("/v1/engines", Deadline.after(_PATIENCE_S, clock))):
            if card.kind in ("openai", "anthropic"):
                # What it claims is the server's to know: every ability is tried, and one it does not claim is passed.
                spec = EngineSpec(kind="openai", model=card.model)
                yield await examine_engine(Named(card.name, server), spec, None, clock)
        listed = await server.fetch("/v1/models", Deadline.after(_PATIENCE_S, clock))
        names = {model.id for model in _read(listed, _Names).data}
        for tier in (tier for tier in ("gold", "silver", "bronze") if tier in names):
            question = msgspec.json.encode({"model": tier, **_QUESTION, "tiercel": {"persona": PERSONA}})
            body = await server.fetch("/v1/route/explain", Deadline.after(_PATIENCE_S, clock), question)
            decision = _read(body, _Explained)
            promise = Promise(first_ms=decision.first_s * 1e3, total_ms=decision.total_s * 1e3)
            first = decision.rungs[0].name if decision.rungs else None
            yield await examine_tier(Named(tier, server), promise, first, clock)
    finally:
        await server.aclose()


def _read(body: bytes, kind: type[_Doc]) -> _Doc:
    try:
        return msgspec.json.decode(body, type=kind)
    except NOT_JSON:
        raise ServerError("what answers there does not speak like Tiercel", "malformed", 0) from None


def _counted_on(name: str, settings: Settings) -> Promise | None:
    """Return the shortest share of time that any tier's ladder gives this engine."""
    shares = [
        Promise(first_ms=rung.first_share_ms, total_ms=rung.total_share_ms)
        for tier, spec in settings.tiers.items()
        for rung in prove(tier, spec, settings.engines, settings.route).rungs
        if rung.rung == name
    ]
    return min(shares, key=lambda share: share.first_ms) if shares else None


def _print(result: Result) -> None:
    paint = {"ok": green, "warn": yellow, "fail": red, "skip": dim}[result.verdict]
    sys.stdout.write(
        f"{paint(f'{result.verdict:<4}')} {result.subject:<22} {result.check:<17} {clean(result.detail)}\n"
    )
    if result.next_step:
        sys.stdout.write(f"     {dim('next: ' + clean(result.next_step))}\n")
    sys.stdout.flush()
