"""Small deterministic randomness: eight bytes of state per listener instead of the 2.5 KB of random.Random."""

from __future__ import annotations

from typing import Final

_MASK: Final = (1 << 64) - 1


class Dice:
    """A 64-bit linear congruential generator (Knuth's MMIX constants); its upper 31 bits are used."""

    __slots__ = ("_state",)

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

    def below(self, sides: int) -> int:
        """Roll a whole number from 0 to sides - 1."""
        self._state = (self._state * 6364136223846793005 + 1442695040888963407) & _MASK
        return ((self._state >> 33) * sides) >> 31
