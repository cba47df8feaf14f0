"""Two engines for one reply: the second starts when the first has been silent for long; the first to speak answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from tiercel.engines.chain.run import Run, Rung, Won
from tiercel.terms.errors import Unavailable
from tiercel.terms.reply import Answer

__all__ = ["Tries", "race"]


class Tries(Protocol):
    """What a race needs of a chain."""

    async def attempt(self, rung: Rung, run: Run, last: Rung, claim: Callable[[], bool] | None = None) -> Answer:
        """Try one engine once."""
        ...

    def may_add(self, rung: Rung) -> bool:
        """Take one extra attempt out of the purse, if the rung may be asked at all."""
        ...


class _Race:
    """Who has spoken; the other is told to stop in the same instant."""

    def __init__(self) -> None:
        self.tasks: list[asyncio.Task[Answer]] = []
        self.winner: int | None = None

    def claim(self, runner: int) -> bool:
        if self.winner is None:
            self.winner = runner
            for i, task in enumerate(self.tasks):
                if i != runner:
                    task.cancel()
        return self.winner == runner


async def race(tries: Tries, pair: tuple[Rung, Rung], run: Run, last: Rung) -> tuple[Won | None, bool]:
    """Return the answer of whichever engine came first, if any did, and whether the second one was started."""
    state = _Race()
    loop = asyncio.get_running_loop()

    def start(runner: int, rung: Rung) -> None:
        state.tasks.append(loop.create_task(tries.attempt(rung, run, last, lambda: state.claim(runner))))

    first, second = pair
    start(0, first)
    try:
        await asyncio.wait(state.tasks, timeout=first.hedge_after_s)
        if not state.tasks[0].done() and state.winner is None and tries.may_add(second):
            start(1, second)
        runner = await _first_answer(state)
    finally:
        for task in state.tasks:
            task.cancel()
        await asyncio.gather(*state.tasks, return_exceptions=True)
    both = len(state.tasks) > 1
    for i, rung in enumerate(pair[: len(state.tasks)]):
        # A runner that was told to stop says nothing itself, even when the one that overtook it fell afterwards.
        if i != runner and not any(tried.rung == rung.name for tried in run.tried):
            run.note(rung.name, "lost_race")
    if runner is None:
        return None, both
    return Won(state.tasks[runner].result(), pair[runner]), both


async def _first_answer(state: _Race) -> int | None:
    """Wait for an answer; a runner that fails leaves the race to the other."""
    open_ = list(range(len(state.tasks)))
    while open_:
        await asyncio.wait([state.tasks[i] for i in open_], return_when=asyncio.FIRST_COMPLETED)
        # In the order of the start, not of the set that wait returns: the same race must always end the same way.
        for i in [i for i in open_ if state.tasks[i].done()]:
            open_.remove(i)
            task = state.tasks[i]
            if task.cancelled():
                continue
            failure = task.exception()
            if failure is None:
                return i
            if not isinstance(failure, Unavailable):
                raise failure
    return None
