"""Callers who leave: before the first word, in the middle, or after never having read what they asked for."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator
from typing import Final

import msgspec

__all__ = ["Visit", "ignoring", "visit"]

_SMALL: Final = 4096
_PATIENCE_S: Final = 15.0


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """One stream that was left: what had come, and when that was."""

    got_bytes: int
    left_s: float


class _Caller(asyncio.Protocol):
    """A connection whose owner waits for words."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.words: asyncio.Future[None] = loop.create_future()
        self.gone: asyncio.Future[None] = loop.create_future()
        self.got = 0

    def data_received(self, data: bytes) -> None:
        self.got += len(data)
        if not self.words.done():
            self.words.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        for future in (self.words, self.gone):
            if not future.done():
                future.set_result(None)


async def visit(request: bytes, port: int, stay_s: float, *, hears: bool, abruptly: bool) -> Visit:
    """Ask for a stream, hear its first word or not, stay so long, and leave: with a reset, or politely."""
    loop = asyncio.get_running_loop()
    transport, caller = await loop.create_connection(_Caller, "127.0.0.1", port)
    transport.write(request)
    if hears:
        async with asyncio.timeout(_PATIENCE_S):
            await caller.words
    await asyncio.sleep(stay_s)
    left_s = time.perf_counter()
    if abruptly:
        transport.abort()
    else:
        transport.close()
    await caller.gone
    return Visit(got_bytes=caller.got, left_s=left_s)


@contextlib.contextmanager
def ignoring(request: bytes, port: int, count: int) -> Iterator[None]:
    """Have so many callers ask and never read, for as long as the block."""
    with contextlib.ExitStack() as held:
        for _ in range(count):
            wire = held.enter_context(socket.socket())
            # What nobody reads shall pile up at the server soon, and not here.
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL)
            wire.connect(("127.0.0.1", port))
            wire.sendall(request)
        yield
