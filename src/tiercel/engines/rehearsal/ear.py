"""Requests out of bytes: parses HTTP, bounds what it keeps, and hands each request on as soon as it is whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import httptools
import msgspec

from tiercel.engines.rehearsal.heard import Heard, Problem

MOST_HEAD_BYTES: Final = 1 << 18
MOST_BODY_BYTES: Final = 1 << 24


class Ear:
    """Feed it bytes; it calls ``on_head`` with a request still without its body, then ``on_heard`` with all of it."""

    def __init__(self, on_head: Callable[[Heard], None], on_heard: Callable[[Heard, bool], None]) -> None:
        self._on_head = on_head
        self._on_heard = on_heard
        self._parser = httptools.HttpRequestParser(self)
        self._target = bytearray()
        self._headers: dict[str, str] = {}
        self._head_bytes = 0
        self._body: list[bytes] = []
        self._body_bytes = 0

    def feed(self, data: bytes) -> bool:
        """Take bytes; False: they are no HTTP this engine speaks, and no more may follow."""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            return False
        return self._head_bytes <= MOST_HEAD_BYTES

    def on_message_begin(self) -> None:
        """Forget the request before."""
        self._target.clear()
        self._headers = {}
        self._head_bytes = 0
        self._body = []
        self._body_bytes = 0

    def on_url(self, data: bytes) -> None:
        """Take a piece of the target."""
        self._head_bytes += len(data)
        if self._head_bytes <= MOST_HEAD_BYTES:
            self._target += data

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header field."""
        self._head_bytes += len(name) + len(value)
        if self._head_bytes <= MOST_HEAD_BYTES:
            self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Hand the head on, for the parts that do not wait for a body."""
        self._on_head(self._read(b""))

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body, up to the limit."""
        self._body_bytes += len(data)
        if self._body_bytes <= MOST_BODY_BYTES:
            self._body.append(data)

    def on_message_complete(self) -> None:
        """Hand the whole request on, and whether the connection may stay."""
        if self._body_bytes > MOST_BODY_BYTES:
            heard = beset(self._read(b""), "too_large")
        else:
            heard = self._read(b"".join(self._body))
        self._body = []
        self._on_heard(heard, self._parser.should_keep_alive())

    def _read(self, body: bytes) -> Heard:
        method = self._parser.get_method().decode("ascii")
        return Heard.of(method, self._target.decode("latin-1"), self._headers, body)


def beset(heard: Heard, problem: Problem, detail: str = "") -> Heard:
    """Give a request a problem that its bytes alone do not show."""
    asked = msgspec.structs.replace(heard.asked, problem=problem, detail=detail)
    return msgspec.structs.replace(heard, asked=asked)
