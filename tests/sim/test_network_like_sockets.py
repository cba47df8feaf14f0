"""A protocol meets the same events, in the same order, on a simulated connection as on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from tiercel.sim import virtual
from tiercel.sim.network import Listener

BLOCK = b"x" * 65_536


class Side(asyncio.Protocol):
    """One end, which keeps a list of what it met and lets a story wait for it."""

    def __init__(self, *, keeps_open: bool = False) -> None:
        self.keeps_open = keeps_open
        self.events: list[str] = []
        self.received = 0
        self._changed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._note("made")

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        if self.events[-1] != "data":
            self._note("data")
        self._changed.set()

    def eof_received(self) -> bool:
        self._note("eof")
        return self.keeps_open

    def pause_writing(self) -> None:
        self._note("pause")

    def resume_writing(self) -> None:
        self._note("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        # Whether a broken connection shows as a reset or a broken pipe is a matter of who noticed first.
        self._note("lost" if exc is None else "broken" if isinstance(exc, ConnectionError) else repr(exc))

    def _note(self, event: str) -> None:
        self.events.append(event)
        self._changed.set()

    async def met(self, event: str) -> None:
        await self._until(lambda: event in self.events)

    async def got(self, size: int) -> None:
        await self._until(lambda: self.received >= size)

    async def leave(self) -> None:
        if not self._over():
            self.transport.abort()
            await self._until(self._over)

    def _over(self) -> bool:
        return self.events[-1] in {"lost", "broken"}

    async def _until(self, true: Callable[[], bool]) -> None:
        while not true():
            self._changed.clear()
            await self._changed.wait()


Story = Callable[[Side, Side], Awaitable[None]]


async def _client_asks_and_leaves(client: Side, server: Side) -> None:
    client.transport.write(b"question")
    await server.got(8)
    server.transport.write(b"answer")
    await client.got(6)
    client.transport.close()
    await server.met("lost")


async def _server_answers_and_closes(client: Side, server: Side) -> None:
    client.transport.write(b"question")
    await server.got(8)
    server.transport.writelines([b"an", b"swer"])
    server.transport.close()
    await client.met("lost")
    assert client.received == 6


async def _half_close(client: Side, server: Side) -> None:
    server.keeps_open = True
    client.transport.write(b"question")
    client.transport.write_eof()
    await server.met("eof")
    server.transport.write(b"answer")
    server.transport.write_eof()
    await client.met("lost")
    assert client.received == 6
    server.transport.close()
    await server.met("lost")


async def _abort(client: Side, server: Side) -> None:
    client.transport.write(b"half")
    await server.got(4)
    client.transport.abort()
    await server.met("lost")
    await client.met("lost")


async def _closing_sends_the_rest(client: Side, server: Side) -> None:
    server.transport.pause_reading()
    for _ in range(400):
        client.transport.write(BLOCK)
    assert client.transport.get_write_buffer_size() > 0
    client.transport.close()
    server.transport.resume_reading()
    await server.met("lost")
    assert server.received == 400 * len(BLOCK)
    client.events.remove("pause")


async def _slow_reader(client: Side, server: Side) -> None:
    server.transport.pause_reading()
    for _ in range(400):
        client.transport.write(BLOCK)
    await client.met("pause")
    server.transport.resume_reading()
    await client.met("resume")
    await server.got(400 * len(BLOCK))
    client.transport.close()
    await server.met("lost")


async def _close_on_unread_bytes(client: Side, server: Side) -> None:
    server.transport.pause_reading()
    client.transport.write(b"never read")
    await asyncio.sleep(0)
    server.transport.close()
    await client.met("broken")


async def _write_to_one_who_left(client: Side, server: Side) -> None:
    server.keeps_open = True
    client.transport.close()
    await server.met("eof")
    while "broken" not in server.events:
        server.transport.write(b"anybody?")
        await asyncio.sleep(0)


async def _close_twice_and_write(client: Side, server: Side) -> None:
    client.transport.close()
    client.transport.close()
    client.transport.write(b"unheard")
    assert client.transport.is_closing()
    await client.met("lost")
    await server.met("lost")
    client.transport.abort()
    assert server.received == 0


async def _speak_after_the_end(client: Side, server: Side) -> None:
    client.transport.write_eof()
    with pytest.raises(RuntimeError, match="write_eof"):
        client.transport.write(b"more")
    await server.met("lost")
    await client.met("lost")


async def _play(story: Story) -> tuple[list[str], list[str]]:
    loop = asyncio.get_running_loop()
    server = Side()
    listener = await loop.create_server(lambda: server, "127.0.0.1", 0)
    port = listener.port if isinstance(listener, Listener) else listener.sockets[0].getsockname()[1]
    try:
        _, client = await loop.create_connection(Side, "127.0.0.1", port)
        await server.met("made")
        await story(client, server)
        await client.leave()
        await server.leave()
    finally:
        listener.close()
    return client.events, server.events


@pytest.mark.parametrize(
    "story",
    [
        _client_asks_and_leaves,
        _server_answers_and_closes,
        _half_close,
        _abort,
        _closing_sends_the_rest,
        _slow_reader,
        _close_on_unread_bytes,
        _write_to_one_who_left,
        _close_twice_and_write,
        _speak_after_the_end,
    ],
    ids=lambda story: story.__name__.strip("_"),
)
def test_a_story_goes_the_same_way_on_sockets_and_in_simulation(story: Story) -> None:
    real = asyncio.run(_within_seconds(_play(story)))
    assert virtual.run(_play(story)) == real


async def _within_seconds(play: Coroutine[Any, Any, tuple[list[str], list[str]]]) -> tuple[list[str], list[str]]:
    async with asyncio.timeout(5.0):
        return await play
