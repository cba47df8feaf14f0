"""How often one event may be written: a failure that happens a thousand times a second is one line with a count."""

from __future__ import annotations

from collections.abc import Iterator

from tiercel.terms.clock import Clock

__all__ = ["Repeats"]

# Events are constants in code, so there are few; should somebody make them up, the rest share one allowance.
MOST_EVENTS = 512
OTHERS = ("logs", "logs.others")

Event = tuple[str, str]


class _Window:
    """One event's allowance since a moment, and what went beyond it."""

    __slots__ = ("seen", "silenced", "since_s")

    def __init__(self, since_s: float) -> None:
        self.since_s = since_s
        self.seen = 0
        self.silenced = 0


class Repeats:
    """Allows each event ``most`` times in ``window_s`` and counts the others."""

    def __init__(self, most: int, window_s: float, clock: Clock) -> None:
        self._most = most
        self._window_s = window_s
        self._clock = clock
        self._windows: dict[Event, _Window] = {}

    def admit(self, event: Event) -> int | None:
        """Return how many were silenced before this one, or None when this one is silenced too."""
        now_s = self._clock.now_s()
        window = self._window(event, now_s)
        if now_s - window.since_s >= self._window_s:
            window.since_s, window.seen = now_s, 0
        if window.seen >= self._most:
            window.silenced += 1
            return None
        window.seen += 1
        silenced, window.silenced = window.silenced, 0
        return silenced

    def rest(self) -> Iterator[tuple[Event, int]]:
        """Yield and forget what was silenced and not told yet."""
        for event, window in self._windows.items():
            if window.silenced:
                yield event, window.silenced
                window.silenced = 0

    def _window(self, event: Event, now_s: float) -> _Window:
        if event not in self._windows and len(self._windows) >= MOST_EVENTS:
            event = OTHERS
        if event not in self._windows:
            self._windows[event] = _Window(now_s)
        return self._windows[event]
