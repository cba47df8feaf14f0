"""What simulated callers ask for, and what they may expect: limits, models and last resort, worked out by hand."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

import msgspec

from tiercel.engines.catalogue.spec import EngineSpec
from tiercel.sim.case import Case
from tiercel.sim.scenario import Scenario
from tiercel.sim.script import TOOL
from tiercel.terms.ask import Ask, Shape, Wishes

__all__ = ["MARK", "Wants"]

# Stands before the number of a request in what its caller says, and nowhere before that.
MARK: Final = "~"
# So many different kinds of requests meet in one world, each of them many times.
_KINDS: Final = 160
_NOBODYS: Final = ("nobody", "bronze")
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
_SHORT, _LONG = "Is the bridge open?", "Is the bridge open? " * 150
_BLANK: Final = "00000000"
_FRAME_MS: Final = 20.0


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of request, all but its number, and what whoever makes it may expect."""

    ask: Ask
    # What is said, cut where the number stands.
    before: bytes
    after: bytes
    first_s: float
    total_s: float
    models: tuple[str, ...]
    last_resort: str
    named: bool


class Wants:
    """Draws requests one after another."""

    def __init__(self, scenario: Scenario, rng: random.Random) -> None:
        self._scenario = scenario
        self._specs = scenario.specs
        self._traffic = scenario.traffic
        self._rng = rng
        self._models = tuple(role.name for role in scenario.roles)
        # Deadlines repeat, as those of a game do.
        self._totals = [20.0 * 100.0 ** rng.uniform(0.35, 1.0) for _ in range(12)]
        self._kinds = [self._kind() for _ in range(_KINDS)]
        self._plain = {name: self._patient(name) for name in (*self._models, "silver")}

    def draw(self, number: int, now_s: float) -> Case:
        """Draw one request with everything that its caller may expect."""
        return _case(self._kinds[int(self._rng.random() * _KINDS)], number, now_s)

    def plain(self, number: int, now_s: float, model: str) -> Case:
        """Make a plain and patient request for one engine or tier; calm after the storm is made of these."""
        return _case(self._plain[model], number, now_s)

    def _kind(self) -> _Kind:
        rng, traffic = self._rng, self._traffic
        shape: Shape = rng.choice(_SHAPES) if _chance(rng, traffic.shaped) else "text"
        offers = shape == "text" and _chance(rng, traffic.shaped / 4)
        model, wishes = self._target()
        stream = shape != "embedding" and _chance(rng, traffic.streams)
        usage = stream and _chance(rng, 0.5)
        many = shape == "text" and not offers and _chance(rng, 0.02)
        said = _LONG if _chance(rng, 0.04) else _SHORT
        return self._expect(_ask(model, shape, wishes, said, stream=stream, offers=offers, usage=usage, many=many))

    def _patient(self, model: str) -> _Kind:
        wishes = Wishes(total_ms=2000.0, persona="smith")
        return self._expect(_ask(model, "text", wishes, _SHORT))

    def _target(self) -> tuple[str, Wishes]:
        rng, traffic = self._rng, self._traffic
        total_ms, first_ms = self._times()
        if _chance(rng, traffic.named):
            return rng.choice(self._models), Wishes(total_ms=total_ms, first_ms=first_ms)
        if _chance(rng, traffic.gold):
            legal = ("guard", "attack", "idle")
            return "auto", Wishes(sla="realtime", total_ms=total_ms, first_ms=first_ms, legal=legal, npc_id="wolf-3")
        if _chance(rng, 0.01):
            return rng.choice(_NOBODYS), Wishes()
        persona = "" if _chance(rng, traffic.lonely) else rng.choice(("smith", "gate guard", "a grumpy miller"))
        wishes = Wishes(
            total_ms=total_ms,
            first_ms=first_ms,
            hint_ms=rng.uniform(50.0, 4000.0) if _chance(rng, 0.05) else None,
            persona=persona,
            session=f"s{rng.randrange(40)}" if persona else "",
            fallback="none" if _chance(rng, 0.04) else None,
            quality="complex" if _chance(rng, 0.04) else None,
            max_cost=0.001 if _chance(rng, 0.02) else None,
        )
        return rng.choice(("silver", "silver", "auto")), wishes

    def _times(self) -> tuple[float | None, float | None]:
        """Draw deadlines from 20 ms to 2 s, most of them in between, some of them left to the tier."""
        rng = self._rng
        if _chance(rng, self._traffic.tight):
            return rng.uniform(20.0, 60.0), None
        if _chance(rng, 0.25):
            return None, None
        total_ms = rng.choice(self._totals)
        return total_ms, rng.uniform(10.0, total_ms) if _chance(rng, 0.2) else None

    def _expect(self, ask: Ask) -> _Kind:
        """Work out what a request may get, and until when."""
        scenario, specs = self._scenario, self._specs
        named = ask.model in self._models
        spec = scenario.tiers["gold" if _is_gold(ask) else "silver"]
        if named:
            limits = (scenario.route.named_first_ms, scenario.route.named_total_ms, 600_000.0)
        else:
            limits = (spec.first_ms, spec.total_ms, spec.max_ms)
        first_ms, total_ms = _limits(ask.wishes, *limits)
        rungs = (ask.model,) if named else spec.rungs
        models = tuple(name for name in rungs if specs[name].is_model and self._can(ask, specs[name]))
        resorts = [name for name in rungs if not specs[name].is_model]
        free = spec.templates_for_all or ask.model != "auto" or ask.wishes.sla is not None or ask.wishes.has_listener
        may = free and ask.wishes.fallback != "none" and ask.shape == "text" and ask.n == 1
        said = bytes(ask.fields["input" if ask.kind == "embed" else "messages"])
        before, _, after = said.partition(_BLANK.encode())
        return _Kind(
            ask=ask,
            before=before,
            after=after,
            first_s=first_ms / 1e3,
            total_s=total_ms / 1e3,
            models=models,
            last_resort=resorts[0] if resorts and may else "",
            named=named,
        )

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


def _ask(  # noqa: PLR0913 - what a request can be
    model: str,
    shape: Shape,
    wishes: Wishes,
    said: str,
    *,
    stream: bool = False,
    offers: bool = False,
    usage: bool = False,
    many: bool = False,
) -> Ask:
    told = f"{MARK}{_BLANK}{MARK} {said}"
    fields = {"model": _RAW(f'"{model}"'.encode())}
    if shape == "embedding":
        fields["input"] = _RAW(f'"{told}"'.encode())
    else:
        fields["messages"] = _RAW(f'[{{"role":"user","content":"{told}"}}]'.encode())
        _shape(fields, shape, offers=offers)
    if stream:
        fields["stream"] = _TRUE
    if usage:
        fields["stream_options"] = _USAGE
    if many:
        fields["n"] = _TWO
    return Ask(
        id=_BLANK,
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


def _case(kind: _Kind, number: int, now_s: float) -> Case:
    ask, stamp = kind.ask, f"{number:08d}"
    told = _RAW(kind.before + stamp.encode() + kind.after)
    fields = {**ask.fields, "input" if ask.kind == "embed" else "messages": told}
    case = Case(number, msgspec.structs.replace(ask, id=stamp, fields=fields), now_s)
    case.first_by_s, case.total_by_s = now_s + kind.first_s, now_s + kind.total_s
    case.models, case.last_resort, case.named = kind.models, kind.last_resort, kind.named
    case.most_tries = len(kind.models) + (2 if kind.last_resort else 1)
    return case


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


def _chance(rng: random.Random, share: float) -> bool:
    return rng.random() < share
