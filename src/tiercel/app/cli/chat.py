"""``tiercel chat``: talk to a character in the terminal, word by word, and see after each reply how it was won."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from tiercel.app.cli.caller import PATIENCE_S, Caller, OverHttp, Request
from tiercel.app.cli.exits import INTERRUPTED, Unreachable, honest
from tiercel.app.cli.options import DEFAULT_URL, Config, Url, is_local, sources_of
from tiercel.app.cli.paint import bold, clean, dim, red
from tiercel.app.cli.program import example_text
from tiercel.app.cli.replies import Heard, in_one_line
from tiercel.app.settings import load
from tiercel.terms.clock import Deadline, SystemClock
from tiercel.terms.errors import TiercelError

__all__ = ["register"]

# A conversation longer than this forgets its beginning: a game's characters do too, and prompts stay bounded.
_REMEMBERED = 40
_PATIENCE_S = 5.0

_HELP = """\
/persona NAME   who answers: smith, guard, innkeeper, ... or nobody
/tier NAME      gold, silver, auto, or an engine by its name
/why            what was tried for the last reply, and why
/quit           end; Ctrl-C stops a reply, twice ends"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    text = example_text(
        "Talk to a character. /help shows what can be typed.",
        "tiercel chat --persona innkeeper",
        "tiercel chat --tier auto --url http://127.0.0.1:8484",
    )
    app.command("chat", help=text)(_chat)


def _chat(
    persona: Annotated[str, typer.Option("--persona", "-p", help="Who answers.")] = "innkeeper",
    tier: Annotated[str, typer.Option("--tier", "-t", help="gold, silver, auto, or an engine by its name.")] = "silver",
    url: Url = DEFAULT_URL,
    config: Config = None,
) -> None:
    # Brings arrow keys and the lines typed before to input(); it has nothing to call.
    with contextlib.suppress(ImportError):
        importlib.import_module("readline")
    with honest(), asyncio.Runner() as runner:
        server, where = OverHttp(url, SystemClock()), url
        caller: Caller = server
        if not runner.run(_answers(server, url)):
            caller, where = _house(config), f"in this process, since no server runs at {url}"
        try:
            _Talk(runner, caller, persona, tier).run(where)
        finally:
            runner.run(caller.aclose())


async def _answers(server: OverHttp, url: str) -> bool:
    """Whether a server runs there; one that should run on another machine and does not is an error."""
    try:
        await server.fetch("/healthz", Deadline.after(_PATIENCE_S, SystemClock()))
    except Unreachable:
        await server.aclose()
        if not is_local(url):
            raise
        return False
    return True


def _house(config: Path | None) -> Caller:
    from tiercel.app.cli.inhouse import InHouse  # noqa: PLC0415 - a whole house, needed only without a server

    return InHouse(load(sources_of(config)), SystemClock())


class _Talk:
    """One conversation: what was said, to whom, and how the last reply was won."""

    def __init__(self, runner: asyncio.Runner, caller: Caller, persona: str, tier: str) -> None:
        self._runner = runner
        self._caller = caller
        self._persona = persona
        self._tier = tier
        self._session = uuid.uuid4().hex
        self._said: list[dict[str, str]] = []
        self._last: Heard | None = None
        self._commands: dict[str, Callable[[str], None]] = {
            "/persona": self._set_persona,
            "/tier": self._set_tier,
            "/why": self._why,
            "/help": lambda _: _line(_HELP),
        }

    def run(self, where: str) -> None:
        """Talk until somebody ends it."""
        _line(dim(f"{self._tier}, {self._persona or 'nobody'}, {where}. /help for more."))
        stopped = False
        while True:
            try:
                text = input(f"{bold('you')} " if sys.stdin.isatty() else "").strip()
                if text in ("/quit", "/exit"):
                    return
                self._turn(text)
                stopped = False
            except EOFError:
                return
            except KeyboardInterrupt:
                if stopped:
                    raise typer.Exit(INTERRUPTED) from None
                stopped = True
                _line(dim("\nstopped; Ctrl-C again ends"))

    def _turn(self, text: str) -> None:
        word, _, rest = text.partition(" ")
        if word in self._commands:
            self._commands[word](rest.strip())
        elif word.startswith("/"):
            _line(f"{red('?')} {clean(word)}\n{_HELP}")
        elif text:
            self._say(text)

    def _say(self, text: str) -> None:
        self._said = [*self._said, {"role": "user", "content": text}][-_REMEMBERED:]
        try:
            heard = self._runner.run(self._reply())
        except (TiercelError, Unreachable) as error:
            # The question stays unanswered, and out of the conversation.
            self._said.pop()
            _line(f"\n{red('error')} {clean(str(error))}")
            return
        except KeyboardInterrupt:
            self._said.pop()
            raise
        self._last = heard
        self._said.append({"role": "assistant", "content": heard.text})
        _line(f"\n{in_one_line(heard)}")

    async def _reply(self) -> Heard:
        wishes: dict[str, str] = {"session": self._session}
        if self._persona:
            wishes["persona"] = self._persona
        request = Request(model=self._tier, messages=tuple(self._said), stream=True, tiercel=wishes)
        sys.stdout.write(f"{bold(self._persona or 'it')} ")
        return await self._caller.chat(msgspec.json.encode(request), Deadline.after(PATIENCE_S, SystemClock()), _write)

    def _set_persona(self, name: str) -> None:
        self._persona = clean(name)
        # Another character has not heard what the last one was told.
        self._said, self._session = [], uuid.uuid4().hex
        _line(dim(f"now talking to {self._persona or 'nobody'}"))

    def _set_tier(self, name: str) -> None:
        if name:
            self._tier = clean(name)
        _line(dim(f"asking {self._tier}"))

    def _why(self, _: str) -> None:
        if self._last is None:
            _line(dim("nothing was answered yet"))
            return
        story = self._last.story
        for one in story.attempts:
            _line(clean(f"{one.rung:<16} {one.outcome:<14} {one.ms:8.1f} ms  {one.reason}").rstrip())
        _line(dim(clean(f"request {story.request_id}, answered by {story.rung} ({story.kind or 'nobody'})")))


def _write(text: str) -> None:
    sys.stdout.write(clean(text))
    sys.stdout.flush()


def _line(text: str) -> None:
    _write_raw(f"{text}\n")


def _write_raw(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
