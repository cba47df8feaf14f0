"""How fast an engine usually is: the median of its last answers, by class of request."""

from __future__ import annotations

from tiercel.engines.judge.view import SIZES

__all__ = ["Speed"]

REMEMBERED = 64
# A median moves slowly; computing it at every answer would cost more than it tells.
REFRESH_EVERY = 8
# A change smaller than this decides nothing, and everything that rests on the old value stays good.
WORTH_TELLING = 0.05


class Speed:
    """Rings of the last durations, one per class, and their medians."""

    def __init__(self) -> None:
        self._rings: list[list[float]] = [[] for _ in range(2 * SIZES)]
        self._seen = [0] * (2 * SIZES)
        self.p50_s: tuple[float, ...] = (0.0,) * (2 * SIZES)

    def see(self, size: int, took_s: float) -> bool:
        """Take one duration in; return whether a median changed."""
        ring, seen = self._rings[size], self._seen[size]
        self._seen[size] = seen + 1
        if len(ring) < REMEMBERED:
            ring.append(took_s)
        else:
            ring[seen % REMEMBERED] = took_s
        if seen >= REFRESH_EVERY and seen % REFRESH_EVERY:
            return False
        median_s = sorted(ring)[len(ring) // 2]
        known_s = self.p50_s[size]
        if abs(median_s - known_s) <= WORTH_TELLING * known_s:
            return False
        fresh = list(self.p50_s)
        fresh[size] = median_s
        self.p50_s = tuple(fresh)
        return True
