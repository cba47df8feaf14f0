"""A host that answers with exactly the bytes a test wrote, over TCP or TLS, and remembers what it was sent."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import cast

__all__ = ["Host", "Visit", "chunked", "json_reply", "opened_host", "papers", "stream_head", "trusting"]

PAPERS = Path(__file__).parent / "papers"
HEAD_END = b"\r\n\r\n"
END = b"0\r\n\r\n"


def json_reply(body: bytes = b'{"ok":true}', *, status: str = "200 OK", lines: Sequence[str] = ()) -> bytes:
    """Write a reply of JSON with its length."""
    head = "\r\n".join((f"HTTP/1.1 {status}", "content-type: application/json", f"content-length: {len(body)}", *lines))
    return head.encode("latin-1") + HEAD_END + body


def stream_head(*lines: str) -> bytes:
    """Write the head of an event stream in chunks."""
    head = ("HTTP/1.1 200 OK", "content-type: text/event-stream; charset=utf-8", "transfer-encoding: chunked", *lines)
    return "\r\n".join(head).encode() + HEAD_END


def chunked(*pieces: bytes) -> bytes:
    """Write pieces in chunked coding, without the end."""
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)


def papers() -> ssl.SSLContext:
    """Return what a server on localhost shows of itself."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PAPERS / "localhost.pem")
    return context


def trusting() -> ssl.SSLContext:
    """Return a client's trust in that server and in no other."""
    return ssl.create_default_context(cafile=str(PAPERS / "authority.pem"))


class Visit(asyncio.Protocol):
    """One connection to the host."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._data = b""
        self._transport: asyncio.Transport | None = None
        self.requests: list[bytes] = []
        self.gone = asyncio.Event()
        # Set when the other side takes no more and what we wrote piles up here.
        self.held = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Join the host's visits."""
        # A cast and no check: uvloop's transports are no subclasses.
        self._transport = cast("asyncio.Transport", transport)
        self._host.came(self)

    def data_received(self, data: bytes) -> None:
        """Take bytes until a request is whole."""
        self._data += data
        while (taken := _whole(self._data)) > 0:
            self.requests.append(self._data[:taken])
            self._data = self._data[taken:]
            self._host.asked(self)

    def pause_writing(self) -> None:
        """Notice that the other side holds."""
        self.held.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Notice that the other side left."""
        self.gone.set()

    def write(self, data: bytes) -> None:
        """Send bytes."""
        assert self._transport is not None
        self._transport.write(data)

    def close(self) -> None:
        """End the connection politely."""
        assert self._transport is not None
        self._transport.close()

    def abort(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.abort()


class Host:
    """Where the host is and who came."""

    def __init__(self, url: str, answer: Callable[[Visit], None], greeting: bytes = b"") -> None:
        self.url = url
        self._greeting = greeting
        self.visits: list[Visit] = []
        self.waiting = asyncio.Event()
        self._answer = answer

    @property
    def requests(self) -> list[bytes]:
        """Every request, connection by connection."""
        return [request for visit in self.visits for request in visit.requests]

    def came(self, visit: Visit) -> None:
        """Remember a connection."""
        self.visits.append(visit)
        if self._greeting:
            visit.write(self._greeting)

    def asked(self, visit: Visit) -> None:
        """Answer a request."""
        self.waiting.set()
        self._answer(visit)


@contextlib.asynccontextmanager
async def opened_host(
    answer: bytes | Callable[[Visit], None],
    *,
    tls: bool = False,
    close: bool = False,
    at: str = "127.0.0.1",
    greeting: bytes = b"",
) -> AsyncIterator[Host]:
    """Serve on a free port of this machine until the block ends."""

    def write(visit: Visit) -> None:
        assert isinstance(answer, bytes)
        visit.write(answer)
        if close:
            visit.close()

    host = Host("", write if isinstance(answer, bytes) else answer, greeting)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Visit(host), at, 0, ssl=papers() if tls else None)
    port = server.sockets[0].getsockname()[1]
    host.url = f"{'https' if tls else 'http'}://{at}:{port}"
    try:
        yield host
    finally:
        server.close()
        for visit in host.visits:
            visit.abort()
        for visit in host.visits:
            await visit.gone.wait()
        await server.wait_closed()


def _whole(data: bytes) -> int:
    """Return how many bytes the first request takes; 0 when it is not whole yet."""
    end = data.find(HEAD_END)
    if end < 0:
        return 0
    length = 0
    for line in data[:end].lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    taken = end + len(HEAD_END) + length
    return taken if len(data) >= taken else 0
