"""A network in memory: ports to listen on, connections of bytes to make, and the faults that befall both.

Under the clients of a simulated world lies this instead of sockets, so that parsing, keep-alive, cancelling and
half-closing are the product's own. Everything is decided by the loop's time and one stream of random numbers:

- a connection takes a round trip; the server meets it when the client's first bytes may arrive;
- a port nobody listens on, or whose listener is ``down()``, refuses after a round trip;
- a listener that does ``swallow()`` lets connections begin and never answers them;
- a host that nobody ever listened on does not resolve;
- ``listener.reset()`` cuts every connection it has, ``transport.reset()`` one.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import random
import socket
from collections.abc import Callable
from typing import TypeVar

from tiercel.sim.pipe import Item, Link, Mark, Pipe
from tiercel.sim.transport import End, Meter

__all__ = ["Link", "Listener", "Network"]

P = TypeVar("P", bound=asyncio.BaseProtocol)

_FIRST_FREE_PORT = 32_768
_FREE_PORTS = 28_232


class Listener(asyncio.AbstractServer):
    """A port of a simulated host, and the switch for what happens to those who knock."""

    def __init__(
        self, network: Network, host: str, port: int, factory: Callable[[], asyncio.BaseProtocol], link: Link
    ) -> None:
        self.host = host
        self.port = port
        # Assign another one to change the weather.
        self.link = link
        self._network = network
        self._factory = factory
        self._ends: dict[End, None] = {}
        self._up = True
        self._swallowing = False
        self._closed = asyncio.Event()

    def up(self) -> None:
        """Accept connections again."""
        self._up, self._swallowing = True, False

    def down(self) -> None:
        """Refuse new connections; those that are open stay."""
        self._up, self._swallowing = False, False

    def swallow(self) -> None:
        """Be a black hole: new connections are neither made nor refused, and are lost even if it comes up later."""
        self._up, self._swallowing = False, True

    def reset(self) -> None:
        """Cut every open connection, as when the process behind the port dies."""
        for end in tuple(self._ends):
            end.reset()

    def swallows(self) -> bool:
        """Whether those who knock hear nothing at all."""
        return self._swallowing

    def accept(self, end: End) -> bool:
        """Hand a connection to a new protocol, unless the port is no longer served."""
        if not self.is_serving():
            return False
        self._ends[end] = None
        self._network.remember(end)
        end.begin(self._factory(), self._forget)
        return True

    def _forget(self, end: End) -> None:
        del self._ends[end]
        self._network.forget(end)

    # The face of an asyncio server.

    def close(self) -> None:
        self._up, self._swallowing = False, False
        self._network.release(self)
        self._closed.set()

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._network.loop

    def is_serving(self) -> bool:
        return self._up and not self._closed.is_set()

    async def start_serving(self) -> None:
        """Do nothing: it serves from the start."""

    async def serve_forever(self) -> None:
        try:
            await self._closed.wait()
        finally:
            self.close()

    async def wait_closed(self) -> None:
        await self._closed.wait()


class Network:
    """All simulated hosts, and the books on what they sent each other."""

    def __init__(self, loop: asyncio.AbstractEventLoop, rng: random.Random, *, link: Link | None = None) -> None:
        self.loop = loop
        self.meter = Meter()
        # The way to ports that nobody listens on.
        self.link = link or Link()
        self._rng = rng
        self._listeners: dict[tuple[str, int], Listener] = {}
        self._hosts: set[str] = {"localhost"}
        self._ends: dict[End, None] = {}
        self._connecting: dict[object, str] = {}
        self._ports = 0

    def listen(
        self, host: str, port: int, protocol_factory: Callable[[], asyncio.BaseProtocol], *, link: Link | None = None
    ) -> Listener:
        """Serve a port, port 0 for any free one; one protocol is made for every connection."""
        port = port or self._free_port()
        if (host, port) in self._listeners:
            raise OSError(errno.EADDRINUSE, f"{host}:{port} is being listened on already")
        listener = Listener(self, host, port, protocol_factory, link or Link())
        self._listeners[host, port] = listener
        self._hosts.add(host)
        return listener

    async def connect(self, protocol_factory: Callable[[], P], host: str, port: int) -> tuple[End, P]:
        """Connect to a port; raises what a socket would, after the time that it would take."""
        if not self._resolves(host):
            raise socket.gaierror(socket.EAI_NONAME, f"no such host: {host}")
        listener = self._listeners.get((host, port))
        answer: asyncio.Future[tuple[End, P]] = self.loop.create_future()

        def knock() -> None:
            if listener is None or not listener.swallows():
                self.loop.call_later(self._one_way_s(listener), reply)

        def reply() -> None:
            if answer.done():
                return
            if listener is None or not listener.is_serving():
                answer.set_exception(ConnectionRefusedError(errno.ECONNREFUSED, f"{host}:{port} refused"))
                return
            end = self._open(listener)
            protocol = protocol_factory()
            end.begin(protocol, self.forget)
            answer.set_result((end, protocol))

        self._connecting[answer] = f"connecting to {host}:{port}"
        self.loop.call_later(self._one_way_s(listener), knock)
        try:
            return await answer
        except asyncio.CancelledError:
            if answer.done() and not answer.cancelled():
                # Made and given up in one instant: the caller will never see it, so nobody else would close it.
                answer.result()[0].close()
            raise
        finally:
            del self._connecting[answer]

    def release(self, listener: Listener) -> None:
        """Give a port back."""
        if self._listeners.get((listener.host, listener.port)) is listener:
            del self._listeners[listener.host, listener.port]

    def remember(self, end: End) -> None:
        """Put an end that is about to begin on the list of open ones."""
        self._ends[end] = None

    def forget(self, end: End) -> None:
        """Strike a lost connection off the list of open ones."""
        del self._ends[end]

    def open_ends(self) -> tuple[End, ...]:
        """Return every end of a connection that was made and is not lost, oldest first."""
        return tuple(self._ends)

    def unfinished(self) -> tuple[str, ...]:
        """Say in words what is open, being opened, or under way."""
        ends = [f"{end.label} is open" for end in self._ends]
        flying = self.meter.flying_bytes
        return (*ends, *self._connecting.values(), *([f"{flying} bytes are under way"] if flying else []))

    def _open(self, listener: Listener) -> End:
        """Make both ends; the server's begins when it hears that the client's has."""
        near = ("127.0.0.1", self._free_port())
        far = (listener.host, listener.port)
        there = Pipe(self.loop, self._rng, listener)
        back = Pipe(self.loop, self._rng, listener)
        client = End(self.loop, inbound=back, outbound=there, meter=self.meter, names=("client", near, far))
        server = End(self.loop, inbound=there, outbound=back, meter=self.meter, names=("server", far, near))

        def opened(_: Item) -> None:
            there.join(server.take, client.freed)
            if not listener.accept(server):
                back.send(Mark.RESET)

        there.join(opened, client.freed)
        back.join(client.take, server.freed)
        there.send(Mark.OPEN)
        self.meter.opened += 1
        self.remember(client)
        return client

    def _one_way_s(self, listener: Listener | None) -> float:
        link = self.link if listener is None else listener.link
        return link.latency_s + (self._rng.uniform(0.0, link.spread_s) if link.spread_s else 0.0)

    def _free_port(self) -> int:
        self._ports += 1
        return _FIRST_FREE_PORT + self._ports % _FREE_PORTS

    def _resolves(self, host: str) -> bool:
        if host in self._hosts:
            return True
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return False
        return True
