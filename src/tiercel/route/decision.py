"""What the router decided, as data: it calls nobody."""

from __future__ import annotations

import msgspec

from tiercel.terms.ask import Tier
from tiercel.terms.reply import RungKind, Tried

__all__ = ["Decision", "Step"]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One rung to try, and the moment (seconds after the start) at which it must have answered or give way.

    ``usual_s`` is its observed p50 for requests like this one (0: unknown): with less than that left it is skipped.
    ``retry`` allows one more try after a quick failure, where only a lesser answer or none would follow.
    """

    rung: str
    kind: RungKind
    until_s: float
    usual_s: float = 0.0
    degraded: bool = False
    retry: bool = False
    hedge_after_s: float = 0.0


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The tier, its rungs in order with their shares of the time, and why the others were left out."""

    tier: Tier | None
    first_s: float
    total_s: float
    steps: tuple[Step, ...]
    skipped: tuple[Tried, ...] = ()
    reason: str = ""
    after_content: str = "error"
    may_degrade: bool = True
