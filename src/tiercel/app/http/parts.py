"""What the door is built from: callables that ``app`` wires, so that the door knows no other room's insides."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from tiercel.app.http.limits import LIMITS, Limits
from tiercel.app.http.visitors import LOOPBACK
from tiercel.flow import Served, Stage
from tiercel.route.decision import Decision
from tiercel.telemetry.prometheus import Exposition
from tiercel.terms.ask import Ask
from tiercel.terms.clock import Clock, SystemClock

__all__ = ["EVENTS", "Flow", "ModelCard", "Parts"]


# What the door tells ``tally``: a clock that ran out, or a connection or request that it refused itself.
EVENTS = (
    "clock.body",
    "clock.head",
    "clock.idle",
    "clock.linger",
    "clock.stalled",
    "refused.connections",
    "refused.connections_per_address",
    "refused.expectation_failed",
    "refused.foreign",
    "refused.malformed_http",
    "refused.partial_bytes",
    "refused.request_timeout",
    "refused.shed",
    "refused.too_large",
    "refused.unsupported_media_type",
)


class Flow(Protocol):
    """Serves requests, or says how it would."""

    async def serve(self, ask: Ask, stage: Stage) -> Served:
        """Serve one request; raises ``Refused`` or ``Unavailable``."""
        ...

    def explain(self, ask: Ask) -> Decision:
        """Decide without calling anybody."""
        ...


class ModelCard(msgspec.Struct, frozen=True, kw_only=True):
    """One name that a request may carry in ``model``."""

    id: str
    owned_by: str = "tiercel"


def _nothing(_event: str) -> None:
    """Count nothing."""


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """All that the door needs. ``ready`` returns the reason why not, or an empty string."""

    flow: Flow
    # Makes the id of a request that brought none: ``[A-Za-z0-9._-]``, at most 64.
    ids: Callable[[], str]
    models: Callable[[], Sequence[ModelCard]]
    engines: Callable[[], Sequence[msgspec.Struct]]
    # Takes the scraper's ``accept`` header.
    metrics: Callable[[str], Exposition]
    ready: Callable[[], str]
    limits: Limits = LIMITS
    clock: Clock = msgspec.field(default_factory=SystemClock)
    # The calendar, for the Date header only.
    wall_s: Callable[[], float] = time.time
    # Names this server answers to; None for any. Origins of other sites that may send unsafe methods.
    hosts: frozenset[str] | None = LOOPBACK
    origins: frozenset[str] = frozenset()
    # Told of every refusal and every clock that ran out, by one of ``EVENTS``.
    tally: Callable[[str], None] = _nothing
