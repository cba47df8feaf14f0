"""What the router decided, as data: it calls nobody."""

from __future__ import annotations

import msgspec

from tiercel.engines.chain.run import Rung
from tiercel.terms.ask import Tier
from tiercel.terms.reply import Tried

__all__ = ["Decision"]


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The tier, its rungs in order with their shares of the time, and why the others were left out."""

    tier: Tier | None
    first_s: float
    total_s: float
    rungs: tuple[Rung, ...]
    skipped: tuple[Tried, ...] = ()
    # What chose the tier: the model's name, the sla, the budget, the quality, or the default.
    reason: str = ""
    # Whether a stream that breaks off may be taken up by the next rung.
    continues: bool = False
    may_degrade: bool = True
