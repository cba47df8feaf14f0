"""The application needs no door of ours: on another ASGI server it keeps the same rules and says the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import uvicorn

from app.http.caller import CHAT, chat, read_replies
from app.http.small_door import Flood, ScriptedFlow, Turn, fails, gate_of, hangs, parts_of, says
from tiercel.app.http.asgi import Message, Receive, Send
from tiercel.app.http.ends import Ends
from tiercel.app.http.limits import Limits
from tiercel.app.http.routes import build_app
from tiercel.sim import virtual
from tiercel.terms.errors import Exhausted

BODY = chat("a").partition(b"\r\n\r\n")[2]
STREAM = chat("a", stream=True).partition(b"\r\n\r\n")[2]


class Server:
    """The server's side of one ASGI call."""

    def __init__(self, *pieces: bytes, leaves: bool = False) -> None:
        self.pieces = list(pieces)
        self.leaves = leaves
        self.sent: list[Message] = []
        self.slow = asyncio.Event()
        self.slow.set()
        self.gone = asyncio.Event()

    async def receive(self) -> Message:
        if self.pieces:
            more = len(self.pieces) > 1 or self.leaves
            return {"type": "http.request", "body": self.pieces.pop(0), "more_body": more}
        if not self.leaves:
            await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        await self.slow.wait()
        self.sent.append(message)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.sent[1:])


def scope(*headers: tuple[bytes, bytes], method: str = "POST", version: str = "1.1", path: str = CHAT) -> Message:
    return {
        "type": "http",
        "http_version": version,
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": list(headers) or [(b"host", b"localhost")],
    }


def call(server: Callable[[], Server], turn: Turn, asked: Message, **others: Any) -> tuple[Server, ScriptedFlow]:
    async def story() -> tuple[Server, ScriptedFlow]:
        flow, one = ScriptedFlow({"a": turn}), server()
        await build_app(parts_of(flow, clock=virtual.here().clock, **others))(asked, one.receive, one.send)
        return one, flow

    return virtual.run(story())


def test_a_body_in_pieces_is_put_together() -> None:
    server, flow = call(lambda: Server(BODY[:5], BODY[5:9], BODY[9:]), says("x"), scope())
    assert server.status == 200
    assert flow.asks[0].size_bytes == len(BODY)


def test_a_client_that_leaves_in_the_middle_of_its_body_is_not_answered() -> None:
    server, flow = call(lambda: Server(BODY[:5], leaves=True), says("x"), scope())
    assert (server.sent, flow.asks) == ([], [])
    server, flow = call(lambda: Server(b"{", leaves=True), says("x"), scope(path="/v1/route/explain"))
    assert b"".join(message.get("body", b"") for message in server.sent) == b""


def test_a_client_that_leaves_cancels_its_request() -> None:
    async def story() -> None:
        flow, server = ScriptedFlow({"a": hangs(words=["so"])}), Server(STREAM)
        call = asyncio.ensure_future(build_app(parts_of(flow))(scope(), server.receive, server.send))
        await flow.until(lambda: flow.running == 1)
        server.gone.set()
        await call
        assert flow.cancelled == ["a"]

    virtual.run(story())


@pytest.mark.parametrize(
    ("asked", "pieces", "status"),
    [
        (scope((b"host", b"a,b")), [BODY], 400),
        (scope((b"host", b"evil.example")), [BODY], 421),
        (scope((b"accept", b"*/*")), [BODY], 400),
        (scope((b"accept", b"*/*"), version="1.0"), [BODY], 200),
        (scope((b"host", b"localhost"), (b"origin", b"http://evil.example")), [BODY], 403),
        (scope((b"host", b"localhost"), (b"content-encoding", b"gzip")), [BODY], 415),
        (scope(), [b"x" * 600, b"x" * 600], 413),
    ],
)
def test_the_rules_of_the_door_hold_here_too(asked: Message, pieces: list[bytes], status: int) -> None:
    server, _ = call(lambda: Server(*pieces), says("x"), asked, limits=Limits(body_bytes=1_000))
    assert server.status == status
    assert b"x-request-id" in dict(server.sent[0]["headers"])


def test_a_server_that_takes_no_more_holds_the_engine() -> None:
    async def story() -> None:
        flood = Flood(1_000, 1_000)
        flow, server = ScriptedFlow({"a": flood.turn}), Server(STREAM)
        server.slow.clear()
        call = asyncio.ensure_future(build_app(parts_of(flow))(scope(), server.receive, server.send))
        await flow.until(lambda: flow.running == 1)
        await asyncio.sleep(10.0)
        assert flood.held
        assert 1_000 - flood.left < 70
        server.slow.set()
        await call
        assert server.body.endswith(b"data: [DONE]\n\n")
        assert server.body.count(b"data: ") == 1_002

    virtual.run(story())


