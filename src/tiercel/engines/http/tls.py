"""The client for engines behind TLS: aiohttp, held to the same promises as our own client for plain HTTP."""

from __future__ import annotations

import asyncio
import io
import ssl
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tiercel.engines.http.port import MAX_BODY_BYTES, MAX_STREAM_BYTES, Feed, Reply
from tiercel.terms.clock import Deadline
from tiercel.terms.errors import EngineFailed, Misconfigured

if TYPE_CHECKING:
    import aiohttp

__all__ = ["TlsHttp"]

# Ours go out of use before a host's own patience with silent connections ends.
KEEP_S = 15.0
NAMES_S = 30
SOON_S = 1e-6
READ_BYTES = 32 * 1024
MAX_LINE_BYTES = 16 * 1024
MAX_HEADERS = 100
READ = ("content-type", "retry-after")
OK = 200


class TlsHttp:
    """Connections to one host, kept open and used one request at a time; implements ``Http``."""

    def __init__(
        self,
        base_url: str,
        headers: Sequence[tuple[str, str]] = (),
        *,
        connect_s: float = 0.25,
        max_connections: int = 256,
        verify: ssl.SSLContext | None = None,
    ) -> None:
        url = urlsplit(base_url)
        if url.scheme not in {"https", "http"} or not url.hostname or url.query or url.fragment:
            raise Misconfigured(f"not the address of a server: {base_url!r}")
        self._netloc = url.netloc.rpartition("@")[2]
        self._base = f"{url.scheme}://{self._netloc}{url.path.rstrip('/')}"
        self._headers = [*map(_sound, headers), ("accept-encoding", "identity"), ("content-type", "application/json")]
        self._connect_s = connect_s
        # aiohttp counts the wait for a free connection as connecting; here it is a queue of its own.
        self._turns = asyncio.Semaphore(max_connections)
        self._verify = verify
        self._session: aiohttp.ClientSession | None = None

    async def send(self, method: str, path: str, body: bytes, deadline: Deadline, feed: Feed | None = None) -> Reply:
        """Send one request; being cancelled closes its connection at once."""
        import aiohttp  # noqa: PLC0415 - loaded on first use, it is half of a small process

        async with self._turns:
            limit_s = min(self._connect_s, deadline.left_s())
            try:
                response = await self._opened().request(
                    method,
                    self._url(path),
                    # Left to itself, aiohttp warns of a megabyte in one piece.
                    data=io.BytesIO(body) if body else None,
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(total=None, connect=max(limit_s, SOON_S)),
                )
            except (aiohttp.ClientError, OSError) as error:
                raise self._unanswered(error, limit_s) from error
            try:
                return await _Reading(response).run(feed)
            except aiohttp.ClientError as error:
                raise _broken_off(error) from error
            finally:
                # A reply that was read to its end has given its connection back already. What is still to come on
                # any other belongs to nobody: late, left or failed, the connection ends here and now.
                response.close()

    async def aclose(self) -> None:
        """Close every connection."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _url(self, path: str) -> str:
        if not path.startswith("/"):
            raise Misconfigured(f"not a path: {path!r}")
        return self._base + path

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            import aiohttp  # noqa: PLC0415 - loaded on first use

            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    ssl=self._verify if self._verify is not None else True,
                    limit=0,
                    keepalive_timeout=KEEP_S,
                    ttl_dns_cache=NAMES_S,
                ),
                headers=self._headers,
                skip_auto_headers=("User-Agent", "Accept"),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                read_bufsize=READ_BYTES,
                max_line_size=MAX_LINE_BYTES,
                max_field_size=MAX_LINE_BYTES,
                max_headers=MAX_HEADERS,
            )
        return self._session

    def _unanswered(self, error: Exception, limit_s: float) -> EngineFailed:
        """Say what kept the head of a reply from coming."""
        import aiohttp  # noqa: PLC0415 - loaded already

        if isinstance(error, TimeoutError):
            return EngineFailed("unreachable", f"no connection to {self._netloc} within {limit_s * 1e3:.0f} ms")
        if isinstance(error, aiohttp.ClientConnectorDNSError):
            return EngineFailed("unreachable", f"no such host: {self._netloc}")
        if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
            return EngineFailed("unreachable", f"no TLS with {self._netloc}: {_brief(error)}")
        if isinstance(error, aiohttp.ClientConnectorError):
            return EngineFailed("unreachable", f"no connection to {self._netloc}: {error.strerror or 'refused'}")
        if isinstance(error, aiohttp.ClientConnectionError | OSError):
            return EngineFailed("unreachable", f"{self._netloc} closed the connection before answering")
        return EngineFailed("malformed", f"not an HTTP reply: {type(error).__name__}")


class _Reading:
    """One reply, from its head on; also the tap of its stream."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self._flowing = asyncio.Event()
        self._flowing.set()

    def pause_reading(self) -> None:
        """Take no more for now; what arrives meanwhile fills a small buffer and then the network."""
        self._flowing.clear()

    def resume_reading(self) -> None:
        """Go on."""
        self._flowing.set()

    async def run(self, feed: Feed | None) -> Reply:
        response = self._response
        self._judge_head()
        kind = response.headers.get("content-type", "")
        headers = {name: response.headers[name] for name in READ if name in response.headers}
        if feed is None or response.status != OK or not kind.startswith("text/event-stream"):
            return Reply(response.status, headers, await self._whole())
        feed.opened(self)
        await self._stream(feed)
        return Reply(response.status, headers)

    async def _whole(self) -> bytes:
        body = bytearray()
        async for data in self._response.content.iter_any():
            body += data
            if len(body) > MAX_BODY_BYTES:
                raise EngineFailed("malformed", "the reply is larger than any answer")
        return bytes(body)

    async def _stream(self, feed: Feed) -> None:
        received = 0
        async for data in self._response.content.iter_any():
            received += len(data)
            if received > MAX_STREAM_BYTES:
                raise EngineFailed("malformed", "the reply is larger than any answer")
            feed.feed(data)
            if not self._flowing.is_set():
                await self._flowing.wait()

    def _judge_head(self) -> None:
        """Refuse what two readers could read differently."""
        names = [name.lower() for name, _ in self._response.raw_headers]
        if names.count(b"content-length") + names.count(b"transfer-encoding") > 1:
            raise EngineFailed("malformed", "the reply tells its length twice")
        if self._response.headers.get("content-encoding", "identity") != "identity":
            raise EngineFailed("malformed", "the reply is compressed, which nobody asked for")


def _sound(header: tuple[str, str]) -> tuple[str, str]:
    """Let no header through that could become two; a key that was read with its line's end is the usual case."""
    name, value = header
    if not value.isascii() or not value.isprintable():
        raise Misconfigured(f"the value of {name} has characters that no header may have")
    return header


def _broken_off(error: Exception) -> EngineFailed:
    """Tell a body that stopped from one that was never HTTP."""
    cause: BaseException | None = error.__cause__
    print(repr(error), repr(cause))
    return EngineFailed("truncated", "the engine closed the connection in the middle of its reply")


def _brief(error: Exception) -> str:
    return str(error)[:200]
