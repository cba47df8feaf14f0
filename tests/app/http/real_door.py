"""The door inside uvicorn, on a loopback socket: for what only the real thing can show."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn

from tiercel.app.http.door import make_door
from tiercel.app.http.parts import Parts
from tiercel.app.http.routes import build_app

__all__ = ["RealDoor", "exchange", "real_door"]


class RealDoor(uvicorn.Server):
    """uvicorn's server, which says when it is up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()
        self.port = 0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()


@asynccontextmanager
async def real_door(parts: Parts, *, hot: bool = True, certificate: Path | None = None) -> AsyncIterator[RealDoor]:
    """Serve on a free port of 127.0.0.1."""
    config = uvicorn.Config(
        build_app(parts),
        http=make_door(parts, hot=hot),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        ssl_certfile=certificate,
    )
    server = RealDoor(config)
    listener = socket.create_server(("127.0.0.1", 0))
    server.port = listener.getsockname()[1]
    serving = asyncio.ensure_future(server.serve([listener]))
    await server.up.wait()
    try:
        yield server
    finally:
        server.should_exit = True
        await serving


async def exchange(port: int, sent: bytes) -> bytes:
    """Send, and return all that is heard until the door closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(sent)
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()
