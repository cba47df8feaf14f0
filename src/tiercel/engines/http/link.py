"""One kept-alive connection to an engine: writes a request, reads exactly one reply, trusts nothing in between."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol, cast

import httptools

from tiercel.engines.http.port import MAX_BODY_BYTES, MAX_STREAM_BYTES, Feed, Reply
from tiercel.terms.errors import EngineFailed, TiercelError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Keeper", "Link", "Stale"]

MAX_HEAD_BYTES = 64 * 1024
MAX_HEADERS = 100
MAX_INTERIM = 8
READ = (b"content-type", b"content-encoding", b"content-length", b"transfer-encoding", b"retry-after")
# As servers write them, so that a header that we read costs one look-up, and any other one and a comparison of lengths.
NAMES = {spelling: name.decode() for name in READ for spelling in (name, name.title())}
LENGTHS = frozenset(map(len, READ))
NO_HEADERS: Mapping[str, str] = {}


class Stale(Exception):
    """The connection was closed before a single byte of the reply."""


class Keeper(Protocol):
    """Who owns a connection between two exchanges."""

    def release(self, link: Link) -> None:
        """Take it back: the exchange ended well."""
        ...

    def forget(self, link: Link) -> None:
        """Drop it: it is closed."""
        ...


class Link(asyncio.Protocol):
    """The protocol of one connection; at most one exchange at a time."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        # What it took to connect.
        self.round_trip_s = 0.0
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[Reply] | None = None
        self._feed: Feed | None = None
        self._reset()

    def _reset(self) -> None:
        self._received = 0
        self._interim = 0
        self._status = 0
        self._fields = 0
        self._headers: dict[str, str] = {}
        self._parts: list[bytes] = []
        self._body_bytes = 0
        self._streaming = False
        self._complete = False
        self._surplus = False
        self._keep = False

    @property
    def usable(self) -> bool:
        """Whether a request may still be written to it."""
        return self._transport is not None and not self._transport.is_closing()

    async def exchange(self, request: bytes, feed: Feed | None) -> Reply:
        """Send a request and return its reply; being cancelled closes the connection at once."""
        transport = self._transport
        if transport is None or transport.is_closing():
            raise Stale
        self._reset()
        self._feed = feed
        waiter: asyncio.Future[Reply] = self._loop.create_future()
        self._waiter = waiter
        transport.write(request)
        try:
            return await waiter
        except BaseException:
            # Late, left or failed: whatever is still to come on this connection belongs to nobody.
            self.abort()
            raise

    def abort(self) -> None:
        """Close without a word."""
        self._waiter = self._feed = None
        if self._transport is not None:
            self._transport.abort()

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport."""
        # A cast and no check: uvloop's transports do not descend from asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        """Parse what came; bytes that nobody asked for end the connection."""
        if self._waiter is None:
            self.abort()
            return
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(EngineFailed("malformed", f"not an HTTP reply: {error}"))
            return
        except httptools.HttpParserUpgrade:
            self._fail(EngineFailed("malformed", "the engine changed the protocol"))
            return
        if self._streaming and self._parts:
            self._pass_on()
        if self._complete:
            self._settle()
        elif not self._status and self._received > MAX_HEAD_BYTES:
            self._fail(EngineFailed("malformed", "the head of the reply has no end"))

    def _pass_on(self) -> None:
        """Feed what one read brought, in one piece: servers cut an event in two, and the halves arrive together."""
        parts, feed = self._parts, self._feed
        self._parts = []
        if feed is None:
            return
        try:
            feed.feed(parts[0] if len(parts) == 1 else b"".join(parts))
        except TiercelError as failure:
            self._fail(failure)

    def eof_received(self) -> None:
        """Let the transport close; ``connection_lost`` decides what it meant."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits what the end means at this point."""
        self._keeper.forget(self)
        if self._waiter is None or self._waiter.done():
            return
        if not self._received:
            self._waiter.set_exception(Stale())
        elif exc is None and self._ends_by_close():
            self._complete = True
            self._settle()
        else:
            self._fail(EngineFailed("truncated", "the engine closed the connection in the middle of its reply"))

    # -- httptools

    def on_message_begin(self) -> None:
        """Notice a reply behind the reply."""
        if self._complete:
            self._surplus = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep the few headers that an adapter reads."""
        self._fields += 1
        known = NAMES.get(name)
        if known is None and len(name) in LENGTHS:
            known = NAMES.get(name.lower())
        if known is not None:
            self._headers[known] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Decide where the body goes."""
        if self._surplus:
            return
        self._status = self._parser.get_status_code()
        if self._fields > MAX_HEADERS:
            self._fail(EngineFailed("malformed", "the reply has too many headers"))
            return
        if self._headers.get("content-encoding", "identity") != "identity":
            self._fail(EngineFailed("malformed", "the reply is compressed, which nobody asked for"))
            return
        feed = self._feed
        if (
            feed is not None
            and self._status == 200  # noqa: PLR2004 - OK
            and self._headers.get("content-type", "").startswith("text/event-stream")
            and self._transport is not None
        ):
            self._streaming = True
            feed.opened(self._transport)

    def on_body(self, data: bytes) -> None:
        """Pass a piece of the body on, or keep it."""
        if self._surplus or self._waiter is None:
            return
        self._body_bytes += len(data)
        if self._body_bytes > (MAX_STREAM_BYTES if self._streaming else MAX_BODY_BYTES):
            self._fail(EngineFailed("malformed", "the reply is larger than any answer"))
        else:
            self._parts.append(data)

    def on_message_complete(self) -> None:
        """Note the end; an interim reply (1xx) is not the one that is waited for."""
        if self._surplus:
            return
        if self._status < 200:  # noqa: PLR2004 - 1xx
            self._interim += 1
            self._status = self._fields = 0
            self._headers = {}
            if self._interim > MAX_INTERIM:
                self._fail(EngineFailed("malformed", "the engine only sends interim replies"))
            return
        self._complete = True
        self._keep = self._parser.should_keep_alive()

    # -- endings

    def _ends_by_close(self) -> bool:
        """Whether the end of the connection is this reply's proper end: no length and no chunks were announced."""
        return bool(self._status) and not ("content-length" in self._headers or "transfer-encoding" in self._headers)

    def _settle(self) -> None:
        waiter = self._waiter
        if waiter is None:
            return
        if self._surplus:
            self._fail(EngineFailed("malformed", "the engine sent more than one reply"))
            return
        body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._waiter = self._feed = None
        if self._keep and self._transport is not None and self.usable:
            # The reader of this reply may have held the flow; whoever uses the connection next must not wait for it.
            self._transport.resume_reading()
            self._keeper.release(self)
        elif self._transport is not None:
            self._transport.abort()
        if not waiter.done():
            waiter.set_result(Reply(self._status, self._headers, body))

    def _fail(self, failure: TiercelError) -> None:
        waiter, self._waiter, self._feed = self._waiter, None, None
        if waiter is not None and not waiter.done():
            waiter.set_exception(failure)
        if self._transport is not None:
            self._transport.abort()
