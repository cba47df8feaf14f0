"""The virtual loop orders what happens as stock asyncio does wherever asyncio has an order."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tiercel.sim import virtual

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike


class Leaping(selectors.BaseSelector):
    """A selector that waits by moving a dial: it makes stock asyncio's own machinery run without real time."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._real = selectors.DefaultSelector()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now_s += max(0.0, timeout or 0.0)
        return []

    def register(self, fileobj: FileDescriptorLike, events: int, data: object = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: FileDescriptorLike) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def close(self) -> None:
        self._real.close()

    def get_map(self) -> Mapping[FileDescriptorLike, selectors.SelectorKey]:
        return self._real.get_map()


class StockLoop(asyncio.SelectorEventLoop):
    """Stock asyncio, on a dial."""

    def __init__(self) -> None:
        self._dial = Leaping()
        super().__init__(self._dial)

    def time(self) -> float:
        return self._dial.now_s


class Step(msgspec.Struct, frozen=True):
    """One task: when it starts, how long it works, when it loses patience, when somebody cancels it."""

    start_ms: int
    work_ms: int
    patience_ms: int
    cancel_ms: int


def _distinct(raw: list[tuple[int, int, int, int]]) -> list[Step]:
    """Give every moment of every task a remainder of its own, so that no two can ever fall together."""
    modulus = len(raw) * 4 + 1
    return [
        Step(
            start_ms=start * modulus + number * 4,
            work_ms=work * modulus + 1,
            patience_ms=patience * modulus + 2,
            cancel_ms=cancel * modulus + 3,
        )
        for number, (start, work, patience, cancel) in enumerate(raw)
    ]


async def _one(number: int, step: Step, seen: list[str]) -> None:
    await asyncio.sleep(step.start_ms / 1_000)
    seen.append(f"{number} starts")
    try:
        async with asyncio.timeout(step.patience_ms / 1_000):
            await asyncio.sleep(step.work_ms / 1_000)
        seen.append(f"{number} is done")
    except TimeoutError:
        seen.append(f"{number} is late")
    except asyncio.CancelledError:
        seen.append(f"{number} is cancelled")
        raise


async def _program(steps: list[Step]) -> list[str]:
    loop, seen = asyncio.get_running_loop(), list[str]()
    tasks = [loop.create_task(_one(number, step, seen)) for number, step in enumerate(steps)]
    for step, task in zip(steps, tasks, strict=True):
        loop.call_later((step.start_ms + step.cancel_ms) / 1_000, task.cancel)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    return [*seen, *(repr(result) for result in results)]


_MS = st.integers(min_value=1, max_value=50)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(_MS, _MS, _MS, _MS), min_size=1, max_size=12))
def test_sleeps_timeouts_and_cancels_at_distinct_times_end_in_the_same_order(
    raw: list[tuple[int, int, int, int]],
) -> None:
    steps = _distinct(raw)
    stock = StockLoop()
    try:
        expected = stock.run_until_complete(_program(steps))
    finally:
        stock.close()
    assert virtual.run(_program(steps), leftovers="drop") == expected
