"""Sleeps, and notes how much too late it wakes: the noise of a machine, beside which lateness has to be read.

It runs beside a benchmark, in a process of its own that wants nothing but to be woken every five milliseconds. Told
to end, it prints how late it woke, and when that was worst.
"""

from __future__ import annotations

import signal
import sys
import time
from types import FrameType

import msgspec

from rig.spread import Spread, spread_of

__all__ = ["Noise", "Stall"]

EVERY_S = 0.005
WORTH_NOTING_S = 0.005
MOST_STALLS = 2000


class Stall(msgspec.Struct, frozen=True, array_like=True):
    """One time that it woke much too late: when, by the machine's monotonic clock, and by how much."""

    at_s: float
    late_s: float


class Noise(msgspec.Struct, frozen=True, kw_only=True):
    """How late a process woke that slept all the time."""

    spread: Spread
    stalls: tuple[Stall, ...]


def listen() -> Noise:
    """Sleep until told to end."""
    told: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        told.append(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    lates: list[float] = []
    stalls: list[Stall] = []
    while not told:
        before_s = time.perf_counter()
        time.sleep(EVERY_S)
        late_s = time.perf_counter() - before_s - EVERY_S
        lates.append(late_s)
        if late_s > WORTH_NOTING_S and len(stalls) < MOST_STALLS:
            stalls.append(Stall(before_s, late_s))
    return Noise(spread=spread_of(lates), stalls=tuple(stalls))


if __name__ == "__main__":
    sys.stdout.write(msgspec.json.encode(listen()).decode() + "\n")
