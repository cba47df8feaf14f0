"""The long way: a job becomes one call of the ASGI application, for every route that is not hot."""

from __future__ import annotations

import asyncio
import re
from collections.abc import MutableSet
from typing import Any
from urllib.parse import unquote

from tiercel.app.http.asgi import App, Message
from tiercel.app.http.ends import Ends
from tiercel.app.http.exchange import Wire, refuse
from tiercel.app.http.heads import Calendar, connection_line, status_line
from tiercel.app.http.job import Job
from tiercel.app.http.replies import grave

__all__ = ["Cycle", "scope_of"]

_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(rb"[\t -~\x80-\xff]*")
_BODILESS = frozenset({204, 304})
_DISCONNECT = {"type": "http.disconnect"}


def scope_of(job: Job, ends: Ends, request_id: str, state: dict[str, Any]) -> Message:
    """Describe the request as ASGI does; it carries its id, whoever gave it."""
    fields = [field for field in job.fields or job.head.items() if field[0] != b"x-request-id"]
    path, _, query = job.target.partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.0" if job.http10 else "1.1",
        "method": job.method.decode("ascii"),
        "scheme": ends.scheme,
        "path": unquote(path.decode("ascii")),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": [*fields, (b"x-request-id", request_id.encode())],
        "server": ends.server,
        "client": ends.client,
        "state": state.copy(),
    }


class Cycle:
    """One call of the application: what it receives, and what it sends as bytes on the wire."""

    def __init__(self, job: Job, wire: Wire, calendar: Calendar, request_id: str) -> None:
        self._job = job
        self._wire = wire
        self._calendar = calendar
        self._id = request_id
        self._given = False
        self._head = b""
        self._started = False
        self._complete = False
        self._keep = False
        self._chunked = False
        # What the announced length still lacks; None when none was announced.
        self._owed: int | None = None
        self._gone: asyncio.Event | None = None
        self._room: asyncio.Event | None = None
        self._lost = False

    def start(self, app: App, scope: Message, tasks: MutableSet[asyncio.Task[Any]]) -> None:
        """Call the application in a task of its own, which ``tasks`` keeps alive."""
        self._tasks = tasks
        self._task = task = self._wire.loop.create_task(self._run(app, scope))
        tasks.add(task)
        task.add_done_callback(self._ended)

    async def _run(self, app: App, scope: Message) -> None:
        await app(scope, self._receive, self._send)

    # The exchange.

    def left(self) -> None:
        """Stop: nobody waits any more."""
        self._lost = True
        if self._gone is not None:
            self._gone.set()
        self._task.cancel()

    def congestion(self, *, held: bool) -> None:
        """Hold the application at its next send, or let it go on."""
        if held:
            self._room = asyncio.Event()
        elif self._room is not None:
            self._room.set()
            self._room = None

    # What the application calls.

    async def _receive(self) -> Message:
        if not self._given:
            self._given = True
            return {"type": "http.request", "body": self._job.body, "more_body": False}
        if not self._lost and not self._complete:
            self._gone = asyncio.Event()
            await self._gone.wait()
        return dict(_DISCONNECT)

    async def _send(self, message: Message) -> None:
        if self._room is not None:
            await self._room.wait()
        if self._lost or self._complete:
            return
        if message["type"] == "http.response.start" and not self._started:
            self._start(message["status"], [(bytes(name), bytes(value)) for name, value in message.get("headers", ())])
        elif message["type"] == "http.response.body" and self._started:
            self._body(message.get("body", b""), more=message.get("more_body", False))
        else:
            raise RuntimeError(f"the application sent {message['type']} out of turn")

    def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self._started = True
        job = self._job
        self._keep = self._wire.stays(job)
        lines = [status_line(status)]
        bodiless = status in _BODILESS
        for name, value in headers:
            if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
                raise RuntimeError("the application sent a header that is none")
            lowered = name.lower()
            if lowered == b"content-length":
                self._owed = int(value)
            elif lowered in (b"connection", b"transfer-encoding", b"date"):
                # These are about the connection, which is ours.
                continue
            lines.append(b"%b: %b\r\n" % (lowered, value))
        if bodiless or job.method == b"HEAD":
            self._owed = 0
        elif self._owed is None:
            self._chunked = not job.http10
            self._keep = self._keep and self._chunked
            if self._chunked:
                lines.append(b"transfer-encoding: chunked\r\n")
        lines += [self._calendar.line(), connection_line(keep=self._keep, http10=job.http10), b"\r\n"]
        self._head = b"".join(lines)

    def _body(self, body: bytes, *, more: bool) -> None:
        if self._job.method == b"HEAD":
            body = b""
        if self._owed is not None:
            self._owed -= len(body)
            if self._owed < 0 or (self._owed > 0 and not more):
                raise RuntimeError("the application's body is not as long as it said")
        elif self._chunked:
            body = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + (b"" if more else b"0\r\n\r\n")
        if self._head or body:
            self._wire.write(self._head + body)
            self._head = b""
        if not more:
            self._complete = True
            if self._gone is not None:
                self._gone.set()

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Finish once the application has returned: its exceptions and silences end here."""
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        failure = grave(error, self._id) if error is not None else None
        if self._lost:
            return
        if self._complete:
            self._wire.finished(keep=self._keep)
        elif self._started or task.cancelled():
            self._wire.abort()
        else:
            error_or_silence = failure or grave(RuntimeError("no response"), self._id)
            refuse(error_or_silence, self._job, self._wire, self._calendar, self._id)
