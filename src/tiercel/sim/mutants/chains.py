"""Chains that break their word."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from tiercel.engines.chain.attempt import Times
from tiercel.engines.chain.chain import Chain
from tiercel.engines.chain.run import Run, Rung, Won
from tiercel.engines.openai.engine import OpenAIEngine
from tiercel.engines.port import Engine, Sink
from tiercel.terms.ask import Ask
from tiercel.terms.clock import Deadline
from tiercel.terms.errors import EngineFailed, Late, Unavailable
from tiercel.terms.reply import Answer, Chunk

__all__ = [
    "AsksTheLateAgain",
    "CallsCutsClean",
    "LeavesNoTime",
    "NamesTheWrongRung",
    "RepeatsWords",
    "SwallowsLeaving",
]


class LeavesNoTime(Chain):
    """Gives each rung the whole budget, and a little more, so that nothing is left for the rungs below."""

    def _times(self, rung: Rung, run: Run, last: Rung) -> Times:
        end_s = run.budget.end_s + 0.05
        return Times(end_s, end_s, 10.0)


class AsksTheLateAgain(Chain):
    """Retries a timeout on the same engine."""

    def _worth_again(self, rung: Rung, run: Run, failure: Unavailable) -> bool:
        tries = sum(tried.rung == rung.name for tried in run.tried)
        return super()._worth_again(rung, run, failure) or (isinstance(failure, Late) and tries < 2)  # noqa: PLR2004 - twice


class NamesTheWrongRung(Chain):
    """Says that the best rung answered, whoever did."""

    async def descend(self, run: Run, rungs: Sequence[Rung]) -> Won:
        """Swap the name."""
        won = await super().descend(run, rungs)
        return Won(won.answer, msgspec.structs.replace(won.rung, name=rungs[0].name))


class CallsCutsClean(OpenAIEngine):
    """Takes the end of a connection for the end of an answer."""

    async def answer(self, ask: Ask, deadline: Deadline, sink: Sink) -> Answer:
        """Make a clean end of a cut."""
        try:
            return await super().answer(ask, deadline, sink)
        except EngineFailed as failure:
            if failure.failure != "truncated" or not ask.stream:
                raise
            return Answer()


class _Wrapped:
    """Passes everything on."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.name = engine.name

    def drops(self, ask: Ask) -> Sequence[str]:
        return self._engine.drops(ask)

    async def answer(self, ask: Ask, deadline: Deadline, sink: Sink) -> Answer:
        return await self._engine.answer(ask, deadline, sink)

    async def models(self, deadline: Deadline) -> Sequence[str]:
        return await self._engine.models(deadline)

    async def aclose(self) -> None:
        await self._engine.aclose()


class SwallowsLeaving(_Wrapped):
    """Goes on for a while when it is told to stop."""

    async def answer(self, ask: Ask, deadline: Deadline, sink: Sink) -> Answer:
        """Finish first, then stop."""
        try:
            return await super().answer(ask, deadline, sink)
        except asyncio.CancelledError:
            await asyncio.sleep(0.2)
            raise


class RepeatsWords(_Wrapped):
    """Sends every chunk of a stream twice."""

    async def answer(self, ask: Ask, deadline: Deadline, sink: Sink) -> Answer:
        """Stutter."""
        return await super().answer(ask, deadline, _Stutter(sink))


class _Stutter:
    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.opened = sink.opened

    def chunk(self, payload: bytes, chunk: Chunk) -> None:
        self._sink.chunk(payload, chunk)
        self._sink.chunk(payload, chunk)
