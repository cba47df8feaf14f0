"""One try at one engine: its clock, and the moment after which no other engine can take over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tiercel.engines.chain.show import Show, has_content
from tiercel.engines.port import Engine, Tap
from tiercel.engines.shape import StreamShape, is_shaped
from tiercel.terms.ask import Ask
from tiercel.terms.clock import Clock, Deadline
from tiercel.terms.errors import Late
from tiercel.terms.reply import Answer, Chunk

__all__ = ["Attempt", "Times"]

# Chunks that only announce (a role, a ping) are kept until there is something to show; no engine needs many.
MAX_PREAMBLE = 64


class Times:
    """When an attempt must have shown something, how long it may pause after that, and when it must be over."""

    __slots__ = ("end_s", "first_s", "gap_s")

    def __init__(self, first_s: float, end_s: float, gap_s: float) -> None:
        self.first_s = first_s
        self.end_s = end_s
        self.gap_s = gap_s


class Attempt:
    """Runs an engine under one timer, which is moved lazily: a chunk costs a note of the time and nothing else.

    It is the engine's sink. ``claim`` is asked once, just before the first content is shown, whether this attempt is
    the one that answers; a rival may have been quicker.
    """

    __slots__ = (
        "_armed_s",
        "_ask",
        "_claim",
        "_clock",
        "_last_s",
        "_late",
        "_preamble",
        "_shape",
        "_show",
        "_tap",
        "_task",
        "_timer",
        "_times",
        "content",
        "first_took_s",
        "started_s",
    )

    def __init__(
        self, ask: Ask, clock: Clock, times: Times, show: Show | None, claim: Callable[[], bool] | None
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._times = times
        self._show = show
        self._claim = claim
        self._late: Late | None = None
        self._task: asyncio.Task[object] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._last_s = 0.0
        self._armed_s = 0.0
        self._tap: _Held | None = None
        self._preamble: list[tuple[bytes, Chunk]] = []
        self._shape = StreamShape(ask) if show is not None and is_shaped(ask) else None
        self.content = False
        self.first_took_s = 0.0
        self.started_s = clock.now_s()

    async def run(self, engine: Engine) -> Answer:
        """Return the engine's answer, or raise what it raised, or ``Late`` when a moment passed first."""
        loop = asyncio.get_running_loop()
        task = self._task = asyncio.current_task(loop)
        assert task is not None  # noqa: S101 - a coroutine that runs has a task
        cancelling = task.cancelling()
        self._arm(loop, self._due_s(), self.started_s)
        try:
            return await engine.answer(self._ask, Deadline(self._times.end_s, self._clock), self)
        except asyncio.CancelledError:
            # Ours only when the timer asked for it and nobody else did; the caller's own leaving goes on up.
            if self._late and task.uncancel() <= cancelling:
                raise self._late from None
            raise
        finally:
            self._task = None
            if self._timer is not None:
                self._timer.cancel()
            if self._tap is not None:
                self._tap.let_go()

    @property
    def streaming(self) -> bool:
        """Whether the engine began a stream."""
        return self._tap is not None

    def check_shape(self) -> None:
        """Raise ``EngineFailed`` when the stream that ended is not what the request asked for."""
        if self._shape is not None:
            self._shape.check()

    def flush(self) -> None:
        """Show what was kept back although nothing was said: the engine ended its turn in silence, and cleanly."""
        if self._show is not None and not self.content and self._claims():
            self.content = True
            self._show_preamble(self._show)

    # -- the sink

    def opened(self, tap: Tap) -> None:
        """Put a note between the stream and whoever holds it, so that a slow reader is not taken for a slow engine."""
        self._tap = _Held(tap, self._resumed)
        if self._show is not None:
            self._show.bind(self._tap)

    def chunk(self, payload: bytes, chunk: Chunk) -> None:
        """Take one chunk in time order; only content counts as progress."""
        show = self._show
        if self._task is None or self._late or show is None:
            return
        if self._shape is not None:
            self._shape.take(chunk)
        if has_content(chunk):
            self._progress()
            if not self.content:
                if not self._claims():
                    self._show = None
                    return
                self.content = True
                self.first_took_s = self._last_s - self.started_s
                self._tighten()
                self._show_preamble(show)
        elif not self.content:
            if len(self._preamble) < MAX_PREAMBLE or _ends(chunk):
                self._preamble.append((payload, chunk))
            return
        show.take(payload, chunk)

    def _show_preamble(self, show: Show) -> None:
        # A reply that another engine began has said already who speaks; clients would add the two up. Its end is none
        # of that: who goes on from somebody else's words may have nothing to add.
        begun = show.begun
        for payload, chunk in self._preamble:
            if not begun or _ends(chunk):
                show.take(payload, chunk)
        self._preamble.clear()

    def _progress(self) -> None:
        self._last_s = self._clock.now_s()

    def _resumed(self) -> None:
        self._progress()
        self._tighten()

    def _claims(self) -> bool:
        return self._claim is None or self._claim()

    # -- the clock

    def _due_s(self) -> float:
        times = self._times
        if self._show is None:
            return times.end_s
        if not self.content:
            return min(times.first_s, times.end_s)
        if self._tap is not None and self._tap.held:
            return times.end_s
        return min(self._last_s + times.gap_s, times.end_s)

    def _arm(self, loop: asyncio.AbstractEventLoop, due_s: float, now_s: float) -> None:
        self._armed_s = due_s
        self._timer = loop.call_later(max(0.0, due_s - now_s), self._ring)

    def _tighten(self) -> None:
        """Move the timer to an earlier moment; a later one is left to the bell, which looks and goes back to sleep."""
        due_s = self._due_s()
        if due_s < self._armed_s and self._task is not None and self._timer is not None:
            self._timer.cancel()
            self._arm(self._task.get_loop(), due_s, self._last_s)

    def _ring(self) -> None:
        if self._task is None:
            return
        now_s = self._clock.now_s()
        due_s = self._due_s()
        if now_s < due_s:
            self._arm(self._task.get_loop(), due_s, now_s)
            return
        if self._show is None or now_s >= self._times.end_s:
            self._late = Late("no whole answer in its time", "total")
        elif self.content:
            self._late = Late("it stopped in the middle", "gap")
        else:
            self._late = Late("no first word in its time", "first")
        self._task.cancel()


def _ends(chunk: Chunk) -> bool:
    return any(choice.finish_reason for choice in chunk.choices)


class _Held:
    """A tap that knows whether it is closed, and that is none any more once the attempt is over.

    By then the connection belongs to another request, or is gone.
    """

    __slots__ = ("_on_resume", "_tap", "held")

    def __init__(self, tap: Tap, on_resume: Callable[[], None]) -> None:
        self._tap: Tap | None = tap
        self._on_resume = on_resume
        self.held = False

    def let_go(self) -> None:
        self._tap = None

    def pause_reading(self) -> None:
        self.held = True
        if self._tap is not None:
            self._tap.pause_reading()

    def resume_reading(self) -> None:
        self.held = False
        self._on_resume()
        if self._tap is not None:
            self._tap.resume_reading()
