"""The door: one connection from its first byte to its last, answering in order, bounded in every direction.

uvicorn opens the sockets, brings TLS and signals, and asks for a graceful end; all that is said over a connection is
said here. ``make_door`` returns what uvicorn takes as its ``http`` protocol.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any, Protocol, cast

from tiercel.app.http import faults
from tiercel.app.http.ends import Ends
from tiercel.app.http.exchange import Exchange, refuse
from tiercel.app.http.hall import Hall
from tiercel.app.http.job import Job
from tiercel.app.http.parts import Parts
from tiercel.app.http.reader import Phase, Reader
from tiercel.app.http.timer import NEVER, Timer
from tiercel.terms.errors import TiercelError

__all__ = ["Door", "ServerState", "make_door"]

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


_BETWEEN, _HEAD, _BODY = Phase


class Door(asyncio.Protocol):
    """One connection.

    Jobs wait in the reader's queue and are begun one at a time, so replies leave in the order of their requests.
    """

    __slots__ = (
        "_body_since_s",
        "_closing",
        "_ends",
        "_exchange",
        "_hall",
        "_idle_due_s",
        "_idle_s",
        "_inside",
        "_leaving",
        "_limits",
        "_linger_due_s",
        "_now_s",
        "_part",
        "_part_bytes",
        "_part_since_s",
        "_paused",
        "_reader",
        "_refused",
        "_server",
        "_stalled_due_s",
        "_state",
        "_timer",
        "_transport",
        "congested",
        "loop",
    )

    _transport: asyncio.Transport
    _ends: Ends

    def __init__(self, hall: Hall, server: ServerState, state: dict[str, Any], loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.congested = False
        self._hall = hall
        self._server = server
        self._state = state
        self._limits = hall.limits
        self._now_s = hall.clock.now_s
        self._idle_s = hall.limits.idle_s
        self._reader = Reader(hall.rules, hall.clock)
        self._timer = Timer(loop, hall.clock, self._ring)
        self._exchange: Exchange | None = None
        self._inside = False
        # Ends after the reply under way; has said its last word.
        self._leaving = False
        self._closing = False
        # Is being told why it is refused, and may not have heard it while it still sends.
        self._refused = False
        self._paused = False
        # The half message that a clock runs on: its number, when it and its body began, and what is held of it.
        self._part = 0
        self._part_since_s = 0.0
        self._body_since_s = NEVER
        self._part_bytes = 0
        self._idle_due_s = self._stalled_due_s = self._linger_due_s = NEVER

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let a client in, if there is room."""
        # uvloop's transports keep the interface without the class.
        transport = cast("asyncio.Transport", transport)
        self._transport = transport
        self._server.connections.add(self)
        self._ends = Ends(transport)
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            # Without it the first event of a stream waits for the acknowledgement of its head: 40 ms for nothing.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport.set_write_buffer_limits(high=self._limits.write_buffer_bytes)
        self._inside = self._hall.enter(self._ends.address)
        if self._inside:
            self._idle_due_s = self._now_s() + self._idle_s
            self._timer.by(self._idle_due_s)
        else:
            self._reader.fail(faults.busy("too many connections"))
            self._pump()

    def data_received(self, data: bytes) -> None:
        """Read requests, and begin the first of them when nothing is under way."""
        if self._closing:
            return
        reader = self._reader
        reader.feed(data)
        if self._exchange is None and reader.jobs:
            self._pump()
        if reader.phase is not _BETWEEN or self._part_bytes or reader.jobs:
            self._half()

    def eof_received(self) -> None:
        """Take the client's last byte as its leaving: one that still waits for a reply keeps its side open."""
        self._drop()
        self._close(linger=False)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget this connection, and stop what was done for it."""
        self._closing = True
        self._drop()
        self._timer.stop()
        self._reader.end()
        self._hold(0)
        self._server.connections.discard(self)
        if self._inside:
            self._hall.leave(self._ends.address)

    def pause_writing(self) -> None:
        """Hold the engine and start a clock: the client reads more slowly than we write."""
        self.congested = True
        self._stalled_due_s = self._now_s() + self._limits.stalled_s
        self._timer.by(self._stalled_due_s)
        if self._exchange is not None:
            self._exchange.congestion(held=True)

    def resume_writing(self) -> None:
        """Go on: the client has caught up."""
        self.congested = False
        self._stalled_due_s = NEVER
        if self._exchange is not None:
            self._exchange.congestion(held=False)
        else:
            self._pump()

    # What uvicorn calls.

    def shutdown(self) -> None:
        """End gracefully: now when idle, else after the reply under way."""
        self._leaving = True
        if self._exchange is None and not self._reader.jobs:
            self._close(linger=False)

    # What an exchange calls.

    def write(self, data: bytes) -> None:
        """Put bytes on the wire."""
        self._transport.write(data)

    def stays(self, job: Job) -> bool:
        """Whether the connection is kept after this job."""
        return job.keep and not self._leaving

    def finished(self, *, keep: bool) -> None:
        """Go on with the next job, or wait for it, or end."""
        self._server.total_requests += 1
        pending = self._exchange is not None
        self._exchange = None
        if not keep:
            self._close(linger=self._refused)
            return
        self._idle_due_s = due_s = self._now_s() + self._idle_s
        self._timer.by(due_s)
        reader = self._reader
        # A reply that was complete at once returns into the loop that asked for it.
        if pending and (reader.jobs or reader.expects or self._paused):
            self._pump()

    def abort(self) -> None:
        """Cut the connection."""
        self._closing = True
        self._transport.abort()

    # The rest is between us and the clock.

    def _pump(self) -> None:
        """Begin jobs while nothing is under way and the client takes what it is given."""
        reader = self._reader
        while self._exchange is None and not self._closing and not self.congested:
            if not reader.jobs and reader.unread:
                reader.go_on()
            if not reader.jobs:
                break
            self._exchange = self._begin(reader.take())
        if self._closing:
            return
        if self._paused and not reader.full and not reader.unread:
            self._paused = False
            # The clocks stood while we did not listen.
            self._part = 0
            self._transport.resume_reading()
            self._half()
        if reader.expects:
            self._continue()

    def _begin(self, job: Job) -> Exchange | None:
        if job.refused is None:
            return self._hall.begin(job, self, self._ends, self._state)
        self._refused = True
        self._hall.tally(f"refused.{job.refused.code}")
        refuse(job.refused, job, self, self._hall.calendar, self._hall.new_id(job))
        return None

    def _half(self) -> None:
        """Look after half a request: how much is held of it, and how long it may take."""
        reader = self._reader
        if reader.full or reader.unread:
            self._pause()
        self._hold(reader.partial_bytes if reader.phase is _BODY else 0)
        if reader.phase is _BETWEEN:
            return
        if self._part != reader.serial:
            self._part = reader.serial
            self._part_since_s = self._now_s()
            self._body_since_s = NEVER
        if reader.phase is _BODY and self._body_since_s == NEVER:
            self._body_since_s = self._now_s()
            if reader.expects:
                self._continue()
        self._timer.by(self._part_due_s())

    def _hold(self, size: int) -> None:
        """Account for the half body that is held, in a sum that all connections share."""
        hall = self._hall
        hall.partial_bytes += size - self._part_bytes
        self._part_bytes = size
        if size and hall.partial_bytes > self._limits.partial_bytes:
            self._fail("refused.partial_bytes", faults.busy("too many bodies are on their way"))

    def _continue(self) -> None:
        """Ask for the body that the client holds back, once it is its turn."""
        reader = self._reader
        if self._exchange is None and not reader.jobs and reader.phase is _BODY:
            reader.expects = False
            if not reader.partial_bytes:
                self.write(_CONTINUE)
            self._body_since_s = self._now_s()
            self._timer.by(self._part_due_s())

    def _part_due_s(self) -> float:
        """Return when the half request that is there must have become more."""
        reader = self._reader
        limits = self._limits
        if self._paused or reader.expects or reader.phase is _BETWEEN:
            return NEVER
        if reader.phase is _HEAD:
            return self._part_since_s + limits.head_s
        paced_s = limits.body_grace_s + reader.partial_bytes / limits.body_bytes_per_s
        return self._body_since_s + min(limits.body_s, paced_s)

    def _ring(self, now_s: float) -> float:
        """Do what is due, and say when to be asked again."""
        if now_s >= (self._linger_due_s if self._closing else self._stalled_due_s):
            self._hall.tally("clock.linger" if self._closing else "clock.stalled")
            self.abort()
            return NEVER
        if self._closing:
            return self._linger_due_s
        due_s = self._part_due_s()
        if now_s >= due_s:
            part = "head" if self._reader.phase is _HEAD else "body"
            self._fail(f"clock.{part}", faults.slow(f"the {part} of the request did not come in time"))
            return self._stalled_due_s
        if self._exchange is None and due_s == NEVER and not self.congested:
            if now_s >= self._idle_due_s:
                self._hall.tally("clock.idle")
                self._close(linger=False)
                return self._linger_due_s
            due_s = self._idle_due_s
        return min(due_s, self._stalled_due_s)

    def _fail(self, event: str, refused: TiercelError) -> None:
        """Give up on half a request: what came before it is answered, then this, then the connection ends."""
        self._hall.tally(event)
        self._reader.fail(refused)
        self._hold(0)
        if self._exchange is None:
            self._pump()

    def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def _drop(self) -> None:
        """Stop what is under way: nobody waits for it."""
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.left()

    def _close(self, *, linger: bool) -> None:
        """Say nothing more; what was written still goes out, for so long.

        To close while the client sends would make the kernel throw away our answer with its bytes, so a refused
        client is read to its end first.
        """
        if self._closing:
            return
        self._closing = True
        transport = self._transport
        wait_s = self._limits.stalled_s if transport.get_write_buffer_size() else self._limits.linger_s
        self._linger_due_s = self._now_s() + wait_s
        self._timer.by(self._linger_due_s)
        if linger and transport.can_write_eof():
            transport.write_eof()
            if self._paused:
                transport.resume_reading()
        else:
            transport.close()


class ServerState(Protocol):
    """The little that is used of uvicorn's."""

    total_requests: int
    connections: set[Any]
    tasks: set[asyncio.Task[Any]]


class _Config(Protocol):
    """The same of its configuration."""

    loaded: bool
    loaded_app: Any

    def load(self) -> None: ...


def make_door(parts: Parts, *, hot: bool = True) -> type[asyncio.Protocol]:
    """Return the protocol class that uvicorn is given; without ``hot`` every job takes the long way."""
    halls: list[Hall] = []

    def hall_of(config: _Config, server: ServerState) -> Hall:
        if not halls:
            if not config.loaded:
                config.load()
            halls.append(Hall(parts, config.loaded_app, server.tasks, hot=hot))
        return halls[0]

    class UvicornDoor(Door):
        __slots__ = ()

        def __init__(
            self,
            config: _Config,
            server_state: ServerState,
            app_state: dict[str, Any],
            _loop: asyncio.AbstractEventLoop | None = None,
        ) -> None:
            hall = hall_of(config, server_state)
            super().__init__(hall, server_state, app_state, _loop or asyncio.get_running_loop())

    return UvicornDoor
