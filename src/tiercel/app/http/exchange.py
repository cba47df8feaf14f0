"""The two ends of one answer: the connection it is written to, and whoever writes it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from tiercel.app.http.reader import Job

__all__ = ["Exchange", "Handler", "Wire"]


class Wire(Protocol):
    """The connection, as seen by whoever answers a job."""

    loop: asyncio.AbstractEventLoop
    # Puts bytes on the wire; never waits.
    write: Callable[[bytes], None]
    # The client reads more slowly than we write.
    congested: bool

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
