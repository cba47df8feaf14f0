"""What all connections of one process share: who is in, how much they hold, and where a job goes."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import MutableSet
from typing import Any

from tiercel.app.http.asgi import App
from tiercel.app.http.cycle import Cycle, Place, scope_of
from tiercel.app.http.entry import caller_id
from tiercel.app.http.exchange import Exchange, Handler, Wire
from tiercel.app.http.heads import Calendar
from tiercel.app.http.hot import Hot
from tiercel.app.http.job import Job
from tiercel.app.http.parts import Parts
from tiercel.app.http.visitors import Visitors

__all__ = ["Ends", "Hall"]


class Ends:
    """The two addresses of one connection, and whether it is encrypted."""

    __slots__ = ("address", "client", "scheme", "server")

    def __init__(self, transport: asyncio.BaseTransport) -> None:
        self.client = _place(transport.get_extra_info("peername"))
        self.server = _place(transport.get_extra_info("sockname"))
        self.scheme = "https" if transport.get_extra_info("sslcontext") else "http"
        self.address = _address(self.client)


def _place(name: object) -> Place:
    match name:
        case (str(host), int(port), *_):
            return host, port
        case _:
            return None


def _address(place: Place) -> str:
    """Return what a cap is counted by: one IPv4 address, one IPv6 network of 64 bits; nothing for a local socket."""
    if place is None or ":" not in place[0]:
        return place[0] if place else ""
    address = ipaddress.IPv6Address(place[0].partition("%")[0])
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((address.packed[:8] + bytes(8), 64)))


class Hall:
    """The shared side of the door."""

    def __init__(self, parts: Parts, app: App, tasks: MutableSet[asyncio.Task[Any]], *, hot: bool = True) -> None:
        self.parts = parts
        self.limits = parts.limits
        self.clock = parts.clock
        self.tally = parts.tally
        self.calendar = Calendar(parts.wall_s)
        self.visitors = Visitors(parts.hosts, parts.origins)
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
        cycle = Cycle(job, wire, self.calendar, self.new_id(job))
        scope = scope_of(job, server=ends.server, client=ends.client, scheme=ends.scheme, state=state)
        cycle.start(self._app, scope, self._tasks)
        return cycle
