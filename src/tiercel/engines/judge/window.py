"""Outcomes of the last seconds, counted in two halves, so that old ones leave without a list being kept."""

from __future__ import annotations

__all__ = ["Window"]

HALF_S = 5.0


class Window:
    """How many attempts ended well and badly within the last 5 to 10 seconds."""

    __slots__ = ("_bad", "_good", "_half", "_old_bad", "_old_good")

    def __init__(self) -> None:
        self._half = 0
        self._good = self._bad = self._old_good = self._old_bad = 0

    def see(self, now_s: float, *, failed: bool) -> None:
        """Count one outcome."""
        half = int(now_s / HALF_S)
        if half != self._half:
            fresh = half == self._half + 1
            self._old_good, self._old_bad = (self._good, self._bad) if fresh else (0, 0)
            self._good = self._bad = 0
            self._half = half
        if failed:
            self._bad += 1
        else:
            self._good += 1

    @property
    def count(self) -> int:
        """Outcomes in the window."""
        return self._good + self._bad + self._old_good + self._old_bad

    @property
    def failure_share(self) -> float:
        """Share of them that failed."""
        return (self._bad + self._old_bad) / max(1, self.count)
