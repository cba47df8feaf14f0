"""Gold's last resort as an engine: which legal intent fits the words of a state, by fixed rules, always and at once."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

from tiercel.engines.port import Sink
from tiercel.engines.words import heard_in, say
from tiercel.terms.ask import Ask
from tiercel.terms.clock import Deadline
from tiercel.terms.reply import Answer

__all__ = ["INTENTS", "PolicyEngine", "decide_intent"]

INTENTS = (
    "idle",
    "wander",
    "patrol",
    "go_to",
    "follow",
    "flee",
    "attack",
    "take_cover",
    "talk",
    "work",
    "guard",
    "search",
)
# From the most urgent down: the first intent whose signs appear in the state, and that is legal, is chosen.
SIGNS: Mapping[str, frozenset[str]] = {
    "flee": frozenset(("dying", "wounded", "outnumbered", "fire", "dragon", "flee", "terrified")),
    "take_cover": frozenset(("arrows", "shot", "shots", "explosion", "cover", "ambush", "sniper")),
    "attack": frozenset(("attacked", "enemy", "hostile", "intruder", "bandit", "wolf", "attack", "threat")),
    "guard": frozenset(("guard", "gate", "post", "protect", "watch", "sentry")),
    "search": frozenset(("noise", "missing", "lost", "search", "footsteps", "suspicious", "clue")),
    "talk": frozenset(("player", "greets", "asks", "hello", "talk", "speaks", "customer", "question")),
    "follow": frozenset(("leader", "master", "follow", "escort", "companion")),
    "work": frozenset(("shift", "forge", "field", "harvest", "work", "shop", "morning", "craft")),
    "go_to": frozenset(("home", "called", "meeting", "destination", "travel", "goto", "summoned")),
    "patrol": frozenset(("patrol", "round", "rounds", "route", "perimeter", "duty")),
    "wander": frozenset(("bored", "free", "evening", "stroll", "wander", "market")),
}
MOST_HEARD = 2000


def decide_intent(state: str, legal: Sequence[str]) -> str:
    """Return one of the legal intents: the most urgent whose signs the state shows, else one fixed by the state.

    The same state and the same legal set always give the same intent, in any order of either.
    """
    allowed = sorted(set(legal)) or list(INTENTS)
    words = frozenset(state[:MOST_HEARD].lower().replace(",", " ").replace(".", " ").split())
    for intent, signs in SIGNS.items():
        if intent in allowed and not signs.isdisjoint(words):
            return intent
    if "idle" in allowed:
        return "idle"
    return allowed[zlib.crc32(" ".join(sorted(words)).encode()) % len(allowed)]


class PolicyEngine:
    """Implements ``Engine``; the answer's whole text is the name of one legal intent."""

    def __init__(self, name: str) -> None:
        self.name = name

    def drops(self, ask: Ask) -> Sequence[str]:
        """Name what a rule has no use for."""
        return [field for field in ("tools", "tool_choice", "seed", "stop") if field in ask.fields]

    async def answer(self, ask: Ask, deadline: Deadline, sink: Sink) -> Answer:
        """Decide."""
        return say(ask, decide_intent(heard_in(ask), ask.wishes.legal), sink)

    async def models(self, deadline: Deadline) -> Sequence[str]:
        """Return its own name: there is no model behind it."""
        return [self.name]

    async def aclose(self) -> None:
        """Close nothing."""
