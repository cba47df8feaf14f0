"""Where a simulated caller sits: it sees its stream come, holds it when it reads slowly, and misses nothing."""

from __future__ import annotations

from tiercel.engines.port import Tap
from tiercel.sim.case import Case
from tiercel.sim.loop import VirtualLoop
from tiercel.sim.rules import Referee
from tiercel.terms.reply import Report

__all__ = ["Nowhere", "Seat"]


class Nowhere:
    """The stage of those who asked for no stream: nothing may be shown there."""

    def __init__(self, referee: Referee) -> None:
        self._referee = referee

    def begin(self, report: Report) -> None:
        """Refuse."""
        self._referee.wrong("one-stream", f"a stream begins that nobody asked for: {report}")

    def event(self, payload: bytes) -> None:
        """Refuse."""
        self._referee.wrong("one-stream", f"a chunk that nobody asked for: {payload[:80]!r}")

    def bind(self, tap: Tap) -> None:
        """Refuse."""
        self._referee.wrong("one-stream", "a stream opens that nobody asked for")


class Seat:
    """Implements ``Stage`` for one request, as a door does: it holds the tap it was given last, and none after the end.

    ``pause_at`` is after how many events the reader stops reading, for ``pause_s``.
    """

    __slots__ = (
        "_case",
        "_held",
        "_loop",
        "_pause_at",
        "_pause_s",
        "_referee",
        "_tap",
        "began_s",
        "events",
        "held_s",
        "report",
    )

    def __init__(self, case: Case, loop: VirtualLoop, referee: Referee) -> None:
        self._case = case
        self._loop = loop
        self._referee = referee
        self._tap: Tap | None = None
        self._held = False
        self._pause_at, self._pause_s = -1, 0.0
        self.began_s: float | None = None
        self.report: Report | None = None
        self.events: list[bytes] = []
        # When the reader last stopped or went on; a held engine cannot be on time.
        self.held_s = -1.0

    def read_slowly(self, pause_at: int, pause_s: float) -> None:
        """Stop reading once, after so many events."""
        self._pause_at, self._pause_s = pause_at, pause_s

    def begin(self, report: Report) -> None:
        """Take the beginning."""
        case = self._case
        if self.report is not None:
            self._referee.wrong("one-stream", f"a second beginning: {case}")
        if case.over or case.left_s is not None:
            self._referee.wrong("left-at-once", f"a stream begins for a caller who is gone: {case}")
        self.report, self.began_s = report, self._loop.time()

    def event(self, payload: bytes) -> None:
        """Take one chunk."""
        case = self._case
        if case.over or case.left_s is not None:
            rule = "left-at-once" if case.left_s is not None else "one-stream"
            self._referee.wrong(rule, f"a chunk after the end: {case}")
        if self.report is None:
            self._referee.wrong("one-stream", f"a chunk before the beginning: {case}")
        self.events.append(payload)
        if len(self.events) == self._pause_at:
            self._hold()

    def bind(self, tap: Tap) -> None:
        """Hold this tap from now on."""
        self._tap = tap
        if self._held:
            tap.pause_reading()

    def _hold(self) -> None:
        self._held = True
        self.held_s = self._loop.time()
        if self._tap is not None:
            self._tap.pause_reading()
        self._loop.call_later(self._pause_s, self._go_on)

    def _go_on(self) -> None:
        self._held = False
        self.held_s = self._loop.time()
        if self._tap is not None and not self._case.over:
            self._tap.resume_reading()
