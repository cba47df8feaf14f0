"""The port to a remote host: send one request, get one reply, or its body as it arrives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from tiercel.engines.port import Tap
from tiercel.terms.clock import Deadline

__all__ = ["MAX_BODY_BYTES", "MAX_STREAM_BYTES", "Feed", "Http", "Reply"]

MAX_BODY_BYTES = 32 * 1024 * 1024
MAX_STREAM_BYTES = 64 * 1024 * 1024


class Reply(msgspec.Struct, frozen=True):
    """A reply whose head was read; ``body`` is empty when it went to a feed."""

    status: int
    # Only the few headers that an adapter reads, lower-case: nothing else of an engine's head goes any further.
    headers: Mapping[str, str]
    body: bytes = b""


class Feed(Protocol):
    """Takes the body of a 200 event stream as it arrives."""

    def opened(self, tap: Tap) -> None:
        """Learn how to hold the flow."""
        ...

    def feed(self, data: bytes) -> None:
        """Take bytes; an ``EngineFailed`` raised here ends the request and closes the connection."""
        ...


class Http(Protocol):
    """One remote host, and the connections kept to it.

    Raises ``EngineFailed``: ``unreachable`` when no connection could be made (or a fresh one died before a byte),
    ``malformed`` for bytes that are no HTTP reply or go beyond one, ``truncated`` when the body stopped before its
    end. Never follows a redirect, never sends to another host than its own. A cancelled call closes its connection.
    """

    async def send(self, method: str, path: str, body: bytes, deadline: Deadline, feed: Feed | None = None) -> Reply:
        """Send one request. A 200 reply of type ``text/event-stream`` goes to ``feed`` when there is one."""
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...
