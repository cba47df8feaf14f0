"""One breaker for one engine and one class of failure: when to stop asking, and when to ask again."""

from __future__ import annotations

__all__ = ["IN_A_ROW", "LONGEST_COOLDOWN_S", "Breaker"]

IN_A_ROW = 3
FIRST_COOLDOWN_S = 0.5
# An engine that is back is asked again within this time, whatever it did before: half of the 5 s we promise,
# so that a probe lost to bad luck still leaves time for another.
LONGEST_COOLDOWN_S = 2.0


class Breaker:
    """Closed, open until a moment, or half open with a single probe.

    It opens after failures in a row (or when told to), for longer each time, and closes at the first success.
    """

    __slots__ = ("_cooldown_s", "_in_a_row", "open_until_s", "probing")

    def __init__(self) -> None:
        self.open_until_s = 0.0
        self.probing = False
        self._in_a_row = 0
        self._cooldown_s = FIRST_COOLDOWN_S

    @property
    def tripped(self) -> bool:
        """Whether it has opened and no success has closed it yet."""
        return self.open_until_s > 0.0

    def fail(self, now_s: float, *, at_once: bool = False, for_s: float | None = None) -> bool:
        """Count one failure; return whether the breaker is open after it.

        ``for_s`` is the engine's own word (Retry-After), which is believed until it was broken often. The longer
        cooldown always wins. A probe that is under way stays the only one, whoever else fails meanwhile.
        """
        self._in_a_row += 1
        often = self._in_a_row >= IN_A_ROW
        if not (at_once or for_s is not None or often):
            return self.tripped
        cooldown_s = for_s or 0.0
        if for_s is None or often:
            cooldown_s = max(cooldown_s, self._cooldown_s)
            self._cooldown_s = min(2 * self._cooldown_s, LONGEST_COOLDOWN_S)
        self.open_until_s = max(self.open_until_s, now_s + cooldown_s)
        return True

    def succeed(self) -> None:
        """Close: the engine answered."""
        self.open_until_s = 0.0
        self.probing = False
        self._in_a_row = 0
        self._cooldown_s = FIRST_COOLDOWN_S
