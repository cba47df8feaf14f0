"""Builds the house out of its settings: the one place where rooms learn of each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from tiercel.app.settings import Loaded, Secret, Settings
from tiercel.app.tally import MeteredTally
from tiercel.engines.catalogue.spec import EngineSpec
from tiercel.engines.chain.chain import Chain
from tiercel.engines.http.port import Http
from tiercel.engines.judge.health import Health
from tiercel.engines.judge.retries import ExtraWork
from tiercel.engines.port import Engine
from tiercel.flow import Flow, House
from tiercel.gate.door import Door
from tiercel.route.policy import RouteMap
from tiercel.telemetry.logs import logger
from tiercel.telemetry.meters import Meters
from tiercel.telemetry.product import ProductMeters
from tiercel.terms.clock import Clock, SystemClock

__all__ = ["Built", "build", "build_engines"]

SPEAKER_SEED = 0


class Built(msgspec.Struct, frozen=True, kw_only=True):
    """A house that stands, and the parts that others look at."""

    flow: Flow
    house: House
    engines: Mapping[str, Engine]
    meters: Meters

    async def aclose(self) -> None:
        """Close every connection to every engine."""
        for engine in self.engines.values():
            await engine.aclose()


def build(loaded: Loaded, clock: Clock | None = None) -> Built:
    """Build the house; raises ``Misconfigured`` when it cannot stand."""
    settings = loaded.settings
    clock = clock or SystemClock()
    engines = build_engines(settings, loaded.secrets)
    meters = Meters()
    product = ProductMeters(meters, tuple(engines))
    log = logger("engines")

    def on_change(engine: str, failure: str, is_open: bool) -> None:  # noqa: FBT001 - the judge's callback
        (log.warning if is_open else log.info)("breaker.changed", engine=engine, failure=failure, open=is_open)

    health = Health(engines, clock, on_change=on_change)
    extra = ExtraWork(settings.route.retry_share)
    door = Door(settings.server.max_running)
    chain = Chain(
        engines,
        health,
        extra,
        clock,
        gaps_s={name: spec.gap_ms / 1e3 for name, spec in settings.engines.items()},
        on_attempt=product.attempt,
    )
    house = House(
        door=door,
        chart=RouteMap(settings.route, settings.tiers, settings.engines),
        health=health,
        extra=extra,
        chain=chain,
        tally=MeteredTally(product, logger("flow")),
        clock=clock,
    )
    product.follow_in_flight(lambda: door.inside)
    product.follow_extra(lambda: extra.spent, lambda: extra.refused)
    for name in engines:
        product.follow_breaker(name, _breaker_reader(health, name))
    return Built(flow=Flow(house), house=house, engines=engines, meters=meters)


def build_engines(settings: Settings, secrets: Mapping[str, Secret]) -> dict[str, Engine]:
    """Build the adapter of every engine; nothing is connected yet."""
    return {name: _engine(name, spec, secrets.get(name)) for name, spec in settings.engines.items()}


def _engine(name: str, spec: EngineSpec, secret: Secret | None) -> Engine:
    # Each adapter is imported when the configuration names it: what is not used costs no memory and no start-up time.
    match spec.kind:
        case "template":
            from tiercel.silver.speech.book import Book  # noqa: PLC0415
            from tiercel.silver.speech.speaker import Speaker  # noqa: PLC0415
            from tiercel.silver.template import TemplateEngine  # noqa: PLC0415

            return TemplateEngine(name, Speaker(Book.load(), seed=SPEAKER_SEED))
        case "policy":
            from tiercel.gold.policy import PolicyEngine  # noqa: PLC0415

            return PolicyEngine(name)
        case "anthropic":
            from tiercel.engines.anthropic.engine import AnthropicEngine  # noqa: PLC0415
            from tiercel.engines.anthropic.traits import headers  # noqa: PLC0415

            key = "" if secret is None else secret.reveal()
            return AnthropicEngine(name, spec, _http(spec, headers(spec.model or name, key)))
        case "openai":
            from tiercel.engines.openai.engine import OpenAIEngine  # noqa: PLC0415

            return OpenAIEngine(name, spec, _http(spec, _openai_headers(spec, secret)))


def _http(spec: EngineSpec, headers: Sequence[tuple[str, str]]) -> Http:
    connect_s = spec.connect_ms / 1e3
    if spec.url.startswith("http://"):
        from tiercel.engines.http.plain import PlainHttp  # noqa: PLC0415

        return PlainHttp(spec.url, headers, connect_s=connect_s, max_connections=spec.max_connections)
    from tiercel.engines.http.tls import TlsHttp  # noqa: PLC0415

    return TlsHttp(spec.url, headers, connect_s=connect_s, max_connections=spec.max_connections)


def _openai_headers(spec: EngineSpec, secret: Secret | None) -> list[tuple[str, str]]:
    if secret is None:
        return []
    return [("api-key", secret.reveal())] if spec.api == "azure" else [("authorization", f"Bearer {secret.reveal()}")]


def _breaker_reader(health: Health, name: str) -> Callable[[], float]:
    """Return 0 while all breakers of an engine are closed, 1 when one is half open, 2 when one is open."""

    def read() -> float:
        states = health.states()[name]
        if not states:
            return 0.0
        return 2.0 if any(state.until_in_s > 0 for state in states) else 1.0

    return read
