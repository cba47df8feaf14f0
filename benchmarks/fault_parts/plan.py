"""What will be asked, when, with which deadline, and what every rung will do to it: drawn from a seed beforehand.

How faults are mixed. In fair weather each rung of each request plays a fault with probability 0.2, else a good reply
at its own pace. A fault is one of all modes of the rehearsal engine, by weight: 2 for those that play with time, 0.2
for those at which a breaker opens at once (more would only show that it does), 1 for all others. Every 30 seconds the
first rung is wholly down for 4 s with one mode, and after it every rung for 4 s with a mode each.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from typing import Final, Literal

import msgspec

from rig.caller import chat_request
from tiercel.engines.rehearsal.modes import Mode
from tiercel.engines.rehearsal.part import Part

__all__ = ["RUNGS", "SCHEMA", "TOOL", "Kind", "Plan", "drawn", "request_of"]

Kind = Literal["tier", "contract", "engine", "no fallback"]
"""A tier's words for a persona; the same with a schema or a forced tool; one engine by name; ``fallback: none``."""

RUNGS: Final = ("one", "two", "three")
# Seconds to the first word and between words, for each rung: a big model, a smaller one, a tiny one.
_PACE_S: Final = (((0.03, 0.25), (0.003, 0.02)), ((0.01, 0.08), (0.002, 0.008)), ((0.002, 0.02), (0.0005, 0.002)))
LEAST_MS, MOST_MS = 50.0, 2000.0
FAULT_SHARE: Final = 0.2
GOLD_SHARE: Final = 0.15
# How many of each kind there are among 25.
_OF_EACH: Final[dict[Kind, int]] = {"tier": 20, "contract": 2, "engine": 2, "no fallback": 1}
_CYCLE_S, _STORM_S = 30.0, 4.0
_AT_ONCE: Final = frozenset({Mode.RATE_LIMITED, Mode.BUSY, Mode.OVERLOADED, Mode.UNAUTHORIZED, Mode.NO_MODEL})
_WEIGHTS: Final = {mode: 0.2 if mode in _AT_ONCE else 2.0 if mode.layer == "time" else 1.0 for mode in Mode}
_MODES: Final = tuple(_WEIGHTS)
_CUMULATED: Final = tuple(sum(list(_WEIGHTS.values())[: i + 1]) for i in range(len(_WEIGHTS)))
_CHUNKS: Final = 8
_SAID: Final = (
    "Any news from the road?",
    "Where can I find the old mill?",
    "How much for the sword?",
    "Who rules this town?",
    "I could use some help with a wolf.",
)
_PERSONAS: Final = ("blacksmith", "innkeeper", "guard", "merchant")
SCHEMA: Final = {
    "type": "object",
    "properties": {"mood": {"type": "string"}, "price": {"type": "integer"}},
    "required": ["mood", "price"],
    "additionalProperties": False,
}
TOOL: Final = "open_gate"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One request: what is asked and what it will meet."""

    number: int
    kind: Kind
    at_s: float
    model: str
    stream: bool
    total_ms: float
    first_ms: float
    shape: Literal["text", "schema", "tool"] = "text"
    in_headers: bool = False
    parts: tuple[str, ...]


def drawn(seed: int, requests: int, rate: float) -> Iterator[Plan]:
    """Yield so many requests for a tier's words and the others among them, in the order of their times."""
    dice = random.Random(seed)
    weather = _Weather(seed)
    at_s, number, tiers = 0.0, 0, 0
    kinds: list[Kind] = []
    for kind, count in _OF_EACH.items():
        kinds.extend(kind for _ in range(count))
    while tiers < requests:
        dice.shuffle(kinds)
        for kind in kinds:
            # As players come: each on its own, not in step with the others.
            at_s += dice.expovariate(rate)
            number += 1
            tiers += kind == "tier"
            yield _plan(dice, kind, number, at_s, weather.at(at_s))


def _plan(dice: random.Random, kind: Kind, number: int, at_s: float, storm: Sequence[Mode | None]) -> Plan:
    total_ms = _between(dice, LEAST_MS, MOST_MS)
    model = dice.choice(RUNGS) if kind == "engine" else "silver"
    if kind == "tier" and dice.random() < GOLD_SHARE:
        model = "gold"
    return Plan(
        number=number,
        kind=kind,
        at_s=at_s,
        model=model,
        stream=dice.random() < 0.5,
        total_ms=round(total_ms, 1),
        first_ms=round(max(LEAST_MS, total_ms * dice.uniform(0.3, 1.0)), 1),
        shape="text" if kind != "contract" else "schema" if dice.random() < 0.5 else "tool",
        in_headers=dice.random() < 0.5,
        parts=tuple(_part(dice, rung, mode) for rung, mode in enumerate(storm)),
    )


def _part(dice: random.Random, rung: int, storm: Mode | None) -> str:
    first_s, gap_s = (round(_between(dice, *span), 4) for span in _PACE_S[rung])
    mode = storm or Mode.PLAIN
    if storm is None and dice.random() < FAULT_SHARE:
        mode = dice.choices(_MODES, cum_weights=_CUMULATED)[0]
    k = dice.randrange(_CHUNKS - 1)
    return Part(mode=mode, first_s=first_s, gap_s=gap_s, chunks=_CHUNKS, k=k).as_model()


def _between(dice: random.Random, least: float, most: float) -> float:
    """Draw so that each doubling is as likely as the next."""
    return math.exp(dice.uniform(math.log(least), math.log(most)))


class _Weather:
    """Which rungs are wholly down at a moment, and with which mode."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def at(self, at_s: float) -> tuple[Mode | None, ...]:
        cycle, within_s = divmod(at_s, _CYCLE_S)
        down = random.Random(f"{self._seed} {cycle}").choices(_MODES, cum_weights=_CUMULATED, k=len(RUNGS))
        if within_s >= _CYCLE_S - _STORM_S:
            return tuple(down)
        if within_s >= _CYCLE_S - 2 * _STORM_S:
            return (down[0], *[None] * (len(RUNGS) - 1))
        return (None,) * len(RUNGS)


def request_of(plan: Plan, port: int) -> bytes:
    """Write the request."""
    wishes: dict[str, str | float] = {"persona": _PERSONAS[plan.number % len(_PERSONAS)]}
    wishes |= {"npc_id": f"npc-{plan.number % 200}", "total_ms": plan.total_ms, "first_ms": plan.first_ms}
    if plan.kind == "no fallback":
        wishes["fallback"] = "none"
    body: dict[str, object] = {
        "model": plan.model,
        "messages": [{"role": "user", "content": _SAID[plan.number % len(_SAID)]}],
        "stream": plan.stream,
        "user": ";".join(plan.parts),
    }
    if plan.shape == "schema":
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "offer", "schema": SCHEMA}}
    elif plan.shape == "tool":
        function = {"name": TOOL, "parameters": SCHEMA}
        body["tools"] = [{"type": "function", "function": function}]
        body["tool_choice"] = "required"
    if plan.in_headers:
        headers = {f"x-tiercel-{name.replace('_', '-')}": str(value) for name, value in wishes.items()}
        return chat_request(msgspec.json.encode(body), port, headers)
    return chat_request(msgspec.json.encode(body | {"tiercel": wishes}), port)
