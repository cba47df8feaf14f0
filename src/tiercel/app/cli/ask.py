"""``tiercel ask``: one question, its answer, and in one line how it was won."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer

from tiercel.app.cli.caller import PATIENCE_S, Caller, OverHttp, Request
from tiercel.app.cli.exits import USAGE, Unreachable, honest
from tiercel.app.cli.options import DEFAULT_URL, Config, Json, Url, is_local, sources_of
from tiercel.app.cli.paint import clean, dim, print_json
from tiercel.app.cli.program import example_text
from tiercel.app.cli.replies import Heard, in_one_line
from tiercel.app.settings import load
from tiercel.terms.clock import Deadline, SystemClock

__all__ = ["register"]

Fallback = Literal["tier", "none"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    text = example_text(
        "Ask one question. Without a running server it is answered in this process.",
        'tiercel ask "Any news from the road?" --persona smith',
        'tiercel ask "Sum up the siege in ten words" --tier silver --total-ms 500',
        'echo "a wolf attacks" | tiercel ask - --tier gold --json',
    )
    app.command("ask", help=text)(_ask)


def _ask(  # noqa: PLR0913 - a command has as many arguments as it has options
    question: Annotated[str, typer.Argument(help="What to ask; - reads it from standard input.", show_default=False)],
    *,
    tier: Annotated[str, typer.Option("--tier", "-t", help="gold, silver, auto, or an engine by its name.")] = "silver",
    persona: Annotated[str, typer.Option("--persona", "-p", help="Who answers, e.g. smith.")] = "",
    mood: Annotated[str, typer.Option("--mood", help="How they feel.")] = "",
    total_ms: Annotated[float | None, typer.Option("--total-ms", help="Answer within this time.", min=1)] = None,
    first_ms: Annotated[float | None, typer.Option("--first-ms", help="First word within this time.", min=1)] = None,
    fallback: Annotated[Fallback | None, typer.Option("--fallback", help="none: a model's answer or an error.")] = None,
    url: Url = DEFAULT_URL,
    config: Config = None,
    stream: Annotated[bool | None, typer.Option("--stream/--no-stream", help="Print words as they come.")] = None,
    as_json: Json = False,
) -> None:
    wishes = {"persona": persona, "mood": mood, "total_ms": total_ms, "first_ms": first_ms, "fallback": fallback}
    request = Request(
        model=tier,
        messages=({"role": "user", "content": _question(question)},),
        # A terminal shows words as they come; a program wants them whole, and the time of a whole answer.
        stream=(sys.stdout.isatty() and not as_json) if stream is None else stream,
        tiercel={name: value for name, value in wishes.items() if value not in ("", None)},
    )
    with honest(as_json=as_json):
        try:
            heard, source = asyncio.run(_put(OverHttp(url, SystemClock()), request, show=not as_json)), url
        except Unreachable:
            if not is_local(url):
                raise
            house = _house(config)
            heard, source = asyncio.run(_put(house, request, show=not as_json)), "in process"
            if not as_json:
                sys.stderr.write(dim(f"no server at {url}: answered in this process\n", sys.stderr))
    if as_json:
        print_json(_as_data(heard, source))
    else:
        sys.stdout.write(f"\n{in_one_line(heard)}\n")


def _question(text: str) -> str:
    if text != "-":
        return text
    question = sys.stdin.read(1_000_000).strip()
    if not question:
        sys.stderr.write("error nothing came on standard input\n")
        raise typer.Exit(USAGE)
    return question


def _house(config: Path | None) -> Caller:
    from tiercel.app.cli.inhouse import InHouse  # noqa: PLC0415 - a whole house, needed only without a server

    return InHouse(load(sources_of(config)), SystemClock())


async def _put(caller: Caller, request: Request, *, show: bool) -> Heard:
    def on_text(text: str) -> None:
        if show:
            sys.stdout.write(clean(text))
            sys.stdout.flush()

    try:
        return await caller.chat(msgspec.json.encode(request), Deadline.after(PATIENCE_S, SystemClock()), on_text)
    finally:
        await caller.aclose()


def _as_data(heard: Heard, source: str) -> dict[str, object]:
    return {
        "answer": heard.text,
        "finish": heard.finish,
        "first_ms": heard.first_ms,
        "total_ms": heard.total_ms,
        "usage": heard.usage,
        "tiercel": heard.story,
        "from": source,
    }
