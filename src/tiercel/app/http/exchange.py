"""The two ends of one answer: the connection it is written to, and whoever writes it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from tiercel.app.http.heads import Calendar, connection_line, status_line
from tiercel.app.http.job import Job
from tiercel.app.http.replies import error_reply
from tiercel.terms.errors import TiercelError

__all__ = ["Exchange", "Handler", "Wire", "refuse"]


class Wire(Protocol):
    """The connection, as seen by whoever answers a job."""

    loop: asyncio.AbstractEventLoop
    # The client reads more slowly than we write.
    congested: bool

    def write(self, data: bytes) -> None:
        """Put bytes on the wire; never waits."""
        ...

    def stays(self, job: Job) -> bool:
        """Whether the connection will be kept after this job; asked when the head of its reply is written."""
        ...

    def finished(self, *, keep: bool) -> None:
        """Learn that the reply is complete."""
        ...

    def abort(self) -> None:
        """Cut the connection: the reply cannot be completed, and the client must see that."""
        ...


class Exchange(Protocol):
    """One answer in the making."""

    def left(self) -> None:
        """Learn that the client is gone: stop at once."""
        ...

    def congestion(self, *, held: bool) -> None:
        """Learn that the client has stopped reading, or goes on."""
        ...


# Takes a job; returns what is under way, or None when the reply was complete at once.
Handler = Callable[[Job, Wire], Exchange | None]


def refuse(error: TiercelError, job: Job, wire: Wire, calendar: Calendar, request_id: str) -> None:
    """Answer with an error, and finish."""
    keep = wire.stays(job)
    reply = error_reply(error, request_id)
    line = connection_line(keep=keep, http10=job.http10)
    body = b"" if job.method == b"HEAD" else reply.body
    wire.write(
        b"%bcontent-type: application/json\r\ncontent-length: %d\r\n%b%b%b\r\n%b"
        % (status_line(reply.status), len(reply.body), reply.block, calendar.line(), line, body)
    )
    wire.finished(keep=keep)
