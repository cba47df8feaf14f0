"""The router at work: decisions that repeat are remembered, for as long as nothing they rest on has changed."""

from __future__ import annotations

import math
from collections.abc import Hashable

from tiercel.engines.judge.health import Health
from tiercel.engines.judge.view import size_of
from tiercel.route.decision import Decision
from tiercel.route.policy import RouteMap, decide
from tiercel.terms.ask import NO_WISHES, Ask

__all__ = ["Router"]

MOST_REMEMBERED = 1024


class Router:
    """Answers like ``decide``. Most requests of a game are alike, and the same inputs give the same decision."""

    def __init__(self, chart: RouteMap, health: Health) -> None:
        self._chart = chart
        self._health = health
        self._version = -1
        # Between which moments no breaker changes by time alone.
        self._from_s, self._until_s = 0.0, 0.0
        self._known: dict[Hashable, Decision] = {}
        # Below this many tokens a request fits every engine, and its exact size decides nothing.
        self._roomy = min((spec.context_tokens for spec in chart.engines.values() if spec.is_model), default=0)

    def decide(self, ask: Ask, now_s: float) -> Decision:
        """Return the decision for a request at this moment."""
        health = self._health
        wishes = ask.wishes
        if (
            ask.prompt_tokens + (ask.max_tokens or 0) > self._roomy
            or wishes.max_cost is not None
            or wishes.quality is not None
        ):
            # A limit on cost or a wish for quality makes the exact size matter.
            return decide(ask, health.view, self._chart, now_s)
        if (
            health.version != self._version
            or not self._from_s <= now_s < self._until_s
            or len(self._known) >= MOST_REMEMBERED
        ):
            self._forget(now_s)
        key = _key(ask)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = decide(ask, health.view, self._chart, now_s)
        return known

    def _forget(self, now_s: float) -> None:
        """Begin anew, for as long as no open breaker reaches its end."""
        self._known.clear()
        self._version = self._health.version
        ends_s = [seen.open_until_s for seen in self._health.view.values()]
        self._from_s = max((end_s for end_s in ends_s if end_s <= now_s), default=-math.inf)
        self._until_s = min((end_s for end_s in ends_s if end_s > now_s), default=math.inf)


def _key(ask: Ask) -> Hashable:
    """Return everything that a decision can depend on, where size and moment do not matter."""
    asked = (ask.model, ask.kind, ask.shape, ask.tools, ask.n, size_of(ask))
    wishes = ask.wishes
    if wishes is NO_WISHES:
        return asked
    times = (wishes.first_ms, wishes.total_ms, wishes.hint_ms)
    return asked, wishes.sla, times, wishes.fallback, wishes.has_listener
