"""The long way for chat and embeddings: the same requests and the same bytes as on the hot path, on any ASGI server."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from tiercel.app.http.asgi import Message, Receive, Send, body_of, head_of, send_block, send_error
from tiercel.app.http.entry import Read, ask_of, caller_id
from tiercel.app.http.heads import block_of, pairs_of
from tiercel.app.http.parts import Parts
from tiercel.app.http.replies import error_event, error_reply, framed, grave, stream_tail, with_report
from tiercel.engines.port import Tap
from tiercel.flow import Served
from tiercel.terms.errors import Refused, TiercelError
from tiercel.terms.reply import Report

__all__ = ["PlainRoute"]


class _Screen:
    """A stage whose events wait for the server to take them; what waits is bounded by holding the engine."""

    def __init__(self, request_id: str, high_bytes: int) -> None:
        self._id = request_id
        self._high = high_bytes
        self._frames: deque[bytes] = deque()
        self._size = 0
        self._tap: Tap | None = None
        self._held = False
        self._over = False
        self._wake = asyncio.Event()
        self.head: list[tuple[bytes, bytes]] | None = None

    def begin(self, report: Report) -> None:
        media = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")]
        self.head = [*media, *pairs_of(block_of(self._id, report))]
        self._wake.set()

    def event(self, payload: bytes) -> None:
        frame = framed(payload, chunked=False)
        self._frames.append(frame)
        self._size += len(frame)
        self._wake.set()
        if self._size > self._high and self._tap is not None and not self._held:
            self._held = True
            self._tap.pause_reading()

    def bind(self, tap: Tap) -> None:
        self._tap = tap
        self._held = self._size > self._high
        if self._held:
            tap.pause_reading()

    def ended(self, _task: asyncio.Task[Served]) -> None:
        """Learn that no further event will come."""
        self._over = True
        self._wake.set()

    async def show(self, send: Send) -> None:
        """Send head and events as they come, until the flow is done and all of them are sent."""
        begun = False
        while True:
            if self.head is not None and not begun:
                begun = True
                await send({"type": "http.response.start", "status": 200, "headers": self.head})
            while self._frames:
                frame = self._frames.popleft()
                self._size -= len(frame)
                await send({"type": "http.response.body", "body": frame, "more_body": True})
            self._let_go()
            if self._over:
                return
            await self._wake.wait()
            self._wake.clear()

    def _let_go(self) -> None:
        if self._held and self._tap is not None:
            self._held = False
            self._tap.resume_reading()


class PlainRoute:
    """One ASGI endpoint."""

    def __init__(self, parts: Parts, read: Read) -> None:
        self._parts = parts
        self._read = read

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request."""
        head = head_of(scope)
        parts = self._parts
        request_id = caller_id(head, parts.ids)
        try:
            body = await body_of(receive, parts.limits)
            if body is None:
                return
            ask = ask_of(self._read, head, body, request_id, parts.limits, parts.clock.now_s())
        except Refused as error:
            await send_error(send, error_reply(error, request_id))
            return
        screen = _Screen(request_id, parts.limits.write_buffer_bytes)
        task = asyncio.get_running_loop().create_task(parts.flow.serve(ask, screen))
        task.add_done_callback(screen.ended)
        leaving = asyncio.get_running_loop().create_task(_cancel_on_leave(receive, task))
        try:
            await screen.show(send)
            if not task.cancelled():
                await _conclude(send, task, screen, request_id, streams=ask.stream)
        finally:
            await _end(task, leaving)


async def _end(*tasks: asyncio.Task[Any]) -> None:
    """Wait for what this route began, whether it is done or has to be stopped."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for task in tasks:
        # Read, so that nobody is told of a failure that the client has been told of.
        _ = task.cancelled() or task.exception()


async def _cancel_on_leave(receive: Receive, task: asyncio.Task[Served]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    task.cancel()


async def _conclude(send: Send, task: asyncio.Task[Served], screen: _Screen, request_id: str, *, streams: bool) -> None:
    """Send the reply, the end of the stream, or the error, whichever it has become."""
    failure = task.exception()
    if failure is not None:
        error = failure if isinstance(failure, TiercelError) else grave(failure, request_id)
        if screen.head is None:
            await send_error(send, error_reply(error, request_id))
        else:
            await _send_last(send, [error_event(error)])
        return
    served = task.result()
    if not streams:
        body = with_report(served.body, served.report)
        await send_block(send, 200, b"application/json", block_of(request_id, served.report), body)
        return
    if screen.head is None:
        screen.begin(served.report)
        await screen.show(send)
    await _send_last(send, stream_tail(served.tail, served.report))


async def _send_last(send: Send, payloads: list[bytes]) -> None:
    for payload in payloads:
        await send({"type": "http.response.body", "body": framed(payload, chunked=False), "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
