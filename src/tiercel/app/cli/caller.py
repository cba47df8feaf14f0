"""Asks a running server, as any client would: over HTTP, with the fields that everybody may send."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from tiercel.app.cli.exits import Unreachable
from tiercel.app.cli.replies import Heard, Listener, ServerError, read_error
from tiercel.engines.http.plain import PlainHttp
from tiercel.engines.http.port import Http, Reply
from tiercel.engines.http.tls import TlsHttp
from tiercel.terms.clock import Clock, Deadline
from tiercel.terms.errors import EngineFailed

__all__ = ["PATIENCE_S", "Caller", "OverHttp", "Request", "client_for"]

# A server answers by its own deadline; this is for one that is none or is stuck.
PATIENCE_S = 120.0
_CONNECT_S = 2.0
_OK = 200


class Request(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of a chat request."""

    model: str
    messages: tuple[Mapping[str, str], ...]
    stream: bool = False
    max_tokens: int | None = None
    tiercel: Mapping[str, str | float | Sequence[str]] | None = None


class Caller(Protocol):
    """Whoever can be asked: a server over HTTP, or the same house built in this process."""

    async def chat(self, body: bytes, deadline: Deadline, on_text: Callable[[str], None]) -> Heard:
        """Ask, give words to ``on_text`` as they come, return the reply; raises ``TiercelError``, ``Unreachable``."""
        ...

    async def aclose(self) -> None:
        """Close what is open."""
        ...


def client_for(base_url: str, connect_s: float = _CONNECT_S) -> Http:
    """Return the client that this address needs."""
    if base_url.startswith("https:"):
        return TlsHttp(base_url, connect_s=connect_s)
    return PlainHttp(base_url, connect_s=connect_s)


class OverHttp:
    """A server at an address; implements ``Caller``."""

    def __init__(self, url: str, clock: Clock) -> None:
        self.url = url.rstrip("/")
        self._clock = clock
        self._http = client_for(self.url)

    async def chat(self, body: bytes, deadline: Deadline, on_text: Callable[[str], None]) -> Heard:
        """Ask for a chat completion, streamed or whole as the body says."""
        listener = Listener(self._clock, on_text)
        reply = await self._send("POST", "/v1/chat/completions", body, deadline, listener)
        if listener.started:
            return listener.done()
        if reply.status != _OK:
            raise read_error(reply.body, reply.status)
        return listener.whole(reply.body)

    async def fetch(self, path: str, deadline: Deadline, body: bytes | None = None) -> bytes:
        """Return the body of a document, or of the answer to ``body``."""
        reply = await self._send("GET" if body is None else "POST", path, body or b"", deadline)
        if reply.status != _OK:
            raise read_error(reply.body, reply.status)
        return reply.body

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _send(
        self, method: str, path: str, body: bytes, deadline: Deadline, listener: Listener | None = None
    ) -> Reply:
        try:
            async with asyncio.timeout(deadline.left_s()):
                return await self._http.send(method, path, body, deadline, listener)
        except TimeoutError:
            raise Unreachable(f"{self.url} did not answer in time", "look at its log, or restart it") from None
        except EngineFailed as error:
            if error.failure != "unreachable":
                message = f"what answers at {self.url} does not speak like Tiercel: {error}"
                raise ServerError(message, error.failure, 0) from None
            raise Unreachable(f"no server answers at {self.url}", "start one: tiercel up, or name it: --url") from None
