"""What simulated callers ask for, and what they may expect: limits, models and last resort, worked out by hand."""

from __future__ import annotations

import random
from typing import Final

import msgspec

from tiercel.engines.catalogue.spec import EngineSpec
from tiercel.sim.case import Case
from tiercel.sim.lead import MARK
from tiercel.sim.scenario import Scenario
from tiercel.sim.script import TOOL
from tiercel.terms.ask import Ask, Shape, Wishes

__all__ = ["Wants"]

_RAW = msgspec.Raw
_TRUE: Final = _RAW(b"true")
_USAGE: Final = _RAW(b'{"include_usage":true}')
_TWO: Final = _RAW(b"2")
_SCHEMA: Final = _RAW(
    b'{"type":"json_schema","json_schema":{"name":"mood","schema":{"type":"object","properties":{"npc":{"type":"string"},'
    b'"mood":{"type":"string","enum":["calm","angry"]},"level":{"type":"integer","minimum":0}},'
    b'"required":["npc","mood","level"],"additionalProperties":false}}}'
)
_JSON: Final = _RAW(b'{"type":"json_object"}')
_TOOLS: Final = _RAW(
    b'[{"type":"function","function":{"name":"%b","parameters":{"type":"object","properties":'
    b'{"gate":{"type":"string"}},"required":["gate"]}}}]' % TOOL.encode()
)
_FORCED: Final = _RAW(b'{"type":"function","function":{"name":"%b"}}' % TOOL.encode())
_SHAPES: Final[tuple[Shape, ...]] = ("json", "schema", "tool", "embedding")
_LONG: Final = "Is the bridge open? " * 150
_FRAME_MS: Final = 20.0
_TIER_FIRST: Final = "tier"


