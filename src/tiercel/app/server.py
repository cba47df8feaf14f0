"""Runs the house: the door on a socket, until it is told to stop."""

from __future__ import annotations

import itertools
import secrets
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import msgspec
import uvicorn

from tiercel.app.http.door import make_door
from tiercel.app.http.parts import ModelCard, Parts
from tiercel.app.http.routes import build_app
from tiercel.app.http.visitors import LOOPBACK
from tiercel.app.settings import Loaded, ServerSpec
from tiercel.app.wire import Built, build
from tiercel.engines.judge.health import BreakerState
from tiercel.telemetry.prometheus import Exposition, expose

__all__ = ["EngineCard", "parts_of", "serve"]

BACKLOG = 2048


class EngineCard(msgspec.Struct, frozen=True, kw_only=True):
    """One engine as ``/v1/engines`` shows it: what it is, what it is doing, and why it may not be asked."""

    name: str
    kind: str
    model: str
    state: str
    breakers: tuple[BreakerState, ...]
    in_flight: int
    # By class of prompt size: below 1, 4, 16, 64 KiB and above; null where nobody has measured.
    p50_first_ms: tuple[float | None, ...]
    p50_whole_ms: tuple[float | None, ...]


def parts_of(built: Built, spec: ServerSpec) -> Parts:
    """Return what the door needs of a house."""
    counter = itertools.count(1)
    process = secrets.token_hex(5)
    names = {spec.host.lower(), *(host.lower() for host in spec.allowed_hosts)}
    return Parts(
        flow=built.flow,
        ids=lambda: f"{process}-{next(counter):x}",
        models=lambda: _models(built),
        engines=lambda: _engines(built),
        metrics=lambda accept: _metrics(built, accept),
        ready=lambda: "",
        limits=spec.limits,
        clock=built.house.clock,
        # Behind a proxy the Host is the proxy's business; alone, only the names we know are ours.
        hosts=None if spec.behind_proxy and not spec.allowed_hosts else LOOPBACK | names,
    )


async def serve(loaded: Loaded, ready: Callable[[], None], door: socket.socket | None = None) -> None:
    """Serve until SIGINT or SIGTERM; ``ready`` is called once, when the socket takes connections.

    ``door`` is a socket that listens already; without it one is opened at the configured address.
    """
    built = build(loaded)
    spec = loaded.settings.server
    parts = parts_of(built, spec)
    config = uvicorn.Config(
        build_app(parts),
        host=spec.host,
        port=spec.port,
        http=make_door(parts),
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=max(1, round(spec.drain_ms / 1e3)),
    )
    try:
        await _Server(config, ready).serve(None if door is None else [door])
    finally:
        await built.aclose()


class _Server(uvicorn.Server):
    """uvicorn's server, which says when it is up, and ends without ending the process."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on a signal, and do not raise it again afterwards: engines are still to be closed."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


def _models(built: Built) -> Sequence[ModelCard]:
    tiers = [tier for tier, spec in built.house.chart.tiers.items() if spec.rungs]
    return [ModelCard(id=name) for name in ("auto", *tiers, *built.engines)]


def _engines(built: Built) -> Sequence[EngineCard]:
    states, view = built.house.health.states(), built.house.health.view
    cards = []
    for name, spec in built.house.chart.engines.items():
        p50_ms = [round(p50_s * 1e3, 3) or None for p50_s in view[name].p50_s]
        half = len(p50_ms) // 2
        breakers = states[name]
        state = "closed" if not breakers else "open" if any(b.until_in_s > 0 for b in breakers) else "half_open"
        cards.append(
            EngineCard(
                name=name,
                kind=spec.kind,
                model=spec.model or name,
                state=state,
                breakers=breakers,
                in_flight=built.house.health.in_flight(name),
                p50_first_ms=tuple(p50_ms[:half]),
                p50_whole_ms=tuple(p50_ms[half:]),
            )
        )
    return cards


def _metrics(built: Built, accept: str) -> Exposition:
    return expose(built.meters, accept)
