"""What an engine saw: attempts by model and mode, connections, readers who left; bounded, however long it runs."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from typing import Final

import msgspec

from tiercel.engines.rehearsal.heard import Heard
from tiercel.engines.rehearsal.modes import Mode

_MOST_MODELS: Final = 1024
OTHERS: Final = "(others)"
"""Under which name models are counted once too many different ones were seen."""


class Departure(msgspec.Struct, frozen=True, kw_only=True):
    """A reader who left before the reply was complete."""

    model: str
    mode: Mode
    left_after_s: float
    """Since the request was complete."""
    beats: int
    """How many beats it had been sent."""


class Ledger:
    """Counts for one or more players on one loop; ``until`` waits for a state instead of a time."""

    def __init__(self, *, keep: int = 256, keep_bytes: int = 1 << 16) -> None:
        """Keep so many requests and departures, and so many bytes of each body."""
        self.attempts = 0
        """Requests that were given a part."""
        self.completed = 0
        self.connections = 0
        """Sockets ever accepted."""
        self.open_sockets = 0
        self.malformed = 0
        """Connections closed because their bytes were no HTTP."""
        self.abandoned = 0
        self.departures: deque[Departure] = deque(maxlen=keep)
        self.heard: deque[Heard] = deque(maxlen=keep)
        """The latest requests, their bodies cut to ``keep_bytes``."""
        self._keep_bytes = keep_bytes
        self._counts: Counter[tuple[str, Mode]] = Counter()
        self._models: set[str] = set()
        self._waiters: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    def count(self, *, model: str | None = None, mode: Mode | None = None) -> int:
        """Count the attempts for this model in this mode; leave one out to count over all."""
        return sum(
            times
            for (name, played), times in self._counts.items()
            if (model is None or name == model) and (mode is None or played is mode)
        )

    async def until(self, reached: Callable[[], bool]) -> None:
        """Return as soon as the counts are as asked for; the caller bounds the wait."""
        if reached():
            return
        future = asyncio.get_running_loop().create_future()
        waiter = (reached, future)
        self._waiters.append(waiter)
        try:
            await future
        finally:
            self._waiters.remove(waiter)

    def opened(self) -> None:
        """Count a connection."""
        self.connections += 1
        self.open_sockets += 1
        self._changed()

    def closed(self) -> None:
        """Count it out."""
        self.open_sockets -= 1
        self._changed()

    def began(self, heard: Heard, mode: Mode) -> None:
        """Count an attempt."""
        self.attempts += 1
        self._counts[self._known(heard.model), mode] += 1
        if len(heard.body) > self._keep_bytes:
            heard = msgspec.structs.replace(heard, body=heard.body[: self._keep_bytes])
        self.heard.append(heard)
        self._changed()

    def finished(self) -> None:
        """Count a reply that was sent to its end."""
        self.completed += 1
        self._changed()

    def left(self, departure: Departure) -> None:
        """Count a reader who did not wait for the end."""
        self.abandoned += 1
        self.departures.append(departure)
        self._changed()

    def garbled(self) -> None:
        """Count bytes that were no HTTP."""
        self.malformed += 1
        self._changed()

    def _known(self, model: str) -> str:
        if model not in self._models:
            if len(self._models) >= _MOST_MODELS:
                return OTHERS
            self._models.add(model)
        return model

    def _changed(self) -> None:
        for reached, future in self._waiters:
            if not future.done() and reached():
                future.set_result(None)
