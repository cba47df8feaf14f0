"""One timer for everything that can last too long on a connection, re-armed only when it rings."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from tiercel.terms.clock import Clock

__all__ = ["NEVER", "Timer"]

NEVER = math.inf


class Timer:
    """Rings no later than asked, and then asks when to ring next.

    A request that starts and ends within one period costs a comparison: nothing is cancelled, nothing armed.
    """

    __slots__ = ("_at_s", "_clock", "_handle", "_loop", "_ring")

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock, ring: Callable[[float], float]) -> None:
        self._loop = loop
        self._clock = clock
        # Takes the time, does what is due, returns when it wants to be rung again.
        self._ring = ring
        self._handle: asyncio.TimerHandle | None = None
        self._at_s = NEVER

    def by(self, due_s: float) -> None:
        """See to it that it rings at this moment or before."""
        if due_s < self._at_s:
            self._arm(due_s)

    def stop(self) -> None:
        """Never ring again, and let go of whoever listened."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self._at_s = -NEVER
        self._ring = _unheard

    def _arm(self, due_s: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._at_s = due_s
        self._handle = self._loop.call_later(max(0.0, due_s - self._clock.now_s()), self._rang)

    def _rang(self) -> None:
        self._handle = None
        self._at_s = NEVER
        self.by(self._ring(self._clock.now_s()))


def _unheard(_now_s: float) -> float:
    return NEVER
