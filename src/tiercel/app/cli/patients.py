"""Whoever the doctor examines: an engine through its port, or anything with a name behind a server or a house."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from typing import Protocol

from tiercel.app.cli.caller import Caller
from tiercel.app.cli.replies import Heard, Listener, Usage
from tiercel.app.http.asks import read_chat
from tiercel.engines.port import Engine, Tap
from tiercel.terms.ask import NO_WISHES
from tiercel.terms.clock import Clock, Deadline
from tiercel.terms.errors import Late
from tiercel.terms.reply import Chunk

__all__ = ["Named", "OfPort", "Patient"]


class Patient(Protocol):
    """Can be asked, and may be able to list its models."""

    @property
    def name(self) -> str:
        """What a request puts into ``model``."""
        ...

    async def ask(self, body: bytes, deadline: Deadline) -> Heard:
        """Answer one chat request; raises ``TiercelError`` or ``Unreachable``."""
        ...

    async def models(self, deadline: Deadline) -> Sequence[str] | None:
        """List its models; nothing when it cannot be asked for them from here."""
        ...


class Named:
    """A tier or an engine by its name, wherever it answers."""

    def __init__(self, name: str, caller: Caller) -> None:
        self.name = name
        self._caller = caller

    async def ask(self, body: bytes, deadline: Deadline) -> Heard:
        """Ask as any client would."""
        return await self._caller.chat(body, deadline, lambda _text: None)

    async def models(self, deadline: Deadline) -> None:
        """List nothing: only who configured it knows the server behind it."""


class OfPort:
    """An engine itself: no chain, no breaker, no last resort between."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self.name = engine.name
        self._engine = engine
        self._clock = clock

    async def ask(self, body: bytes, deadline: Deadline) -> Heard:
        """Ask the engine directly, for as long as the deadline allows."""
        ask = read_chat(body, NO_WISHES, uuid.uuid4().hex)
        listener = Listener(self._clock, lambda _text: None)
        try:
            async with asyncio.timeout(deadline.left_s()):
                answer = await self._engine.answer(ask, deadline, _Ear(listener))
        except TimeoutError:
            raise Late("no whole answer in its time", "total") from None
        heard = listener.done() if ask.stream else listener.whole(answer.body)
        if heard.usage is None and answer.usage is not None:
            heard.usage = Usage(
                prompt_tokens=answer.usage.prompt_tokens, completion_tokens=answer.usage.completion_tokens
            )
        return heard

    async def models(self, deadline: Deadline) -> Sequence[str]:
        """Ask the engine for its list."""
        try:
            async with asyncio.timeout(deadline.left_s()):
                return await self._engine.models(deadline)
        except TimeoutError:
            raise Late("no list of models in its time", "total") from None


class _Ear:
    """Gives chunks to a listener; implements the engines' ``Sink``."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def opened(self, tap: Tap) -> None:
        """Hold nothing."""

    def chunk(self, payload: bytes, chunk: Chunk) -> None:
        """Hear a chunk."""
        self._listener.event(payload)
