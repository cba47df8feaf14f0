"""The configuration of routing: per tier the ladder of rungs, the promises in milliseconds, the manners."""

from __future__ import annotations

from typing import Literal

import msgspec

from tiercel.terms.ask import Tier

__all__ = ["RouteSpec", "TierSpec"]


class TierSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One tier: engines from best to last resort, and how long a caller waits when it names no time of its own.

    ``max_ms`` bounds what a caller may ask for. ``after_content`` says what happens to a stream whose engine dies
    in the middle: ``continue`` with the next rung from the words so far, or end with an ``error`` that the client
    can see. ``hedge_ms`` above zero starts the next rung when the first is silent that long.
    """

    rungs: tuple[str, ...] = ()
    first_ms: float = 250.0
    total_ms: float = 2000.0
    max_ms: float = 600_000.0
    after_content: Literal["continue", "error"] = "continue"
    hedge_ms: float = 0.0
    templates_for_all: bool = False


class RouteSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How requests find their tier, and what all chains share."""

    auto: Tier = "silver"
    # A request for an engine by its own name is nobody's tier: it waits as long as its client does, up to this.
    named_total_ms: float = 60_000.0
    named_first_ms: float = 30_000.0
    # Retries and hedges together stay below this share of live requests.
    retry_share: float = 0.1
    hedge_share: float = 0.05
