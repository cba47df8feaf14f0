"""A server that really runs, over engines that really listen: what the tests with real clients stand on.

Both live on one event loop in a thread of its own, so that a client in a test is as far away as any other client.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from typing import TypeVar

import msgspec
import uvicorn
from anyio.from_thread import BlockingPortal, start_blocking_portal

from tiercel.app.http.door import make_door
from tiercel.app.http.limits import LIMITS, Limits
from tiercel.app.http.routes import build_app
from tiercel.app.server import parts_of
from tiercel.app.settings import Loaded, Secret, ServerSpec
from tiercel.app.settings.shape import DEFAULTS
from tiercel.app.wire import Built, build
from tiercel.engines.catalogue.spec import EngineSpec
from tiercel.engines.rehearsal.ledger import Ledger
from tiercel.engines.rehearsal.part import Part
from tiercel.engines.rehearsal.server import Stage, rehearsal_server
from tiercel.route.spec import TierSpec

__all__ = ["CANARY_KEY", "Live", "engine", "running"]

CANARY_KEY = "sk-canary-6f1d"
SOON_S = 10.0
T = TypeVar("T")


def engine(part: str = "plain", *, gap_ms: float = 200.0) -> EngineSpec:
    """Describe an engine that plays this part, whatever it is asked; a connect may wait for a busy machine."""
    return EngineSpec(kind="openai", model=part, gap_ms=gap_ms, connect_ms=5000.0)


class Live:
    """A running house: where it is, and what its engines saw of it."""

    def __init__(self, portal: BlockingPortal, stage: Stage, built: Built, server: uvicorn.Server, port: int) -> None:
        self._portal = portal
        self._stage = stage
        self.built = built
        self.server = server
        self.port = port
        self.origin = f"http://127.0.0.1:{port}"
        self.url = f"{self.origin}/v1"

    @property
    def ledger(self) -> Ledger:
        """What all engines saw together."""
        return self._stage.ledger

    def attempts(self, name: str) -> int:
        """Count how often an engine was asked."""
        return self.ledger.count(model=name)

    def body_heard(self, name: str) -> dict[str, msgspec.Raw]:
        """Return the top level of what an engine was last sent."""
        bodies = [heard.body for heard in self.ledger.heard if heard.model == name]
        return msgspec.json.decode(bodies[-1], type=dict[str, msgspec.Raw])

    def until(self, reached: Callable[[], bool]) -> None:
        """Wait for something that the engines see."""

        async def soon() -> None:
            await asyncio.wait_for(self.ledger.until(reached), SOON_S)

        self._portal.call(soon)

    def settle(self) -> None:
        """Wait until nobody is connected to anything any more."""

        async def soon() -> None:
            await asyncio.wait_for(self.ledger.until(lambda: self.ledger.open_sockets == 0), SOON_S)
            async with asyncio.timeout(SOON_S):
                while self.server.server_state.connections:  # noqa: ASYNC110 - uvicorn's set tells nobody
                    await asyncio.sleep(0)

        self._portal.call(soon)

    def run(self, work: Callable[[], Coroutine[object, object, T]]) -> T:
        """Run something on the server's own loop, where nothing can happen between two of its steps."""
        return self._portal.call(work)

    def tasks(self) -> int:
        """Count what runs on the server's loop, in a moment in which nothing else does."""
        return self._portal.call(lambda: len(asyncio.all_tasks()))


@contextlib.contextmanager
def running(
    engines: Mapping[str, EngineSpec],
    ladder: TierSpec | None = None,
    *,
    limits: Limits = LIMITS,
    max_running: int = 10_000,
) -> Iterator[Live]:
    """Run a house over these engines; ``ladder`` is Silver's. An engine's ``model`` says which part it plays."""
    with start_blocking_portal(backend_options={"use_uvloop": True}) as portal:
        stage_of = portal.wrap_async_context_manager(rehearsal_server())
        with stage_of as stage:
            loaded = _loaded(engines, ladder, stage, ServerSpec(limits=limits, max_running=max_running))
            # Built out here: reading the books of lines is no work for a loop that serves.
            built = build(loaded)
            served = portal.wrap_async_context_manager(_served(built, loaded.settings.server))
            with served as (server, port):
                yield Live(portal, stage, built, server, port)


def _loaded(engines: Mapping[str, EngineSpec], ladder: TierSpec | None, stage: Stage, server: ServerSpec) -> Loaded:
    settings = msgspec.structs.replace(
        DEFAULTS,
        server=server,
        engines=DEFAULTS.engines | {name: _at(stage, name, spec) for name, spec in engines.items()},
        tiers=DEFAULTS.tiers | ({} if ladder is None else {"silver": ladder}),
    )
    return Loaded(settings=settings, secrets={name: Secret(CANARY_KEY) for name in engines})


def _at(stage: Stage, name: str, spec: EngineSpec) -> EngineSpec:
    if not spec.is_model:
        return spec
    url = stage.url_as(Part.from_model(spec.model))
    return msgspec.structs.replace(spec, url=url, model=name)


@contextlib.asynccontextmanager
async def _served(built: Built, spec: ServerSpec) -> AsyncIterator[tuple[uvicorn.Server, int]]:
    parts = parts_of(built, spec)
    config = uvicorn.Config(
        build_app(parts),
        http=make_door(parts),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    door = socket.create_server(("127.0.0.1", 0), backlog=2048)
    port: int = door.getsockname()[1]
    # The socket listens already, so that whoever comes before the server does waits for it.
    serving = asyncio.get_running_loop().create_task(server.serve([door]))
    try:
        yield server, port
    finally:
        server.should_exit = True
        await serving
        await built.aclose()
