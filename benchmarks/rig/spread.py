"""Percentiles of many small times, and the shares of many small words."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import msgspec

__all__ = ["Spread", "at_share", "middle", "spread_of"]


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """How times lie, in milliseconds."""

    count: int
    p50_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float


def at_share(ordered: Sequence[float], share: float) -> float:
    """Return the value below which this share of ordered values lies; 0 where there are none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def spread_of(values_s: Sequence[float]) -> Spread:
    """Return how these seconds lie."""
    ordered = sorted(values_s)
    return Spread(
        count=len(ordered),
        p50_ms=round(at_share(ordered, 0.5) * 1e3, 3),
        p99_ms=round(at_share(ordered, 0.99) * 1e3, 3),
        p999_ms=round(at_share(ordered, 0.999) * 1e3, 3),
        max_ms=round((ordered[-1] if ordered else 0.0) * 1e3, 3),
    )


def middle(values: Sequence[float], digits: int = 4) -> float:
    """Return the rounded median; 0 where there are none."""
    return round(statistics.median(values), digits) if values else 0.0
