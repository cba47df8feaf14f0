"""The short way: a chat or embedding request goes to the flow and its reply to the wire, with one task between."""

from __future__ import annotations

import asyncio
from collections.abc import MutableSet, Sequence
from typing import Any

from tiercel.app.http.entry import READERS, Read, ask_of, caller_id
from tiercel.app.http.exchange import Exchange, Handler, Wire, refuse
from tiercel.app.http.heads import Calendar, block_of, connection_line, status_line
from tiercel.app.http.job import Job
from tiercel.app.http.parts import Flow, Parts
from tiercel.app.http.replies import error_event, framed, grave, stream_tail, with_report
from tiercel.engines.port import Tap
from tiercel.flow import Served
from tiercel.terms.ask import Ask
from tiercel.terms.errors import Refused, TiercelError
from tiercel.terms.reply import Report

__all__ = ["Hot", "HotExchange"]

_OK = status_line(200)
_JSON = _OK + b"content-type: application/json\r\ncontent-length: %d\r\n%b%b%b\r\n%b"
_STREAM = _OK + b"content-type: text/event-stream\r\ncache-control: no-cache\r\n%b%b%b%b\r\n"
_CHUNKED = b"transfer-encoding: chunked\r\n"
_LAST_CHUNK = b"0\r\n\r\n"


class HotExchange:
    """One request on its way through the flow, and the stage on which its stream is shown."""

    # Most requests set none of these, so they are found on the class.
    _gone = False
    # A stream's head waits for its first event, so that both take one write.
    _head = b""
    _keep: bool | None = None
    _tap: Tap | None = None

    def __init__(self, job: Job, wire: Wire, calendar: Calendar, ask: Ask) -> None:
        self._job = job
        self._wire = wire
        self._calendar = calendar
        self._id = ask.id
        self._streams = ask.stream

    def start(self, flow: Flow, ask: Ask, tasks: MutableSet[asyncio.Task[Any]]) -> None:
        """Run the flow; ``tasks`` keeps it alive until it ends, also when the connection is gone before."""
        self._tasks = tasks
        self._task = task = self._wire.loop.create_task(flow.serve(ask, self))
        tasks.add(task)
        task.add_done_callback(self._served)

    # The stage.

    def begin(self, report: Report) -> None:
        """Prepare the head: from now on the reply is this stream."""
        job = self._job
        self._keep = keep = self._wire.stays(job) and not job.http10
        self._head = _STREAM % (
            block_of(self._id, report),
            b"" if job.http10 else _CHUNKED,
            self._calendar.line(),
            connection_line(keep=keep, http10=job.http10),
        )

    def event(self, payload: bytes) -> None:
        """Show one chunk."""
        if not self._gone:
            self._wire.write(self._head + framed(payload, chunked=not self._job.http10))
            self._head = b""

    def bind(self, tap: Tap) -> None:
        """Learn how to hold the engine while the client does not read."""
        self._tap = tap
        if self._wire.congested:
            tap.pause_reading()

    # The exchange.

    def left(self) -> None:
        """Stop: nobody waits any more."""
        self._gone = True
        self._tap = None
        self._task.cancel()

    def congestion(self, *, held: bool) -> None:
        """Pass the client's pace on to the engine."""
        if self._tap is not None:
            if held:
                self._tap.pause_reading()
            else:
                self._tap.resume_reading()

    def _served(self, task: asyncio.Task[Served]) -> None:
        """Write what became of it. A done callback, so that no end of the task goes unseen."""
        self._tasks.discard(task)
        self._tap = None
        if task.cancelled():
            if not self._gone:
                # Somebody else stopped it, as a server does whose time to shut down is over.
                self._wire.abort()
            return
        error = task.exception()
        if self._gone:
            if error is not None and not isinstance(error, TiercelError):
                grave(error, self._id)
            return
        if error is not None:
            self._failed(error if isinstance(error, TiercelError) else grave(error, self._id))
        elif self._streams:
            self._end(task.result())
        else:
            self._reply(task.result())

    def _reply(self, served: Served) -> None:
        job = self._job
        keep = self._wire.stays(job)
        body = with_report(served.body, served.report)
        block = block_of(self._id, served.report)
        line = connection_line(keep=keep, http10=job.http10)
        self._wire.write(_JSON % (len(body), block, self._calendar.line(), line, body))
        self._wire.finished(keep=keep)

    def _end(self, served: Served) -> None:
        if self._keep is None:
            self.begin(served.report)
        self._close_stream(stream_tail(served.tail, served.report))

    def _failed(self, error: TiercelError) -> None:
        if self._keep is None:
            refuse(error, self._job, self._wire, self._calendar, self._id)
        else:
            # Never a clean end on a truncated stream: the error is the last event, and no end mark follows.
            self._close_stream([error_event(error)])

    def _close_stream(self, payloads: Sequence[bytes]) -> None:
        chunked = not self._job.http10
        frames = [framed(payload, chunked=chunked) for payload in payloads]
        self._wire.write(b"".join([self._head, *frames, _LAST_CHUNK if chunked else b""]))
        self._wire.finished(keep=self._keep is True)


class Hot:
    """Starts hot requests. ``tasks`` is the server's set of running tasks, which it waits for when it shuts down."""

    def __init__(self, parts: Parts, calendar: Calendar, tasks: MutableSet[asyncio.Task[Any]]) -> None:
        self._parts = parts
        self._calendar = calendar
        self._tasks = tasks

    def handlers(self) -> dict[bytes, Handler]:
        """Return the targets that go this way when they are posted to."""
        return {path.encode(): self._handler(read) for path, read in READERS.items()}

    def _handler(self, read: Read) -> Handler:
        parts, calendar, tasks = self._parts, self._calendar, self._tasks
        flow, ids, limits = parts.flow, parts.ids, parts.limits

        def handle(job: Job, wire: Wire) -> Exchange | None:
            request_id = caller_id(job.head, ids)
            try:
                ask = ask_of(read, job.head, job.body, request_id, limits, job.received_s)
            except Refused as error:
                refuse(error, job, wire, calendar, request_id)
                return None
            exchange = HotExchange(job, wire, calendar, ask)
            exchange.start(flow, ask, tasks)
            return exchange

        return handle
