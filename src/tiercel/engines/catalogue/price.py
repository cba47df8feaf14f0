"""What a request costs: estimated before it is sent, counted after it came back, unknown where a price is unknown."""

from __future__ import annotations

from tiercel.engines.catalogue.spec import EngineSpec
from tiercel.terms.ask import Ask
from tiercel.terms.reply import Usage

__all__ = ["USUAL_COMPLETION_TOKENS", "cost_of", "estimate_cost"]

# A request that names no limit is priced as if it wanted this many tokens.
USUAL_COMPLETION_TOKENS = 512


def estimate_cost(ask: Ask, spec: EngineSpec) -> float | None:
    """Return what the request may cost on an engine, in US dollars; None when its price is unknown."""
    if not spec.is_model:
        return 0.0
    if spec.price is None:
        return None
    out = (ask.max_tokens or USUAL_COMPLETION_TOKENS) * ask.n
    return (ask.prompt_tokens * spec.price.input + out * spec.price.output) / 1e6


def cost_of(usage: Usage | None, spec: EngineSpec) -> float | None:
    """Return what an answer cost; None when the price or the usage is unknown."""
    if not spec.is_model:
        return 0.0
    if spec.price is None or usage is None:
        return None
    return (usage.prompt_tokens * spec.price.input + usage.completion_tokens * spec.price.output) / 1e6
