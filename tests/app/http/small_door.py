"""A door over a scripted flow, in virtual time, and a client that writes bytes by hand: what the tests stand on."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

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
HOST = "localhost"
CHAT = "/v1/chat/completions"
EMBEDDINGS = "/v1/embeddings"

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


class Reply(msgspec.Struct, kw_only=True):
    """One reply as it stood on the wire."""

    status: int
    headers: dict[str, str]
    body: bytes
    raw: bytes

    def json(self) -> Any:
        """Return the decoded body."""
        return msgspec.json.decode(self.body)

    @property
    def code(self) -> str:
        """The code of an error."""
        return str(self.json()["error"]["code"])

    @property
    def events(self) -> list[bytes]:
        """The payloads of an event stream."""
        return [event.removeprefix(b"data: ") for event in self.body.split(b"\n\n") if event]


def read_replies(data: bytes, *, heads: bool = False, closed: bool = False) -> list[Reply]:
    """Take bytes apart into the whole replies they hold; raises when something else stands between them."""
    found = []
    at = 0
    while (end := data.find(b"\r\n\r\n", at)) >= 0:
        lines = data[at:end].split(b"\r\n")
        assert lines[0].startswith(b"HTTP/1.1 "), f"no reply begins here: {lines[0]!r}"
        status = int(lines[0][9:12])
        headers = {}
        for line in lines[1:]:
            name, colon, value = line.decode("latin-1").partition(": ")
            assert colon, f"no header: {line!r}"
            assert name not in headers, f"{name} comes twice"
            headers[name] = value
        size, body = _body(data[end + 4 :], status, headers, heads=heads, closed=closed)
        if size is None:
            break
        found.append(Reply(status=status, headers=headers, body=body, raw=data[at : end + 4 + size]))
        at = end + 4 + size
    return found


def _body(
    data: bytes, status: int, headers: Mapping[str, str], *, heads: bool, closed: bool
) -> tuple[int | None, bytes]:
    if heads or status in (100, 204, 304):
        return 0, b""
    if "content-length" in headers:
        size = int(headers["content-length"])
        return (size, data[:size]) if len(data) >= size else (None, b"")
    if headers.get("transfer-encoding") == "chunked":
        return _chunks(data)
    return (len(data), data) if closed else (None, b"")


def _chunks(data: bytes) -> tuple[int | None, bytes]:
    body = b""
    at = 0
    while (end := data.find(b"\r\n", at)) >= 0:
        size = int(data[at:end], 16)
        begin = end + 2
        if len(data) < begin + size + 2:
            break
        assert data[begin + size : begin + size + 2] == b"\r\n", "a chunk ends where it said"
        body += data[begin : begin + size]
        at = begin + size + 2
        if size == 0:
            return at, body
    return None, b""


class Caller(asyncio.Protocol):
    """A client that writes what it is told and keeps what it hears."""

    def __init__(self) -> None:
        self.heard = bytearray()
        self.closed = False
        # Reads of the socket, which is writes of the door when they come one by one.
        self.reads: list[bytes] = []
        # Goes on sending when the door has said its last word.
        self.stubborn = False
        self._news = asyncio.Event()
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.heard += data
        self.reads.append(data)
        self._news.set()

    def eof_received(self) -> bool:
        return self.stubborn

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._news.set()

    def send(self, *data: bytes) -> None:
        """Write."""
        for piece in data:
            self.transport.write(piece)

    def leave(self) -> None:
        """Be gone at once."""
        self.transport.abort()

    async def until(self, met: Callable[[], bool]) -> None:
        """Wait until something has become true of what was heard."""
        while not met():
            self._news.clear()
            await self._news.wait()

    async def until_closed(self) -> None:
        """Wait for the door to end the connection."""
        await self.until(lambda: self.closed)

    async def replies(self, count: int, *, heads: bool = False) -> list[Reply]:
        """Wait for so many whole replies, and return all there are."""

        def now() -> list[Reply]:
            return read_replies(bytes(self.heard), heads=heads, closed=self.closed)

        await self.until(lambda: len(now()) >= count or self.closed)
        return now()

    async def reply(self) -> Reply:
        """Wait for the one reply."""
        (one,) = await self.replies(1)
        return one

    async def ask(self, *data: bytes) -> Reply:
        """Write, and wait for the next reply."""
        count = len(read_replies(bytes(self.heard), closed=self.closed))
        self.send(*data)
        return (await self.replies(count + 1))[count]


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


def request(
    target: str = CHAT, body: bytes = b"", *, method: str = "POST", lines: Sequence[str] = (), version: str = "1.1"
) -> bytes:
    """Write a request by hand."""
    head = [f"{method} {target} HTTP/{version}"]
    if not any(line.lower().startswith("host:") for line in lines):
        head.append(f"host: {HOST}")
    if body and not any(line.lower().startswith(("content-length:", "transfer-encoding:")) for line in lines):
        head.append(f"content-length: {len(body)}")
    return "\r\n".join([*head, *lines, "", ""]).encode("latin-1") + body


def chat(model: str = "auto", *, lines: Sequence[str] = (), version: str = "1.1", **fields: object) -> bytes:
    """Write a chat request by hand."""
    body = {"model": model, "messages": [{"role": "user", "content": "hello"}], **fields}
    return request(CHAT, msgspec.json.encode(body), lines=lines, version=version)
