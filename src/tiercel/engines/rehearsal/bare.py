"""A bare socket to an engine: shows which bytes arrive, how the connection ends, and what a strict parser reads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, Literal

import httptools
import msgspec

from tiercel.engines.rehearsal.fit import Json

_PIECE: Final = 1 << 16
_MOST_BYTES: Final = 1 << 26


class Arrived(msgspec.Struct, frozen=True, kw_only=True):
    """What came, and what came last: FIN, RST, or the reader's own decision that it is enough."""

    data: bytes
    end: Literal["fin", "reset", "enough"]


def request_bytes(path: str, body: Mapping[str, Json] | None = None, *, lines: tuple[str, ...] = ()) -> bytes:
    """Write one request: a POST of this body, or a GET when there is none."""
    payload = b"" if body is None else msgspec.json.encode(body)
    method = "GET" if body is None else "POST"
    sized = () if body is None else ("content-type: application/json", f"content-length: {len(payload)}")
    head = "\r\n".join((f"{method} {path} HTTP/1.1", "host: engine", *sized, *lines, "", ""))
    return head.encode() + payload


def chat_bytes(model: str, *, stream: bool = False, path: str = "/v1/chat/completions") -> bytes:
    """Write the plainest chat request for this model, which may name a part."""
    return request_bytes(path, {"model": model, "messages": [{"role": "user", "content": "hello"}], "stream": stream})


async def arrived(host: str, port: int, request: bytes, enough: Callable[[bytes], bool] | None = None) -> Arrived:
    """Send a request and read until the other side ends it or enough has come; the caller bounds the wait."""
    reader, writer = await asyncio.open_connection(host, port)
    data = bytearray()
    try:
        writer.write(request)
        while len(data) < _MOST_BYTES and not (enough is not None and enough(bytes(data))):
            piece = await reader.read(_PIECE)
            if not piece:
                return Arrived(data=bytes(data), end="fin")
            data += piece
    except ConnectionResetError:
        return Arrived(data=bytes(data), end="reset")
    finally:
        writer.transport.abort()
    return Arrived(data=bytes(data), end="enough")


class Parsed:
    """What a strict parser makes of bytes that should be HTTP responses; raises its error where they are none."""

    def __init__(self, data: bytes) -> None:
        self.statuses: list[int] = []
        """Of every response, the informational ones too."""
        self.headers: dict[str, str] = {}
        self.body = b""
        self.complete = 0
        """How many responses came to their end."""
        self._parser = httptools.HttpResponseParser(self)
        self._parser.feed_data(data)

    @property
    def events(self) -> list[bytes]:
        """The data of every event of a stream."""
        return [line[5:].strip() for line in self.body.split(b"\n") if line.startswith(b"data:")]

    def on_headers_complete(self) -> None:
        """Take the status."""
        self.statuses.append(self._parser.get_status_code())

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header field, or a trailer's."""
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body."""
        self.body += data

    def on_message_complete(self) -> None:
        """Count a response that is whole."""
        self.complete += 1
