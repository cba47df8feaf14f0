"""A door over a scripted flow, in virtual time, and a client that writes bytes by hand: what the tests stand on."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from app.http.caller import Caller
from tiercel.app.http.asgi import App
from tiercel.app.http.door import make_door
from tiercel.app.http.limits import LIMITS, Limits
from tiercel.app.http.parts import ModelCard, Parts
from tiercel.app.http.routes import build_app
from tiercel.engines.port import Tap
from tiercel.flow import Served, Stage
from tiercel.route.decision import Decision
from tiercel.sim import virtual
from tiercel.sim.network import Link, Listener
from tiercel.telemetry.prometheus import Exposition
from tiercel.terms.ask import Ask
from tiercel.terms.clock import Clock, SystemClock
from tiercel.terms.errors import Unknown
from tiercel.terms.reply import Report, Tried

REPORT = Report(
    tier="silver",
    rung="fast",
    kind="model",
    degraded=False,
    ms=12.5,
    cost=0.000012,
    attempts=(Tried(rung="fast", outcome="ok", ms=12.4),),
    request_id="asked",
)

Turn = Callable[[Ask, Stage], Awaitable[Served]]


class ScriptedFlow:
    """A flow that does what its script says for each model, and remembers what it was asked."""

    def __init__(self, script: Mapping[str, Turn]) -> None:
        self.script = dict(script)
        self.asks: list[Ask] = []
        self.cancelled: list[str] = []
        self.running = 0
        self._news = asyncio.Event()

    async def serve(self, ask: Ask, stage: Stage) -> Served:
        self.asks.append(ask)
        self.running += 1
        self._tell()
        try:
            if ask.model not in self.script:
                raise Unknown("no such model", param="model", code="model_not_found")
            return await self.script[ask.model](ask, stage)
        except asyncio.CancelledError:
            self.cancelled.append(ask.model)
            raise
        finally:
            self.running -= 1
            self._tell()

    def explain(self, ask: Ask) -> Decision:
        if ask.model not in self.script:
            raise Unknown("no such model", param="model", code="model_not_found")
        return Decision(tier="silver", first_s=0.25, total_s=2.0, rungs=(), reason=f"asked for {ask.model}")

    async def until(self, met: Callable[[], bool]) -> None:
        """Wait until something has become true of what this flow was asked."""
        while not met():
            self._news.clear()
            await self._news.wait()

    def _tell(self) -> None:
        self._news.set()


def answer(text: str) -> bytes:
    """Return the body of a chat completion."""
    message = {"role": "assistant", "content": text}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    return msgspec.json.encode({"id": "c1", "object": "chat.completion", "choices": choices})


def chunk(text: str, finish: str | None = None) -> bytes:
    """Return one chunk of a stream."""
    choices = [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]
    return msgspec.json.encode({"id": "c1", "object": "chat.completion.chunk", "choices": choices})


def says(text: str, *, after: asyncio.Event | None = None, seconds: float = 0.0) -> Turn:
    """Answer in one piece, or as a stream of words when that is asked for."""

    async def turn(ask: Ask, stage: Stage) -> Served:
        if after is not None:
            await after.wait()
        if seconds:
            await asyncio.sleep(seconds)
        if not ask.stream:
            return Served(report=REPORT, body=answer(text))
        stage.begin(REPORT)
        for word in text.split():
            stage.event(chunk(word))
        return Served(report=REPORT, tail=(chunk("", "stop"),))

    return turn


def fails(error: BaseException, *, words: Sequence[str] = ()) -> Turn:
    """Fail, after so many words of a stream."""

    async def turn(_ask: Ask, stage: Stage) -> Served:
        if words:
            stage.begin(REPORT)
        for word in words:
            stage.event(chunk(word))
        raise error

    return turn


def hangs(*, words: Sequence[str] = ()) -> Turn:
    """Say nothing more, ever, after so many words of a stream."""

    async def turn(_ask: Ask, stage: Stage) -> Served:
        if words:
            stage.begin(REPORT)
        for word in words:
            stage.event(chunk(word))
        await asyncio.Event().wait()
        raise AssertionError("nothing ends an endless wait")

    return turn


class Flood(Tap):
    """An engine that sends as long as it may: every piece at once until it is held."""

    def __init__(self, pieces: int, size: int) -> None:
        self.left = pieces
        self.size = size
        self.held = False
        self.holds = 0
        self._free = asyncio.Event()

    def pause_reading(self) -> None:
        self.held = True
        self.holds += 1
        self._free.clear()

    def resume_reading(self) -> None:
        self.held = False
        self._free.set()

    async def turn(self, _ask: Ask, stage: Stage) -> Served:
        stage.bind(self)
        stage.begin(REPORT)
        while self.left:
            if self.held:
                await self._free.wait()
            self.left -= 1
            stage.event(chunk("x" * self.size))
        return Served(report=REPORT, tail=(chunk("", "stop"),))


def parts_of(flow: ScriptedFlow, *, clock: Clock | None = None, limits: Limits = LIMITS, **others: Any) -> Parts:
    """Return what a door needs, with nothing left to chance."""
    counter = itertools.count(1)
    given: dict[str, Any] = {
        "ids": lambda: f"r-{next(counter)}",
        "models": lambda: (ModelCard(id="auto"), ModelCard(id="silver"), ModelCard(id="org/fast")),
        "engines": lambda: (ModelCard(id="fast"),),
        "metrics": lambda _accept: Exposition(b"tiercel_up 1\n", "text/plain; version=0.0.4"),
        "ready": lambda: "",
        "wall_s": lambda: 0.0,
        **others,
    }
    return Parts(flow=flow, clock=clock or SystemClock(), limits=limits, **given)


class ServerState:
    """What uvicorn's server shares with its connections."""

    def __init__(self) -> None:
        self.total_requests = 0
        self.connections: set[Any] = set()
        self.tasks: set[asyncio.Task[Any]] = set()


class Config:
    """The little that the door reads of uvicorn's configuration."""

    loaded = True

    def __init__(self, app: App) -> None:
        self.loaded_app = app

    def load(self) -> None:
        """Be loaded already."""


class Gate:
    """A door in a simulated world."""

    def __init__(self, parts: Parts, *, hot: bool = True, app: App | None = None, link: Link | None = None) -> None:
        world = virtual.here()
        self.world = world
        self.parts = parts
        self.state = ServerState()
        door = make_door(parts, hot=hot)
        config = Config(app or build_app(parts))

        def made() -> asyncio.Protocol:
            return door(config=config, server_state=self.state, app_state={}, _loop=world.loop)  # type: ignore[call-arg]

        self.listener: Listener = world.network.listen("gate", 80, made, link=link)

    @asynccontextmanager
    async def caller(self) -> AsyncIterator[Caller]:
        """Connect a client, and take it away at the end."""
        _, caller = await self.world.network.connect(Caller, "gate", 80)
        try:
            yield caller
        finally:
            caller.leave()


def gate_of(
    script: Mapping[str, Turn], *, limits: Limits = LIMITS, hot: bool = True, **others: Any
) -> tuple[Gate, ScriptedFlow]:
    """Return a door in virtual time over a flow with this script."""
    flow = ScriptedFlow(script)
    link = others.pop("link", None)
    app = others.pop("app", None)
    return Gate(parts_of(flow, clock=virtual.here().clock, limits=limits, **others), hot=hot, app=app, link=link), flow
