"""The clock of a simulated world, for everything that takes its time as an argument."""

from __future__ import annotations

import asyncio

__all__ = ["VirtualClock"]


class VirtualClock:
    """A ``Clock`` that reads the time of an event loop; of a ``VirtualLoop``, virtual time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        # The loop's own method, so that reading the time costs one call and not two.
        self.now_s = loop.time
