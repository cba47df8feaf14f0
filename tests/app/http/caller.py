"""A client that writes bytes by hand, and takes apart what it hears as strictly as a client may."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

HOST = "localhost"
CHAT = "/v1/chat/completions"
EMBEDDINGS = "/v1/embeddings"


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
