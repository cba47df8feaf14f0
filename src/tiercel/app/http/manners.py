"""What every request meets before its route: an id, and the rules for hosts, origins and encodings.

Our own door has checked all this before; here it is checked again for those who run the application on another server.
"""

from __future__ import annotations

from collections.abc import Callable

from tiercel.app.http import faults
from tiercel.app.http.asgi import App, Message, Receive, Send, head_of, send_error
from tiercel.app.http.entry import caller_id
from tiercel.app.http.parts import Parts
from tiercel.app.http.replies import error_reply
from tiercel.app.http.visitors import Visitors
from tiercel.terms.errors import Refused, Unknown

__all__ = ["Manners"]

_ID = b"x-request-id"


class Manners:
    """Wraps an application; ``allowed`` names the methods of a path."""

    def __init__(self, app: App, parts: Parts, allowed: Callable[[Message], list[str]]) -> None:
        self._app = app
        self._ids = parts.ids
        self._visitors = Visitors(parts.hosts, parts.origins)
        self._allowed = allowed

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        head = head_of(scope)
        request_id = caller_id(head, self._ids)
        scope.setdefault("state", {})["request_id"] = request_id
        # Whoever looks for an id further in finds this one, so that one request has one.
        scope["headers"] = [*[pair for pair in scope["headers"] if pair[0] != _ID], (_ID, request_id.encode())]

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                if not any(name == _ID for name, _ in headers):
                    message["headers"] = [*headers, (_ID, request_id.encode())]
            await send(message)

        try:
            self._check(scope, head)
        except Refused as error:
            await send_error(send, error_reply(error, request_id))
            return
        if scope["method"] == "OPTIONS":
            await self._options(scope, sent)
        else:
            await self._app(scope, receive, sent)

    def _check(self, scope: Message, head: dict[bytes, bytes]) -> None:
        host = head.get(b"host")
        if host is not None:
            self._visitors.check_host(host)
        elif scope["http_version"] != "1.0":
            raise faults.malformed("the Host header is missing")
        if b"origin" in head:
            self._visitors.check_origin(scope["method"].encode(), head[b"origin"], host or b"")
        if head.get(b"content-encoding", b"identity").lower() != b"identity":
            raise faults.encoded(head[b"content-encoding"].decode("latin-1"))

    async def _options(self, scope: Message, send: Send) -> None:
        """Name the methods of a path; no CORS header, so that no page of another site is let in by it."""
        everywhere = scope["path"] in ("*", "/*")
        allow = ["GET", "HEAD", "OPTIONS", "POST"] if everywhere else self._allowed(scope)
        if not allow:
            await send_error(send, error_reply(Unknown("there is no such route"), scope["state"]["request_id"]))
            return
        headers = [(b"allow", ", ".join(allow).encode())]
        await send({"type": "http.response.start", "status": 204, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