def test_an_engine_that_takes_over_from_a_held_one_is_held() -> None:
    async def story() -> None:
        second = Flood(1, 1)

        async def turn(ask: Any, stage: Any) -> Any:
            first = asyncio.ensure_future(Flood(1_000, 1_000).turn(ask, stage))
            await asyncio.sleep(1.0)
            first.cancel()
            stage.bind(second)
            held_at_once = second.held
            await asyncio.sleep(1.0)
            assert held_at_once
            raise Exhausted("cut")

        flow, server = ScriptedFlow({"a": turn}), Server(STREAM)
        server.slow.clear()
        call = asyncio.ensure_future(build_app(parts_of(flow))(scope(), server.receive, server.send))
        await asyncio.sleep(1.5)
        server.slow.set()
        await call
        assert not second.held
        assert b'"code":"exhausted"' in server.body

    virtual.run(story())


def test_other_kinds_of_calls_pass_to_the_application() -> None:
    async def story() -> None:
        events = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
        sent: list[str] = []

        async def receive() -> Message:
            return events.pop(0)

        async def send(message: Message) -> None:
            sent.append(message["type"])

        await build_app(parts_of(ScriptedFlow({})))({"type": "lifespan", "state": {}}, receive, send)
        assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]

    virtual.run(story())


def test_it_runs_inside_uvicorns_own_protocol() -> None:
    async def story() -> None:
        flow = ScriptedFlow({"a": says("one two"), "bad": fails(Exhausted("none"))})
        config = uvicorn.Config(build_app(parts_of(flow)), http="httptools", lifespan="off", log_config=None)
        config.load()
        server = uvicorn.Server(config)
        loop = asyncio.get_running_loop()

        protocol: Any = config.http_protocol_class

        def made() -> asyncio.Protocol:
            made_one: asyncio.Protocol = protocol(
                config=config, server_state=server.server_state, app_state={}, _loop=loop
            )
            return made_one

        listening = await loop.create_server(made, "127.0.0.1", 0)
        async with listening:
            port = listening.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(chat("a") + chat("a", stream=True) + chat("bad", lines=["connection: close"]))
            whole, stream, bad = read_replies(await reader.read())
            assert whole.json()["choices"][0]["message"]["content"] == "one two"
            assert stream.events[-1] == b"[DONE]"
            assert (bad.status, bad.code) == (503, "exhausted")
            writer.close()

    asyncio.run(story())


class _Named(asyncio.BaseTransport):
    """A transport that only knows its names."""


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        (("192.0.2.7", 5), "192.0.2.7"),
        (("2001:db8:1:2:3:4:5:6", 5, 0, 0), "2001:db8:1:2::/64"),
        (("fe80::1%eth0", 5, 0, 2), "fe80::/64"),
        (("::ffff:192.0.2.7", 5, 0, 0), "192.0.2.7"),
        ("/run/tiercel.sock", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_an_address_is_counted_by_what_one_caller_holds(peer: object, address: str) -> None:
    assert Ends(_Named({"peername": peer, "sockname": ("127.0.0.1", 80)})).address == address


def test_an_application_is_slowed_by_a_client_that_does_not_read() -> None:
    async def endless(_scope: Message, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "http.request"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(1_000):
            await send({"type": "http.response.body", "body": b"x" * 1_000, "more_body": True})
        await send({"type": "http.response.body"})
        assert (await receive())["type"] == "http.disconnect"

    async def story() -> None:
        gate, _ = gate_of({}, hot=False, app=endless)
        async with gate.caller() as caller:
            caller.transport.pause_reading()
            caller.send(chat("a"))
            await asyncio.sleep(5.0)
            assert virtual.here().network.meter.sent_bytes < 500_000
            caller.transport.resume_reading()
            assert len((await caller.reply()).body) == 1_000_000

    virtual.run(story())


def test_an_application_hears_of_a_client_that_leaves() -> None:
    heard: list[str] = []

    async def waiting(_scope: Message, receive: Receive, _send: Send) -> None:
        await receive()
        try:
            await receive()
        except asyncio.CancelledError:
            heard.append((await receive())["type"])
            raise

    async def story() -> None:
        gate, _ = gate_of({}, hot=False, app=waiting)
        async with gate.caller() as caller:
            caller.send(chat("a"))
            await asyncio.sleep(1.0)
        await asyncio.sleep(1.0)
        assert heard == ["http.disconnect"]

    virtual.run(story())
