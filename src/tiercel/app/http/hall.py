"""What all connections of one process share: who is in, how much they hold, and where a job goes."""

from __future__ import annotations

import asyncio
from collections.abc import MutableSet
from typing import Any

from tiercel.app.http.asgi import App
from tiercel.app.http.cycle import Cycle, scope_of
from tiercel.app.http.ends import Ends
from tiercel.app.http.entry import caller_id
from tiercel.app.http.exchange import Exchange, Handler, Wire
from tiercel.app.http.heads import Calendar
from tiercel.app.http.hot import Hot
from tiercel.app.http.job import Job
from tiercel.app.http.parts import Parts
from tiercel.app.http.rules import Rules
from tiercel.app.http.visitors import Visitors

__all__ = ["Hall"]


class Hall:
    """The shared side of the door."""

    def __init__(self, parts: Parts, app: App, tasks: MutableSet[asyncio.Task[Any]], *, hot: bool = True) -> None:
        self.parts = parts
        self.limits = parts.limits
        self.clock = parts.clock
        self.tally = parts.tally
        self.calendar = Calendar(parts.wall_s)
        self.rules = Rules(parts.limits, Visitors(parts.hosts, parts.origins))
        self._app = app
        self._tasks = tasks
        self._hot: dict[bytes, Handler] = Hot(parts, self.calendar, tasks).handlers() if hot else {}
        self._inside = 0
        self._by_address: dict[str, int] = {}
        # Bodies on their way, over all connections.
        self.partial_bytes = 0

    def enter(self, address: str) -> bool:
        """Count a connection in, unless the house or its address has as many as it may."""
        limits = self.limits
        here = self._by_address.get(address, 0)
        per_address = limits.connections_per_address
        if limits.connections and self._inside >= limits.connections:
            self.tally("refused.connections")
            return False
        if address and per_address and here >= per_address:
            self.tally("refused.connections_per_address")
            return False
        self._inside += 1
        self._by_address[address] = here + 1
        return True

    def leave(self, address: str) -> None:
        """Count it out."""
        self._inside -= 1
        here = self._by_address[address] - 1
        if here:
            self._by_address[address] = here
        else:
            del self._by_address[address]

    def new_id(self, job: Job) -> str:
        """Return the id under which this job is answered and logged."""
        return caller_id(job.head, self.parts.ids)

    def begin(self, job: Job, wire: Wire, ends: Ends, state: dict[str, Any]) -> Exchange | None:
        """Start answering."""
        if job.method == b"POST":
            handler = self._hot.get(job.target)
            if handler is not None:
                return handler(job, wire)
        request_id = self.new_id(job)
        cycle = Cycle(job, wire, self.calendar, request_id)
        cycle.start(self._app, scope_of(job, ends, request_id, state), self._tasks)
        return cycle
