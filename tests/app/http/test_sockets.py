"""What only real sockets show: no delay on them, TLS, uvicorn's graceful end, and the same under both event loops."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest
import uvloop

from app.http.caller import chat, read_replies, request
from app.http.real_door import exchange, real_door
from app.http.small_door import Flood, ScriptedFlow, hangs, parts_of, says
from tiercel.app.http.door import Door
from tiercel.app.http.limits import Limits

PAPERS = Path(__file__).parents[2] / "contracts" / "papers"
LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
each_loop = pytest.mark.parametrize("loop", LOOPS)


def run(loop: str, story: Coroutine[object, object, None]) -> None:
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(story)


@each_loop
def test_nothing_waits_for_an_acknowledgement_on_an_accepted_socket(loop: str) -> None:
    async def story() -> None:
        async with real_door(parts_of(ScriptedFlow({"a": says("a")}))) as door:
            reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
            writer.write(chat("a"))
            await reader.readuntil(b"\r\n\r\n")
            (connection,) = door.server_state.connections
            assert isinstance(connection, Door)
            sock = connection._transport.get_extra_info("socket")
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
            assert connection._transport.get_write_buffer_limits()[1] == 65_536
            writer.close()

    run(loop, story())


@each_loop
def test_requests_and_streams_are_answered_on_a_kept_connection(loop: str) -> None:
    async def story() -> None:
        async with real_door(parts_of(ScriptedFlow({"a": says("one two")}))) as door:
            heard = await exchange(
                door.port,
                chat("a")
                + chat("a", stream=True)
                + request("/healthz", method="GET")
                + chat("a", stream=True, lines=["connection: close"]),
            )
            replies = read_replies(heard)
            assert [reply.status for reply in replies] == [200] * 4
            assert [len(reply.events) for reply in (replies[1], replies[3])] == [4, 4]

    run(loop, story())


@each_loop
def test_a_client_that_leaves_is_noticed(loop: str) -> None:
    async def story() -> None:
        flow = ScriptedFlow({"a": hangs(words=["so"])})
        async with real_door(parts_of(flow)) as door:
            for stream in (True, False):
                _, writer = await asyncio.open_connection("127.0.0.1", door.port)
                writer.write(chat("a", stream=stream))
                await flow.until(lambda: flow.running == 1)
                writer.transport.abort()
                await flow.until(lambda: flow.running == 0)
            assert flow.cancelled == ["a", "a"]

    run(loop, story())


@each_loop
def test_a_client_that_never_reads_is_bounded_and_then_cut_off(loop: str) -> None:
    async def story() -> None:
        flood = Flood(1_000_000, 4_000)
        flow = ScriptedFlow({"a": flood.turn})
        async with real_door(parts_of(flow, limits=Limits(stalled_s=0.2))) as door:
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            sock.settimeout(0)
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", door.port))
            await asyncio.get_running_loop().sock_sendall(sock, chat("a", stream=True))
            await flow.until(lambda: bool(flow.cancelled))
            assert flood.holds == 1
            # What the kernel takes, and 64 KiB.
            assert (1_000_000 - flood.left) * 4_000 < 16 * 1024 * 1024
            sock.close()

    run(loop, story())


@each_loop
def test_a_graceful_end_waits_for_the_reply_under_way(loop: str) -> None:
    async def story() -> None:
        gate = asyncio.Event()
        flow = ScriptedFlow({"a": says("a", after=gate)})
        async with real_door(parts_of(flow)) as door:
            idle = asyncio.ensure_future(exchange(door.port, b""))
            busy = asyncio.ensure_future(exchange(door.port, chat("a")))
            await flow.until(lambda: flow.running == 1)
            door.should_exit = True
            assert await idle == b""
            gate.set()
            (reply,) = read_replies(await busy)
            assert (reply.status, reply.headers["connection"]) == (200, "close")

    run(loop, story())


@each_loop
def test_the_door_speaks_tls(loop: str) -> None:
    async def story() -> None:
        parts = parts_of(ScriptedFlow({"a": says("one two")}), hosts=frozenset({"localhost"}))
        async with real_door(parts, certificate=PAPERS / "localhost.pem") as door:
            trust = ssl.create_default_context(cafile=str(PAPERS / "authority.pem"))
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", door.port, ssl=trust, server_hostname="localhost"
            )
            writer.write(chat("a", stream=True, lines=["connection: close"]))
            (reply,) = read_replies(await reader.read())
            assert reply.events[-1] == b"[DONE]"
            writer.close()

    run(loop, story())


@each_loop
def test_a_refused_upload_hears_why(loop: str) -> None:
    """The answer must not be lost with the bytes that are still coming."""

    async def story() -> None:
        async with real_door(parts_of(ScriptedFlow({}), limits=Limits(linger_s=5.0))) as door:
            reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
            writer.write(request(lines=["content-length: 50000000"]))
            for _ in range(40):
                writer.write(b"x" * 100_000)
                await writer.drain()
            (reply,) = read_replies(await reader.read())
            assert (reply.status, reply.code) == (413, "too_large")
            writer.close()

    run(loop, story())


def test_a_scrape_is_read_beside_the_loop() -> None:
    async def story() -> None:
        async with real_door(parts_of(ScriptedFlow({}))) as door:
            heard = await exchange(door.port, request("/metrics", method="GET", lines=["connection: close"]))
            (reply,) = read_replies(heard)
            assert reply.body == b"tiercel_up 1\n"
            assert reply.headers["content-type"] == "text/plain; version=0.0.4"

    run("asyncio", story())
