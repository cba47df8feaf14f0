"""An ``Http`` without a network: plays replies that a test wrote and keeps what it was sent."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from tiercel.engines.http.port import Feed, Reply
from tiercel.terms.ask import Ask, Shape
from tiercel.terms.clock import Deadline, SystemClock

__all__ = ["ScriptedHttp", "StillTap", "chat", "event", "soon"]


class StillTap:
    """A tap that nobody needs to turn."""

    def pause_reading(self) -> None:
        """Do nothing."""

    def resume_reading(self) -> None:
        """Do nothing."""


class ScriptedHttp:
    """Answers every request with the same reply; pieces of a stream go to the feed one by one."""

    def __init__(
        self, body: bytes = b"", *, status: int = 200, pieces: tuple[bytes, ...] = (), retry_after: str = ""
    ) -> None:
        self._reply = Reply(status, {"retry-after": retry_after} if retry_after else {}, body)
        self._pieces = pieces
        self.sent: list[tuple[str, str, bytes]] = []
        self.closed = False

    async def send(self, method: str, path: str, body: bytes, deadline: Deadline, feed: Feed | None = None) -> Reply:
        """Play the reply."""
        self.sent.append((method, path, body))
        if feed is not None and self._pieces:
            feed.opened(StillTap())
            for piece in self._pieces:
                feed.feed(piece)
        return self._reply

    async def aclose(self) -> None:
        """Note that nobody needs it any more."""
        self.closed = True

    def request(self) -> dict[str, object]:
        """Return the last body that was sent."""
        body: dict[str, object] = msgspec.json.decode(self.sent[-1][2])
        return body


def chat(
    told: Mapping[str, object] | None = None,
    /,
    *,
    stream: bool = False,
    said: str = "",
    shape: Shape = "text",
    **more: object,
) -> Ask:
    """Return a request with these fields; without messages the user says hello."""
    fields = {"messages": [{"role": "user", "content": "Hello!"}], **(told or {}), **more}
    raw = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in fields.items()}
    return Ask(
        id="test-1",
        kind="chat",
        model="silver",
        fields=raw,
        size_bytes=sum(map(len, raw.values())),
        stream=stream,
        said=said,
        shape=shape,
        tools="tools" in fields,
    )


def event(kind: str, **fields: object) -> bytes:
    """Write one of Anthropic's events."""
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), msgspec.json.encode({"type": kind, **fields}))


def soon() -> Deadline:
    """Return a deadline that no test reaches."""
    return Deadline.after(10.0, SystemClock())
