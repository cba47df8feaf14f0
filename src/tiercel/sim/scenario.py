"""The world that a seed draws: which engines there are, what may befall them, who calls, and how hard."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec

from tiercel.engines.catalogue.spec import EngineSpec, Price
from tiercel.route.spec import RouteSpec, TierSpec
from tiercel.sim.pipe import Link
from tiercel.sim.troubles import CALLERS, FAMILIES
from tiercel.terms.ask import Quality, Tier

__all__ = ["Level", "Role", "Scenario", "Traffic", "draw"]

Level = Literal["bytes", "port"]
"""Whether engines are bytes on a network under the product's own clients, or stand at the ``Engine`` port."""

# Of a hundred worlds, so many run on bytes.
BYTES_SHARE: Final = 0.62
_NAMES: Final = "abcd"
_QUALITIES: Final[tuple[Quality, ...]] = ("simple", "complex", "expert")


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """One model as it is cast: what it can do, how fast it is on a good day, and how far away."""

    name: str
    spec: EngineSpec
    head_s: float
    first_s: float
    gap_s: float
    pieces: int
    prompt_tokens: int
    # Nothing ever befalls it.
    steady: bool
    link: Link

    @property
    def crowded(self) -> bool:
        """Whether requests may have to wait for one of its few connections."""
        return self.spec.max_connections < _MANY


_MANY: Final = 100


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """Who calls, as shares of all requests; ``burst`` of them come at one instant now and then."""

    rate_per_s: float
    streams: float
    named: float
    shaped: float
    gold: float
    lonely: float
    leavers: float
    slow_readers: float
    tight: float
    burst: int


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is fixed before the first request."""

    seed: int
    requests: int
    level: Level
    jitter: bool
    faults: tuple[str, ...]
    roles: tuple[Role, ...]
    tiers: Mapping[Tier, TierSpec]
    route: RouteSpec
    traffic: Traffic

    @property
    def specs(self) -> dict[str, EngineSpec]:
        """Every engine's description, last resorts included."""
        models = {role.name: role.spec for role in self.roles}
        return models | {"template": EngineSpec(kind="template"), "policy": EngineSpec(kind="policy")}


def draw(seed: int, requests: int, *, faults: Sequence[str] | None = None, level: Level | None = None) -> Scenario:
    """Draw the world of a seed; ``faults`` replaces the drawn subset of what may go wrong, ``level`` the drawn one."""
    rng = random.Random(f"tiercel/{seed}/scenario")  # noqa: S311 - a seed, not a secret
    jitter, fragments = _chance(rng, 1 / 3), _chance(rng, 1 / 3)
    drawn_level: Level = "bytes" if _chance(rng, BYTES_SHARE) else "port"
    drawn = _swarm(rng)
    enabled = drawn if faults is None else tuple(faults)
    roles = tuple(_role(name, rng, fragments=fragments) for name in _NAMES[: rng.randint(1, len(_NAMES))])
    return Scenario(
        seed=seed,
        requests=requests,
        level=level or drawn_level,
        jitter=jitter,
        faults=enabled,
        roles=roles,
        tiers=_tiers(roles, rng),
        route=RouteSpec(
            named_total_ms=rng.uniform(800.0, 2500.0),
            named_first_ms=rng.uniform(300.0, 1500.0),
            retry_share=rng.choice((0.0, 0.05, 0.1, 0.1)),
        ),
        traffic=_traffic(enabled, rng),
    )


def _swarm(rng: random.Random) -> tuple[str, ...]:
    """Switch each fault on or off: bugs hide behind faults that always come together, or never."""
    odds = rng.choice((0.2, 0.4, 0.6))
    drawn = tuple(name for name in (*FAMILIES, *CALLERS) if _chance(rng, odds))
    return drawn or (rng.choice(tuple(FAMILIES)),)


def _role(name: str, rng: random.Random, *, fragments: bool) -> Role:
    latency_s = rng.choice((0.0, 0.0002, 0.001, 0.003))
    link = Link(
        latency_s=latency_s,
        spread_s=latency_s * rng.choice((0.0, 0.0, 1.0)),
        fragment_bytes=rng.randint(60, 600) if fragments else 0,
    )
    first_s = min(0.09, 0.005 + rng.lognormvariate(-4.0, 0.7))
    anthropic = _chance(rng, 0.2)
    spec = EngineSpec(
        kind="anthropic" if anthropic else "openai",
        url=f"http://{name}/v1",
        api=rng.choice(("openai", "vllm")),
        context_tokens=rng.choice((8192, 8192, 8192, 500)),
        tools=_chance(rng, 0.85),
        json_schema=_chance(rng, 0.85),
        embeddings=not anthropic and _chance(rng, 0.5),
        usage_in_streams=_chance(rng, 0.8),
        quality=rng.choice(_QUALITIES),
        price=Price(input=rng.uniform(0.01, 3.0), output=rng.uniform(0.01, 15.0), as_of="2026-01-01")
        if _chance(rng, 0.8)
        else None,
        connect_ms=rng.uniform(20.0, 100.0),
        gap_ms=rng.uniform(60.0, 300.0),
        max_connections=rng.randint(2, 6) if _chance(rng, 0.08) else 256,
    )
    return Role(
        name=name,
        spec=spec,
        head_s=rng.choice((0.0, 0.002)),
        first_s=first_s,
        gap_s=rng.uniform(0.001, 0.008),
        pieces=rng.choice((2, 3, 3, 4, 6)),
        prompt_tokens=11 + _NAMES.index(name),
        steady=_chance(rng, 0.35),
        link=link,
    )


def _tiers(roles: Sequence[Role], rng: random.Random) -> dict[Tier, TierSpec]:
    ladder = [role.name for role in rng.sample(roles, len(roles))]
    if len(ladder) > 1 and _chance(rng, 0.2):
        ladder.pop()
    if _chance(rng, 0.8):
        ladder.append("template")
    fast = min(roles, key=lambda role: role.first_s)
    first_ms = rng.uniform(120.0, 400.0)
    return {
        "silver": TierSpec(
            rungs=tuple(ladder),
            first_ms=first_ms,
            total_ms=first_ms + rng.uniform(200.0, 1600.0),
            max_ms=4000.0,
            after_content=rng.choice(("continue", "continue", "error")),
            hedge_ms=rng.uniform(8.0, 60.0) if _chance(rng, 0.4) else 0.0,
            templates_for_all=_chance(rng, 0.3),
        ),
        "gold": TierSpec(
            rungs=(fast.name, "policy") if _chance(rng, 0.5) else ("policy",),
            first_ms=30.0,
            total_ms=60.0,
            max_ms=4000.0,
        ),
    }


def _traffic(enabled: Sequence[str], rng: random.Random) -> Traffic:
    return Traffic(
        rate_per_s=rng.uniform(60.0, 350.0),
        streams=rng.uniform(0.15, 0.4),
        named=rng.uniform(0.0, 0.15),
        shaped=rng.uniform(0.0, 0.2),
        gold=rng.uniform(0.0, 0.2),
        lonely=rng.uniform(0.0, 0.3),
        leavers=rng.uniform(0.02, 0.05) if "leavers" in enabled else 0.0,
        slow_readers=rng.uniform(0.02, 0.2) if "slow_readers" in enabled else 0.0,
        tight=rng.uniform(0.05, 0.3) if "tight" in enabled else 0.01,
        burst=rng.randint(5, 60) if "bursts" in enabled else 0,
    )


def _chance(rng: random.Random, share: float) -> bool:
    return rng.random() < share