class Wants:
    """Draws requests one after another."""

    def __init__(self, scenario: Scenario, rng: random.Random) -> None:
        self._scenario = scenario
        self._traffic = scenario.traffic
        self._rng = rng
        self._models = tuple(role.name for role in scenario.roles)

    def draw(self, number: int, now_s: float) -> Case:
        """Draw one request with everything that its caller may expect."""
        rng, traffic = self._rng, self._traffic
        shape: Shape = rng.choice(_SHAPES) if rng.random() < traffic.shaped else "text"
        offers = shape == "text" and rng.random() < traffic.shaped / 4
        model, wishes = self._target()
        stream = shape != "embedding" and rng.random() < traffic.streams
        ask = self._ask(number, model, shape, wishes, stream=stream, offers=offers)
        return self.expect(Case(number, ask, now_s))

    def plain(self, number: int, now_s: float, model: str) -> Case:
        """Make a plain and patient request for one engine or tier; calm after the storm is made of these."""
        wishes = Wishes(total_ms=2000.0, persona="smith")
        embeds = model in self._models and not self._scenario.specs[model].chat
        ask = self._ask(number, model, "embedding" if embeds else "text", wishes, stream=False, offers=False)
        return self.expect(Case(number, ask, now_s))

    def _target(self) -> tuple[str, Wishes]:
        rng, traffic = self._rng, self._traffic
        total_ms, first_ms = self._times()
        one = rng.random()
        if one < traffic.named:
            return rng.choice(self._models), Wishes(total_ms=total_ms, first_ms=first_ms)
        if rng.random() < traffic.gold:
            legal = ("guard", "attack", "idle")
            return "auto", Wishes(sla="realtime", total_ms=total_ms, first_ms=first_ms, legal=legal, npc_id="wolf-3")
        odd = rng.random()
        if odd < 0.004:  # noqa: PLR2004 - a share
            return rng.choice(("nobody", "bronze")), Wishes()
        persona = "" if rng.random() < traffic.lonely else rng.choice(("smith", "gate guard", "a grumpy miller"))
        wishes = Wishes(
            total_ms=total_ms,
            first_ms=first_ms,
            hint_ms=rng.uniform(50.0, 4000.0) if odd > 0.95 else None,  # noqa: PLR2004 - a share
            persona=persona,
            session=f"s{int(odd * 40)}" if persona else "",
            fallback="none" if 0.9 < odd < 0.94 else None,  # noqa: PLR2004 - a share
            quality="complex" if 0.85 < odd < 0.89 else None,  # noqa: PLR2004 - a share
            max_cost=0.001 if 0.83 < odd < 0.85 else None,  # noqa: PLR2004 - a share
        )
        return rng.choice(("silver", "silver", "auto")), wishes

    def _times(self) -> tuple[float | None, float | None]:
        """Draw deadlines from 20 ms to 2 s, most of them in between, some of them left to the tier."""
        rng = self._rng
        one = rng.random()
        if one < self._traffic.tight:
            return rng.uniform(20.0, 60.0), None
        if one > 0.75:  # noqa: PLR2004 - a share
            return None, None
        total_ms = 20.0 * 100.0 ** rng.uniform(0.35, 1.0)
        return total_ms, rng.uniform(10.0, total_ms) if one > 0.6 else None  # noqa: PLR2004 - a share

    def _ask(self, number: int, model: str, shape: Shape, wishes: Wishes, *, stream: bool, offers: bool) -> Ask:
        stamp = f"{number:08d}"
        heard = _LONG if self._rng.random() < 0.03 else "Is the bridge open?"  # noqa: PLR2004 - a share
        said = f"{MARK}{stamp}{MARK} {heard}"
        if shape == "embedding":
            fields = {"model": _RAW(f'"{model}"'.encode()), "input": _RAW(f'"{said}"'.encode())}
        else:
            messages = f'[{{"role":"user","content":"{said}"}}]'.encode()
            fields = {"model": _RAW(f'"{model}"'.encode()), "messages": _RAW(messages)}
            _shape(fields, shape, offers=offers)
        usage = stream and self._rng.random() < 0.5  # noqa: PLR2004 - a share
        many = shape == "text" and not offers and self._rng.random() < 0.01  # noqa: PLR2004 - a share
        if stream:
            fields["stream"] = _TRUE
        if usage:
            fields["stream_options"] = _USAGE
        if many:
            fields["n"] = _TWO
        return Ask(
            id=stamp,
            kind="embed" if shape == "embedding" else "chat",
            model=model,
            fields=fields,
            size_bytes=sum(map(len, fields.values())),
            stream=stream,
            include_usage=usage,
            shape=shape,
            tools=offers or shape == "tool",
            n=2 if many else 1,
            wishes=wishes,
        )

    def expect(self, case: Case) -> Case:
        """Work out what the request may get, and until when."""
        scenario, ask = self._scenario, case.ask
        case.named = ask.model in self._models
        tier = "gold" if _is_gold(ask) else "silver"
        spec = scenario.tiers["gold" if tier == "gold" else "silver"]
        if case.named:
            first_ms, total_ms, max_ms = scenario.route.named_first_ms, scenario.route.named_total_ms, 600_000.0
        else:
            first_ms, total_ms, max_ms = spec.first_ms, spec.total_ms, spec.max_ms
        first_ms, total_ms = _limits(ask.wishes, first_ms, total_ms, max_ms)
        case.first_by_s = case.began_s + first_ms / 1e3
        case.total_by_s = case.began_s + total_ms / 1e3
        specs = scenario.specs
        rungs = (ask.model,) if case.named else spec.rungs
        case.models = tuple(name for name in rungs if specs[name].is_model and self._can(ask, specs[name]))
        resorts = [name for name in rungs if not specs[name].is_model]
        free = spec.templates_for_all or ask.model != "auto" or ask.wishes.sla is not None or ask.wishes.has_listener
        if resorts and free and ask.wishes.fallback != "none" and ask.shape == "text" and ask.n == 1:
            case.last_resort = resorts[0]
        case.most_tries = len(case.models) + 1 + bool(case.last_resort)
        return case


    def _can(self, ask: Ask, spec: EngineSpec) -> bool:
        """Whether an engine is able to serve a request; of its price this knows nothing."""
        if ask.n > 1 and spec.kind == "anthropic" and self._scenario.level == "bytes":
            return False
        if ask.kind == "embed" and not spec.embeddings:
            return False
        if ask.tools and not spec.tools:
            return False
        if ask.shape == "schema" and not spec.json_schema:
            return False
        return int(ask.size_bytes / 3.9) + 1 <= spec.context_tokens


def _shape(fields: dict[str, msgspec.Raw], shape: Shape, *, offers: bool) -> None:
    if shape == "schema":
        fields["response_format"] = _SCHEMA
    elif shape == "json":
        fields["response_format"] = _JSON
    if shape == "tool" or offers:
        fields["tools"] = _TOOLS
    if shape == "tool":
        fields["tool_choice"] = _FORCED


def _is_gold(ask: Ask) -> bool:
    wishes = ask.wishes
    if ask.model == "silver":
        return False
    return wishes.sla == "realtime" or (wishes.total_ms is not None and wishes.total_ms <= _FRAME_MS)


def _limits(wishes: Wishes, first_ms: float, total_ms: float, max_ms: float) -> tuple[float, float]:
    """Say until when the first content and the end are due, as the documentation has it."""
    total = total_ms
    if wishes.total_ms is not None:
        total = min(wishes.total_ms, max_ms)
    elif wishes.hint_ms is not None:
        total = min(total_ms, wishes.hint_ms)
    first = first_ms
    if wishes.first_ms is not None:
        first = wishes.first_ms
    elif wishes.total_ms is not None and wishes.total_ms > total_ms:
        first = max(first_ms, first_ms * total / total_ms)
    return min(first, total), total
