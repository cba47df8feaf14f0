"""Callers who leave: before the first word, in the middle, or after never having read what they asked for."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import sys
import termios
import time
from typing import Final, Literal, cast

import msgspec

__all__ = ["Manner", "Visit", "visit"]

Manner = Literal["before the first word", "in the middle", "never reading", "never reading nor leaving"]
_SMALL: Final = 4096
_LOOK_S: Final = 0.05
_ESTABLISHED: Final = 1
_PATIENCE_S: Final = 15.0


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """One stream that nobody waited for; ``cut_s`` is how long a caller who stays without reading was let stay."""

    got_bytes: int
    left_s: float
    cut_s: float = 0.0


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


async def visit(request: bytes, port: int, manner: Manner, stay_s: float, *, abruptly: bool) -> Visit:
    """Ask for a stream and leave in this manner, after this time or, in the middle, this long after the first word."""
    if manner.startswith("never"):
        return await _ignore(request, port, None if manner == "never reading nor leaving" else stay_s)
    loop = asyncio.get_running_loop()
    made, caller = await loop.create_connection(_Caller, "127.0.0.1", port)
    # uvloop's transports keep the interface without the class.
    transport = cast("asyncio.Transport", made)
    transport.write(request)
    if manner == "in the middle":
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


async def _ignore(request: bytes, port: int, stay_s: float | None) -> Visit:
    """Ask, never read, and leave after this time, or not before the server has had enough."""
    with socket.socket() as wire:
        wire.setblocking(False)  # noqa: FBT003 - its only argument
        # What nobody reads shall pile up at the server soon, and not here.
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(wire, ("127.0.0.1", port))
        await loop.sock_sendall(wire, request)
        asked_s = time.perf_counter()
        if stay_s is not None:
            await asyncio.sleep(stay_s)
        while stay_s is None and _established(wire) and time.perf_counter() - asked_s < _PATIENCE_S:
            await asyncio.sleep(_LOOK_S)
        stayed_s = time.perf_counter() - asked_s
        waiting = int.from_bytes(fcntl.ioctl(wire, termios.FIONREAD, bytes(4)), sys.byteorder)
    return Visit(got_bytes=waiting, left_s=time.perf_counter(), cut_s=0.0 if stay_s is not None else stayed_s)


def _established(wire: socket.socket) -> bool:
    """Look whether the other side still holds the connection, without reading."""
    return wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _ESTABLISHED
