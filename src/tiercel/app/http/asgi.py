"""ASGI's own words: the types that its specification describes in prose, and how a reply of ours is said in them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from tiercel.app.http import faults
from tiercel.app.http.heads import pairs_of
from tiercel.app.http.limits import Limits
from tiercel.app.http.replies import ErrorReply

__all__ = ["App", "Message", "Receive", "Send", "body_of", "head_of", "send_block", "send_error"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


def head_of(scope: Message) -> dict[bytes, bytes]:
    """Return the headers of a request; of a name that came twice, the last."""
    return dict(scope["headers"])


async def body_of(receive: Receive, limits: Limits) -> bytes | None:
    """Return the whole body, or None when the client left before its end; raises when it is over the limit."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > limits.body_bytes:
            raise faults.too_large(f"the body is over {limits.body_bytes} bytes", 413)
        if not message.get("more_body", False):
            return bytes(body)


async def send_block(send: Send, status: int, media: bytes, block: bytes, body: bytes) -> None:
    """Send a reply in one piece."""
    headers = [(b"content-type", media), (b"content-length", b"%d" % len(body)), *pairs_of(block)]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def send_error(send: Send, reply: ErrorReply) -> None:
    """Send an error."""
    await send_block(send, reply.status, b"application/json", reply.block, reply.body)
