"""Answers in this process what a server would answer, through the same house, for when no server runs."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping

from tiercel.app.cli.replies import Heard, Listener
from tiercel.app.http.asks import read_chat
from tiercel.app.http.replies import stream_tail, with_report
from tiercel.app.settings import Loaded
from tiercel.app.wire import build
from tiercel.engines.port import Engine, Tap
from tiercel.terms.ask import NO_WISHES
from tiercel.terms.clock import Clock, Deadline
from tiercel.terms.reply import Report

__all__ = ["InHouse"]


class _Screen:
    """Shows a stream to the listener; implements the flow's ``Stage``."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def begin(self, report: Report) -> None:
        """Wait for the last report, which has all of it."""

    def bind(self, tap: Tap) -> None:
        """Hold nothing: a terminal reads as fast as a model writes."""

    def event(self, payload: bytes) -> None:
        """Show a chunk."""
        self._listener.event(payload)


class InHouse:
    """A house of our own; implements ``Caller``."""

    def __init__(self, loaded: Loaded, clock: Clock) -> None:
        self._clock = clock
        self._limits = loaded.settings.server.limits
        self._built = build(loaded, clock)

    @property
    def engines(self) -> Mapping[str, Engine]:
        """The engines themselves, for whoever looks at each alone."""
        return self._built.engines

    async def chat(self, body: bytes, deadline: Deadline, on_text: Callable[[str], None]) -> Heard:
        """Answer within the deadline that the request carries; ``deadline`` is a server's and not needed here."""
        ask = read_chat(body, NO_WISHES, uuid.uuid4().hex, self._limits)
        listener = Listener(self._clock, on_text)
        served = await self._built.flow.serve(ask, _Screen(listener))
        if not ask.stream:
            return listener.whole(with_report(served.body, served.report))
        for payload in stream_tail(served.tail, served.report):
            listener.event(payload)
        return listener.done()

    async def aclose(self) -> None:
        """Close the connections to engines."""
        await self._built.aclose()
