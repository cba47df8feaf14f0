"""One request on its way down a chain: what was tried, what was shown, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from tiercel.engines.chain.show import Show
from tiercel.terms.ask import Ask, Tier
from tiercel.terms.clock import Budget, Clock
from tiercel.terms.errors import EngineFailed, Late, Tripped, Unavailable, Unfit
from tiercel.terms.reply import Answer, Outcome, RungKind, Tried

__all__ = ["Plan", "Run", "Rung", "Won", "outcome_of"]


# After these the model may have produced tokens that nobody can count.
MAY_HAVE_WORKED = frozenset(("late", "malformed", "truncated", "wrong_shape", "lost_race"))


class Rung(msgspec.Struct, frozen=True, kw_only=True):
    """One rung to try, and the moment (seconds after the start) at which it must have answered or give way.

    ``usual_s`` is its observed p50 for requests like this one (0: unknown): with less than that left it is skipped.
    ``retry`` allows one more try after a quick failure, where only a lesser answer or none would follow.
    ``hedge_after_s`` above zero starts the next rung when this one has been silent that long.
    """

    name: str
    kind: RungKind
    until_s: float
    usual_s: float = 0.0
    degraded: bool = False
    retry: bool = False
    hedge_after_s: float = 0.0


class Won(msgspec.Struct, frozen=True):
    """The answer, and the rung that gave it."""

    answer: Answer
    rung: Rung


class Plan(Protocol):
    """What a run needs of the router's decision: the tier, the times in seconds, and who was left out."""

    @property
    def tier(self) -> Tier | None:
        """The tier, or None for an engine that was asked for by name."""
        ...

    @property
    def first_s(self) -> float:
        """How long until the first content of a stream."""
        ...

    @property
    def total_s(self) -> float:
        """How long until the end."""
        ...

    @property
    def continues(self) -> bool:
        """Whether a stream that breaks off may be taken up by the next rung."""
        ...

    @property
    def skipped(self) -> Sequence[Tried]:
        """The rungs that cannot serve this request, with the reasons."""
        ...


class Run:
    """The record of one request: its budget, its rungs so far, its stream if it has one."""

    __slots__ = (
        "ask",
        "budget",
        "clock",
        "continues",
        "dropped",
        "engine_s",
        "failures",
        "first_s",
        "in_vain",
        "show",
        "showing",
        "tier",
        "tried",
    )

    def __init__(self, ask: Ask, plan: Plan, clock: Clock) -> None:
        start_s = clock.now_s() if ask.received_s is None else ask.received_s
        self.ask = ask
        self.clock = clock
        self.tier: Tier | None = plan.tier
        self.continues = plan.continues
        self.budget = Budget(start_s, start_s + plan.first_s, start_s + plan.total_s)
        self.tried: list[Tried] = list(plan.skipped)
        self.failures: list[Unavailable] = []
        self.show: Show | None = None
        # The rung whose words are being shown.
        self.showing: Rung | None = None
        self.dropped: Sequence[str] = ()
        # When the first content was shown, counted from the start.
        self.first_s: float | None = None
        # Whether an attempt that failed may have made a model work.
        self.in_vain = False
        # Time spent waiting for engines; the rest of the request's time is our own.
        self.engine_s = 0.0

    @property
    def begun(self) -> bool:
        """Whether content has been shown, so that an error can only be told inside the stream."""
        return self.show is not None and self.show.begun

    @property
    def paid_in_vain(self) -> bool:
        """Whether some model may have worked, and be charged for, without its answer being used."""
        return self.in_vain or any(tried.outcome in MAY_HAVE_WORKED for tried in self.tried)

    def can_go_on(self) -> bool:
        """Whether another rung may still answer: nothing was shown yet, or only words, which others can take up."""
        if self.show is None or not self.show.begun:
            return True
        return self.continues and self.show.only_words and self.ask.shape == "text" and self.ask.n == 1

    def note(self, rung: str, outcome: Outcome, took_s: float = 0.0, reason: str = "") -> None:
        """Write down what became of one rung."""
        self.tried.append(Tried(rung=rung, outcome=outcome, ms=round(took_s * 1e3, 3), reason=reason))

    def fail(self, rung: str, failure: Unavailable, took_s: float) -> None:
        """Write down why a rung was left."""
        self.failures.append(failure)
        self.note(rung, outcome_of(failure), took_s, str(failure))


def outcome_of(failure: Unavailable) -> Outcome:
    """Return the word for a failure in metrics and headers."""
    if isinstance(failure, EngineFailed):
        return failure.failure
    if isinstance(failure, Late):
        return "late"
    if isinstance(failure, Tripped):
        return "breaker_open"
    return "unfit" if isinstance(failure, Unfit) else "shed"
