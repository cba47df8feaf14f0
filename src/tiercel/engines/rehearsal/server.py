"""The rehearsal on a real loopback port, for tests, benchmarks and people with curl."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Final
from urllib.parse import quote

from tiercel.engines.rehearsal.ledger import Ledger
from tiercel.engines.rehearsal.part import Part
from tiercel.engines.rehearsal.player import Choose, Player, by_name

UNRESOLVABLE_URL: Final = "http://engine.invalid/v1"
"""A host that no name server may know (RFC 2606)."""


class Stage:
    """Where the engine is, and what it saw."""

    def __init__(self, host: str, port: int, ledger: Ledger) -> None:
        self.host = host
        self.port = port
        self.ledger = ledger

    @property
    def origin(self) -> str:
        """The address without a path, as Anthropic's client wants it."""
        return f"http://{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The address with ``/v1``, as OpenAI's clients want it."""
        return f"{self.origin}/v1"

    def url_as(self, part: Part) -> str:
        """Address an engine that plays this part for every request, whatever model it names."""
        return f"{self.origin}/as/{quote(part.as_model(), safe='')}/v1"


@contextlib.asynccontextmanager
async def rehearsal_server(
    choose: Choose = by_name, *, ledger: Ledger | None = None, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[Stage]:
    """Serve until the block ends, then drop every connection; port 0 takes a free one."""
    loop = asyncio.get_running_loop()
    book = Ledger() if ledger is None else ledger
    players: set[_Open] = set()
    server = await loop.create_server(lambda: _Open(choose, book, loop, players), host, port, backlog=1024)
    stage = Stage(host, server.sockets[0].getsockname()[1], book)
    try:
        yield stage
    finally:
        server.close()
        for player in list(players):
            player.drop()
        await server.wait_closed()
        await book.until(lambda: not players)


@contextlib.contextmanager
def refused_url() -> Iterator[str]:
    """Give an address where nobody listens, and hold its port so that nobody can begin to."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}/v1"


class _Open(Player):
    """A player that its server can drop."""

    def __init__(self, choose: Choose, ledger: Ledger, loop: asyncio.AbstractEventLoop, players: set[_Open]) -> None:
        super().__init__(choose, ledger, loop)
        self._players = players

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._players.add(self)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._players.discard(self)
        super().connection_lost(exc)

    def drop(self) -> None:
        if self._transport is not None:
            self._transport.abort()
