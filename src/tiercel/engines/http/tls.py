"""The client for engines behind TLS: our own, over encrypted connections, so that its promises are the same."""

from __future__ import annotations

import functools
import ssl
from collections.abc import Sequence

from tiercel.engines.http.plain import PlainHttp
from tiercel.engines.http.port import Feed, Reply
from tiercel.terms.clock import Deadline

__all__ = ["TlsHttp"]


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
        self._inner = PlainHttp(
            base_url,
            headers,
            connect_s=connect_s,
            max_connections=max_connections,
            tls=verify if verify is not None else _everybodys_trust(),
        )

    @property
    def open_connections(self) -> int:
        """How many connections exist, idle ones included."""
        return self._inner.open_connections

    async def send(self, method: str, path: str, body: bytes, deadline: Deadline, feed: Feed | None = None) -> Reply:
        """Send one request; nothing of it leaves before the host has proven its name."""
        return await self._inner.send(method, path, body, deadline, feed)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._inner.aclose()


@functools.cache
def _everybodys_trust() -> ssl.SSLContext:
    """Trust whom the machine trusts; read once, since it takes milliseconds."""
    return ssl.create_default_context()
