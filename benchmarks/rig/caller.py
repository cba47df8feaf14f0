"""Calls an HTTP server over kept-alive connections and stamps every piece of a reply as it arrives."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Mapping
from typing import Final, cast

import httptools
import msgspec

__all__ = ["Lines", "Reply", "chat_request", "get_request"]

_now_s = time.perf_counter
_CONNECT_S: Final = 5.0


class Reply(msgspec.Struct, kw_only=True, gc=False):
    """One reply; ``status`` 0 means that the connection ended, or our patience did, before there was a whole one."""

    status: int
    headers: dict[bytes, bytes]
    # When each piece of the body came, and the piece.
    pieces: list[tuple[float, bytes]]
    asked_s: float
    ended_s: float
    why: str = ""

    @property
    def body(self) -> bytes:
        """All of the body."""
        return b"".join(piece for _, piece in self.pieces)

    @property
    def first_s(self) -> float:
        """Seconds from the request to the first piece of the body, or to the end."""
        return (self.pieces[0][0] if self.pieces else self.ended_s) - self.asked_s

    @property
    def took_s(self) -> float:
        """Seconds from the request to the end."""
        return self.ended_s - self.asked_s


class _Line(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: asyncio.Future[Reply] | None = None
        self.open = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports keep the interface without the class.
        self.transport = cast("asyncio.Transport", transport)
        wire = transport.get_extra_info("socket")
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def ask(self, request: bytes, patience_s: float) -> Reply:
        """Send a request and wait for the end of its reply."""
        self._parser = httptools.HttpResponseParser(self)
        waiting: asyncio.Future[Reply] = self._loop.create_future()
        self._waiting = waiting
        bell = self._loop.call_later(patience_s, self._give_up, "patience")
        self.reply = Reply(status=0, headers={}, pieces=[], asked_s=_now_s(), ended_s=0.0)
        self.transport.write(request)
        try:
            return await waiting
        finally:
            bell.cancel()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._give_up(f"not HTTP: {error}")

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        self._end("reset" if exc else "closed")

    # What the parser calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        self.reply.headers[name.lower()] = value

    def on_body(self, data: bytes) -> None:
        self.reply.pieces.append((_now_s(), data))

    def on_message_complete(self) -> None:
        self.reply.status = self._parser.get_status_code()
        if not self._parser.should_keep_alive():
            self.open = False
            self.transport.close()
        self._end("")

    def _give_up(self, why: str) -> None:
        self.open = False
        self.transport.abort()
        self._end(why)

    def _end(self, why: str) -> None:
        if self._waiting is not None and not self._waiting.done():
            self.reply.ended_s = _now_s()
            self.reply.why = why
            self._waiting.set_result(self.reply)


class Lines:
    """As many connections to one server as there are requests under way; idle ones are used again."""

    def __init__(self, port: int, *, host: str = "127.0.0.1") -> None:
        self._address = (host, port)
        self._idle: list[_Line] = []
        self._all: set[_Line] = set()

    async def ask(self, request: bytes, *, patience_s: float = 30.0) -> Reply:
        """Send a request over an idle connection, or over a new one; connecting is not part of its time."""
        line = await self._line()
        try:
            return await line.ask(request, patience_s)
        finally:
            if line.open:
                self._idle.append(line)
            else:
                self._all.discard(line)

    def close(self) -> None:
        """Close every connection."""
        for line in self._all:
            line.open = False
            line.transport.abort()
        self._idle.clear()
        self._all.clear()

    async def _line(self) -> _Line:
        while self._idle:
            line = self._idle.pop()
            if line.open:
                return line
            self._all.discard(line)
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(_CONNECT_S):
            _, line = await loop.create_connection(_Line, *self._address)
        self._all.add(line)
        return line


def chat_request(body: bytes, port: int, headers: Mapping[str, str] | None = None) -> bytes:
    """Write a chat request as a client's library does."""
    lines = {
        "host": f"127.0.0.1:{port}",
        "content-type": "application/json",
        "content-length": str(len(body)),
        **(headers or {}),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST /v1/chat/completions HTTP/1.1\r\n{head}\r\n".encode() + body


def get_request(path: str, port: int) -> bytes:
    """Write a request for a page."""
    return f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n".encode()
