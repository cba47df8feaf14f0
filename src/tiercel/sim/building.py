"""Builds the product's own house in a simulated world: every part is the real one, unless a mutant takes its place."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tiercel.engines.anthropic.engine import AnthropicEngine
from tiercel.engines.chain.chain import Chain
from tiercel.engines.http.plain import PlainHttp
from tiercel.engines.judge.health import Health
from tiercel.engines.judge.retries import ExtraWork
from tiercel.engines.openai.engine import OpenAIEngine
from tiercel.engines.port import Engine
from tiercel.flow import Flow, House
from tiercel.gate.door import Door
from tiercel.gold.policy import PolicyEngine
from tiercel.route.policy import RouteMap
from tiercel.silver.speech.book import Book
from tiercel.silver.speech.speaker import Speaker
from tiercel.silver.template import TemplateEngine
from tiercel.sim.chronicle import Chronicle, Witness
from tiercel.sim.clock import VirtualClock
from tiercel.sim.loop import VirtualLoop
from tiercel.sim.scenario import Role, Scenario
from tiercel.sim.understudy import Understudy

__all__ = ["Built", "Workshop", "build", "lines"]

# Long before any message of a conversation; what engines stamp on their replies does not depend on the day.
EPOCH_S = 1_767_225_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """The classes that a house is made of; a mutant swaps one of them."""

    flow: type[Flow] = Flow
    chain: type[Chain] = Chain
    health: type[Health] = Health
    purse: type[ExtraWork] = ExtraWork
    http: type[PlainHttp] = PlainHttp
    openai: type[OpenAIEngine] = OpenAIEngine
    # Put between the chain and the watched engine.
    around: Callable[[Engine], Engine] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A house that stands, and the parts that the end of the world looks at."""

    flow: Flow
    door: Door
    health: Health
    extra: ExtraWork
    engines: Mapping[str, Engine]
    clients: Mapping[str, PlainHttp]


def build(scenario: Scenario, chronicle: Chronicle, loop: VirtualLoop, workshop: Workshop) -> Built:
    """Build the house of a scenario."""
    clock = VirtualClock(loop)
    clients: dict[str, PlainHttp] = {}
    engines: dict[str, Engine] = {
        role.name: _model(role, scenario, chronicle, loop, clients, workshop) for role in scenario.roles
    }
    engines["template"] = Witness(TemplateEngine("template", Speaker(lines(), seed=scenario.seed)), chronicle)
    engines["policy"] = Witness(PolicyEngine("policy"), chronicle)
    if workshop.around is not None:
        engines = {name: workshop.around(engine) for name, engine in engines.items()}
    health = workshop.health(engines, clock, on_change=chronicle.breaker)
    chronicle.health = health
    purse = workshop.purse(scenario.route.retry_share)
    specs = scenario.specs
    chain = workshop.chain(
        engines,
        health,
        purse,
        clock,
        gaps_s={name: spec.gap_ms / 1e3 for name, spec in specs.items()},
        on_attempt=chronicle.attempt,
    )
    door = Door()
    house = House(
        door=door,
        chart=RouteMap(scenario.route, scenario.tiers, specs),
        health=health,
        extra=purse,
        chain=chain,
        tally=chronicle,
        clock=clock,
    )
    flow = workshop.flow(house)
    return Built(flow=flow, door=door, health=health, extra=purse, engines=engines, clients=clients)


def _model(
    role: Role,
    scenario: Scenario,
    chronicle: Chronicle,
    loop: VirtualLoop,
    clients: dict[str, PlainHttp],
    workshop: Workshop,
) -> Engine:
    if scenario.level == "port":
        return Witness(Understudy(chronicle.actors[role.name], chronicle, loop), chronicle)
    spec, name = role.spec, role.name
    headers = [("anthropic-version", "2023-06-01"), ("x-api-key", "k")] if spec.kind == "anthropic" else []
    http = clients[name] = workshop.http(
        spec.url, headers, connect_s=spec.connect_ms / 1e3, max_connections=spec.max_connections
    )
    if spec.kind == "anthropic":
        return Witness(AnthropicEngine(name, spec, http, epoch_s=lambda: EPOCH_S), chronicle)
    return Witness(workshop.openai(name, spec, http), chronicle)


@functools.cache
def lines() -> Book:
    """Read the template's lines, once for all worlds and before the first: a simulated world has no files."""
    return Book.load()
