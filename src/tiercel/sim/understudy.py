"""An engine at the port, without bytes: the same actor and the same troubles, several times as fast to simulate."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import Final, cast

from tiercel.engines.port import Sink
from tiercel.engines.rehearsal.modes import Mode
from tiercel.engines.rehearsal.part import Part
from tiercel.sim.case import Play
from tiercel.sim.chronicle import Chronicle
from tiercel.sim.loop import VirtualLoop
from tiercel.sim.script import Script
from tiercel.sim.troubles import PLAYED, made_of
from tiercel.sim.weather import Actor
from tiercel.terms.ask import Ask
from tiercel.terms.clock import Deadline
from tiercel.terms.errors import EngineFailed, Failure
from tiercel.terms.reply import Answer

__all__ = ["Understudy"]

_WAITS: Final = frozenset({Mode.RATE_LIMITED, Mode.BUSY, Mode.OVERLOADED})
# These fail after some words; NO_FINISH and EMPTY_FINISH after all of them.
_AFTER_WORDS: Final = frozenset(
    {Mode.CUT, Mode.RESET, Mode.CLEAN_CUT, Mode.ERROR_AFTER, Mode.BAD_JSON, Mode.STALL, Mode.ENDLESS}
)
_AFTER_ALL: Final = frozenset({Mode.NO_FINISH, Mode.EMPTY_FINISH})
_AT_THE_HEAD: Final = frozenset(
    {
        Mode.RATE_LIMITED,
        Mode.BUSY,
        Mode.OVERLOADED,
        Mode.BROKEN,
        Mode.UNAUTHORIZED,
        Mode.NO_MODEL,
        Mode.REDIRECT,
        Mode.HANGUP,
        Mode.REFUSE,
        Mode.HTML,
        Mode.SILENT,
    }
)


def _fate(mode: Mode, *, stream: bool) -> tuple[Failure | None, bool]:
    """Return how a part fails at the port, if it does, and whether it never ends."""
    allowed = made_of(mode, stream=stream)
    failures = sorted(allowed) if "answered" not in allowed else []
    return cast("Failure | None", failures[0] if failures else None), not allowed


_FATES: Final = {(mode, stream): _fate(mode, stream=stream) for mode in PLAYED for stream in (False, True)}


class Understudy:
    """Implements ``Engine``; what a client would make of the actor's bytes is raised, or put to the sink, at once."""

    def __init__(self, actor: Actor, chronicle: Chronicle, loop: VirtualLoop) -> None:
        self.name = actor.role.name
        self._actor = actor
        self._chronicle = chronicle
        self._loop = loop

    def drops(self, ask: Ask) -> Sequence[str]:
        """Drop nothing."""
        return ()

    async def answer(self, ask: Ask, deadline: Deadline, sink: Sink) -> Answer:
        """Play what the actor draws."""
        wire = self._actor.spell.wire
        if wire != "up":
            connect_s = min(self._actor.role.spec.connect_ms / 1e3, deadline.left_s())
            await asyncio.sleep(2 * self._actor.hop_s if wire == "down" else connect_s)
            raise EngineFailed("unreachable", "no connection", timed_out=wire == "black_hole")
        shaped = "response_format" in ask.fields
        part = self._actor.part(shaped=shaped)
        play = self._heard(ask, part)
        act = _Act(ask, part, sink, self._loop)
        try:
            await act.done
        finally:
            act.stop()
            play.over_s = self._loop.time()
        play.whole = True
        return act.answer()

    async def models(self, deadline: Deadline) -> Sequence[str]:
        """Return its own name."""
        return [self.name]

    async def aclose(self) -> None:
        """Close nothing."""

    def _heard(self, ask: Ask, part: Part) -> Play:
        play = Play(self.name, int(ask.id), part.mode, self._loop.time())
        play.pieces = part.chunks
        play.k, play.first_s = part.k, part.head_s + part.first_s
        play.prompt_tokens = part.prompt_tokens
        play.retry_after_s = float(math.ceil(part.retry_after_s)) if part.mode in _WAITS else 0.0
        self._chronicle.heard(play)
        return play


class _Act:
    """One answer in the making, driven by one timer; it is the tap of its stream."""

    def __init__(self, ask: Ask, part: Part, sink: Sink, loop: VirtualLoop) -> None:
        self._ask = ask
        self._part = part
        self._sink = sink
        self._loop = loop
        self._script = Script(ask, part)
        self._at = 0
        self._held = False
        self._due = False
        self.done: asyncio.Future[None] = loop.create_future()
        mode = part.mode
        fails, self._hangs = _FATES[mode, ask.stream]
        self._fails: Failure | None = fails
        pace_s = part.head_s
        if not ask.stream and mode not in _AT_THE_HEAD:
            pace_s += part.first_s + part.gap_s * (part.chunks - 1)
        self._timer = loop.call_later(pace_s, self._begin if ask.stream else self._end)

    def stop(self) -> None:
        """Say no more."""
        self._timer.cancel()

    def answer(self) -> Answer:
        """Return what was said, when nothing failed."""
        return self._script.end() if self._ask.stream else self._script.whole()

    def pause_reading(self) -> None:
        """Hold the words back."""
        self._held = True

    def resume_reading(self) -> None:
        """Say what is due."""
        self._held = False
        if self._due:
            self._due = False
            self._timer = self._loop.call_later(0.0, self._next)

    def _begin(self) -> None:
        """Open the stream; from now on there is one piece for every strike of the timer."""
        if self._part.mode in _AT_THE_HEAD:
            self._end()
            return
        self._sink.opened(self)
        self._script.open(self._sink)
        self._timer = self._loop.call_later(self._part.first_s, self._next)

    def _next(self) -> None:
        if self._held:
            self._due = True
            return
        mode, pieces = self._part.mode, self._part.chunks
        last = pieces if mode in _AFTER_ALL else self._part.k if mode in _AFTER_WORDS else 0
        if mode is Mode.ENDLESS or mode is Mode.ENDLESS_EMPTY:
            self._script.say(self._sink, 0, empty=mode is Mode.ENDLESS_EMPTY)
        elif self._at >= pieces or ((self._fails or self._hangs) and self._at >= last):
            self._end()
            return
        else:
            self._script.say(self._sink, self._at, empty=False)
        self._at += 1
        # What was shown may have ended it all: a rival was quicker, or the caller is gone.
        if not self.done.done():
            last_piece = self._at == pieces and not self._fails and not self._hangs
            self._timer = self._loop.call_later(0.0 if last_piece else max(0.001, self._part.gap_s), self._next)

    def _end(self) -> None:
        if self.done.done() or self._hangs:
            return
        if self._fails is not None:
            wait_s = float(math.ceil(self._part.retry_after_s)) if self._part.mode in _WAITS else None
            self.done.set_exception(EngineFailed(self._fails, self._part.mode.value, retry_after_s=wait_s))
            return
        if self._ask.stream:
            self._script.close(self._sink)
        self.done.set_result(None)
