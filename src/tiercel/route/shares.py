"""How a budget is divided over a chain: what each rung must leave for the rungs below it."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["LAST_RESORT_S", "MOST_RESERVED", "UNKNOWN_SHARE", "cutoffs"]

# A last resort writes a line in well under a millisecond; this much is kept so that a busy loop is still on time.
LAST_RESORT_S = 0.004
# A model whose speed nobody has seen yet is left this share of the budget.
UNKNOWN_SHARE = 0.25
# A known model is left twice its usual time, within these shares of the budget.
LEAST_SHARE, MOST_SHARE = 0.05, 0.4
# However many rungs wait below, the first one keeps at least the rest.
MOST_RESERVED = 0.7


def cutoffs(budget_s: float, usual_s: Sequence[float], *, last_resort: bool) -> list[float]:
    """Return for each model, from the first, the second at which it must give way; the last one's is the end.

    ``usual_s`` holds the observed p50 of each model in order, 0 where it is unknown.
    """
    tail_s = min(LAST_RESORT_S, budget_s / 2) if last_resort else 0.0
    end_s = budget_s - tail_s
    if len(usual_s) < 2:  # noqa: PLR2004 - one model has nothing to leave to another
        return [end_s] * len(usual_s)
    reserves = [_reserve(end_s, usual) for usual in usual_s[1:]]
    scale = min(1.0, MOST_RESERVED * end_s / sum(reserves))
    cuts, left = [end_s], end_s
    for reserve in reversed(reserves):
        left -= reserve * scale
        cuts.append(left)
    cuts.reverse()
    return cuts


def _reserve(budget_s: float, usual_s: float) -> float:
    if usual_s <= 0:
        return UNKNOWN_SHARE * budget_s
    return min(max(2 * usual_s, LEAST_SHARE * budget_s), MOST_SHARE * budget_s)
