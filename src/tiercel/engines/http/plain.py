"""Our own keep-alive client for plain HTTP: the hot path's way to a self-hosted engine."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Sequence
from urllib.parse import urlsplit

from tiercel.engines.http.link import Link, Stale
from tiercel.engines.http.port import Feed, Reply
from tiercel.terms.clock import Deadline
from tiercel.terms.errors import EngineFailed, Misconfigured

__all__ = ["PlainHttp"]

# What a round trip may take longer than the one that made the connection.
STALE_S = 0.005


class PlainHttp:
    """Connections to one host, kept open and used one request at a time; implements ``Http``."""

    def __init__(
        self,
        base_url: str,
        headers: Sequence[tuple[str, str]] = (),
        *,
        connect_s: float = 0.25,
        max_connections: int = 256,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        url = urlsplit(base_url)
        scheme, port = ("http", 80) if tls is None else ("https", 443)
        if url.scheme != scheme or not url.hostname:
            raise Misconfigured(f"not an {scheme} address: {base_url!r}")
        self._host = url.hostname
        self._port = url.port or port
        self._tls = tls
        self._prefix = url.path.rstrip("/")
        self._connect_s = connect_s
        self._max = max_connections
        self._fixed = "".join(f"{name}: {value}\r\n" for name, value in headers)
        self._netloc = url.netloc.rpartition("@")[2]
        self._heads: dict[tuple[str, str], bytes] = {}
        self._idle: list[Link] = []
        self._links: set[Link] = set()
        self._dialling = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def open_connections(self) -> int:
        """How many connections exist, idle ones included."""
        return len(self._links)

    async def send(self, method: str, path: str, body: bytes, deadline: Deadline, feed: Feed | None = None) -> Reply:
        """Send one request over an idle connection or a new one."""
        request = b"%b%d\r\n\r\n%b" % (self._head(method, path), len(body), body)
        loop = asyncio.get_running_loop()
        while self._idle:
            link = self._idle.pop()
            if link.usable:
                begun_s = loop.time()
                try:
                    return await link.exchange(request, feed)
                except Stale:
                    # A host that closed an idle connection just as we wrote is heard of within a round trip: nobody
                    # has read the request, so it may go out once more, over a connection of its own.
                    if loop.time() - begun_s > 2 * link.round_trip_s + STALE_S:
                        raise self._hung_up() from None
                    break
        link = await self._dial(deadline)
        try:
            return await link.exchange(request, feed)
        except Stale:
            raise self._hung_up() from None

    async def aclose(self) -> None:
        """Close every connection."""
        for link in list(self._links):
            link.abort()
        self._idle.clear()

    def release(self, link: Link) -> None:
        """Take a connection back whose exchange ended well."""
        self._idle.append(link)
        self._wake()

    def forget(self, link: Link) -> None:
        """Drop a connection that is closed."""
        self._links.discard(link)
        if link in self._idle:
            self._idle.remove(link)
        self._wake()

    def _hung_up(self) -> EngineFailed:
        return EngineFailed("unreachable", f"{self._netloc} closed the connection before answering", asked=True)

    def _head(self, method: str, path: str) -> bytes:
        head = self._heads.get((method, path))
        if head is None:
            head = (
                f"{method} {self._prefix}{path} HTTP/1.1\r\nhost: {self._netloc}\r\n{self._fixed}"
                "accept-encoding: identity\r\ncontent-type: application/json\r\ncontent-length: "
            ).encode("ascii")
            self._heads[method, path] = head
        return head

    async def _dial(self, deadline: Deadline) -> Link:
        while len(self._links) + self._dialling >= self._max:
            await self._turn()
            while self._idle:
                link = self._idle.pop()
                if link.usable:
                    return link
        limit_s = min(self._connect_s, deadline.left_s())
        loop = asyncio.get_running_loop()
        self._dialling += 1
        begun_s = loop.time()
        try:
            async with asyncio.timeout(limit_s):
                _, link = await loop.create_connection(lambda: Link(self), self._host, self._port, ssl=self._tls)
        except TimeoutError:
            raise EngineFailed(
                "unreachable", f"no connection to {self._netloc} within {limit_s * 1e3:.0f} ms", timed_out=True
            ) from None
        except OSError as error:
            raise EngineFailed(
                "unreachable", f"no connection to {self._netloc}: {error.strerror or type(error).__name__}"
            ) from error
        finally:
            self._dialling -= 1
            self._wake()
        link.round_trip_s = loop.time() - begun_s
        self._links.add(link)
        return link

    async def _turn(self) -> None:
        """Wait until a connection is given back or closed."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._wake()
            raise

    def _wake(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
