"""Virtual time: what happens when, in which order, and that one seed tells one story."""

from __future__ import annotations

import asyncio
import math
import random
import zlib
from collections.abc import AsyncIterator, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.sim import virtual
from tiercel.sim.loop import VirtualLoop
from tiercel.terms.clock import Clock, Deadline


def test_calls_of_one_instant_run_in_the_order_they_were_made() -> None:
    async def story() -> list[int]:
        loop, seen = asyncio.get_running_loop(), list[int]()
        for number in range(12):
            loop.call_soon(seen.append, number)
        await asyncio.sleep(0)
        return seen

    assert virtual.run(story()) == list(range(12))


def test_timers_of_one_instant_fire_in_the_order_they_were_armed() -> None:
    async def sleeper(number: int, seen: list[int]) -> None:
        await asyncio.sleep(1.0)
        seen.append(number)

    async def story() -> list[int]:
        seen: list[int] = []
        await asyncio.gather(*(sleeper(number, seen) for number in range(12)))
        return seen

    assert virtual.run(story()) == list(range(12))


def test_a_timer_that_is_due_already_waits_its_turn_among_the_calls_of_the_instant() -> None:
    async def story() -> list[str]:
        loop, seen = asyncio.get_running_loop(), list[str]()
        loop.call_soon(seen.append, "soon")
        loop.call_later(0, seen.append, "now")
        loop.call_at(loop.time() - 5, seen.append, "long ago")
        loop.call_soon(seen.append, "soon, too")
        await asyncio.sleep(0)
        return seen

    assert virtual.run(story()) == ["soon", "now", "long ago", "soon, too"]


@given(st.lists(st.floats(min_value=1e-9, max_value=1e9), min_size=1, max_size=20))
def test_a_timer_fires_at_exactly_its_time(moments: list[float]) -> None:
    async def story() -> list[float]:
        loop, seen = asyncio.get_running_loop(), list[float]()
        for moment in moments:
            loop.call_at(moment, lambda: seen.append(loop.time()))
        await asyncio.sleep(2e9)
        return seen

    assert virtual.run(story()) == sorted(moments)


def test_time_stands_still_while_anything_can_happen() -> None:
    async def story() -> float:
        loop = asyncio.get_running_loop()
        loop.call_later(1e-9, lambda: None)
        for _ in range(1_000):
            await asyncio.sleep(0)
        return loop.time()

    assert virtual.run(story()) == 0.0


def test_a_century_passes_in_no_time() -> None:
    async def story() -> float:
        await asyncio.sleep(3.2e9)
        return asyncio.get_running_loop().time()

    assert virtual.run(story()) == 3.2e9


def test_a_deadline_runs_on_virtual_time() -> None:
    async def story() -> tuple[float, float]:
        clock: Clock = virtual.here().clock
        deadline = Deadline.after(2.0, clock)
        before = deadline.left_s()
        await asyncio.sleep(1.5)
        return before, deadline.left_s()

    assert virtual.run(story()) == (2.0, 0.5)


async def _work(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "result"


async def _timeout_armed_first() -> str:
    try:
        async with asyncio.timeout(1.0):
            return await _work(1.0)
    except TimeoutError:
        return "timeout"


async def _work_started_first() -> str:
    task = asyncio.ensure_future(_work(1.0))
    await asyncio.sleep(0)
    done, _ = await asyncio.wait([task], timeout=1.0)
    return "result" if done else "timeout"


def test_at_the_very_deadline_whichever_was_armed_first_wins() -> None:
    assert virtual.run(_timeout_armed_first()) == "timeout"
    assert virtual.run(_work_started_first()) == "result"


def test_a_cancelled_timer_does_not_fire_and_is_not_kept() -> None:
    async def story() -> int:
        loop = virtual.here().loop
        for _ in range(10_000):
            loop.call_later(3_600, pytest.fail, "a cancelled timer fired").cancel()
        return len(loop._heap)

    assert virtual.run(story()) < 200


def test_a_call_can_be_taken_back_until_it_is_made() -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()
        soon = loop.call_soon(pytest.fail, "it was called")
        assert "fail" in repr(soon).lower()
        soon.cancel()
        soon.cancel()
        assert soon.cancelled()
        assert "cancelled" in repr(soon)
        assert "3.0" in repr(loop.call_later(3.0, pytest.fail, "it was called"))
        await asyncio.sleep(1.0)

    virtual.run(story())


def test_a_timer_cancelled_by_a_call_of_its_own_instant_does_not_fire() -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()
        timers: list[asyncio.TimerHandle] = []

        def cancel() -> None:
            timers[0].cancel()

        loop.call_later(1.0, cancel)
        timers.append(loop.call_later(1.0, pytest.fail, "it fired"))
        await asyncio.sleep(2.0)
        assert timers[0].cancelled()
        assert timers[0].when() == 1.0

    virtual.run(story())


def test_a_timer_at_infinity_never_fires_and_nan_is_no_time() -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(math.inf, pytest.fail, "it fired")
        with pytest.raises(ValueError, match="NaN"):
            loop.call_later(math.nan, pytest.fail, "it fired")

    virtual.run(story())


async def _equal_times() -> list[int]:
    async def sleeper(number: int, seen: list[int]) -> None:
        await asyncio.sleep(1.0)
        seen.append(number)

    seen: list[int] = []
    await asyncio.gather(*(sleeper(number, seen) for number in range(12)))
    return seen


def test_jitter_shuffles_timers_of_one_instant_by_the_seed() -> None:
    plain = virtual.run(_equal_times(), seed=7)
    shuffled = virtual.run(_equal_times(), seed=7, jitter=True)
    assert sorted(shuffled) == plain != shuffled
    assert shuffled == virtual.run(_equal_times(), seed=7, jitter=True)
    assert shuffled != virtual.run(_equal_times(), seed=8, jitter=True)


def test_jitter_leaves_calls_of_one_instant_alone() -> None:
    # asyncio promises their order, and transports rest on it.
    async def story() -> list[int]:
        loop, seen = asyncio.get_running_loop(), list[int]()
        for number in range(50):
            loop.call_soon(seen.append, number)
        await asyncio.sleep(0)
        return seen

    assert virtual.run(story(), jitter=True) == list(range(50))


async def _busy(trace: Callable[[str], None]) -> None:
    """Queues, events, timeouts and cancels, drawn from the seed."""
    world = virtual.here()
    rng = world.rng("story")
    queue: asyncio.Queue[int] = asyncio.Queue(maxsize=3)

    async def worker(name: str) -> None:
        while True:
            number = await queue.get()
            try:
                async with asyncio.timeout(rng.choice([0.1, 0.2, 0.3])):
                    await asyncio.sleep(rng.choice([0.1, 0.2, 0.3]))
                trace(f"{world.clock.now_s()} {name} did {number}")
            except TimeoutError:
                trace(f"{world.clock.now_s()} {name} gave up on {number}")
            finally:
                queue.task_done()

    async with asyncio.TaskGroup() as group:
        workers = [group.create_task(worker(f"w{number}")) for number in range(5)]
        for number in range(200):
            await queue.put(number)
        await queue.join()
        for task in workers:
            task.cancel()


def _crc(seed: int, *, jitter: bool) -> int:
    lines: list[str] = []
    virtual.run(_busy(lines.append), seed=seed, jitter=jitter)
    assert len(lines) == 200
    return zlib.crc32("\n".join(lines).encode())


@pytest.mark.parametrize("jitter", [False, True])
def test_one_seed_tells_one_story(jitter: bool) -> None:
    assert [_crc(seed, jitter=jitter) for seed in range(5)] == [_crc(seed, jitter=jitter) for seed in range(5)]
    assert len({_crc(seed, jitter=jitter) for seed in range(5)}) == 5


def test_streams_of_random_numbers_do_not_disturb_each_other() -> None:
    loop = VirtualLoop(seed=3)
    alone = loop.rng("faults").random()
    loop.rng("arrivals").random()
    assert loop.rng("faults").random() == alone
    assert VirtualLoop(seed=4).rng("faults").random() != alone


def test_tasks_are_numbered_by_the_world_and_not_by_the_process() -> None:
    async def story() -> list[str]:
        tasks = [asyncio.ensure_future(asyncio.sleep(0)) for _ in range(3)]
        await asyncio.gather(*tasks)
        return [task.get_name() for task in tasks]

    names = ["task-2", "task-3", "task-4"]
    for _ in range(2):
        assert virtual.run(story()) == names


def test_the_parts_of_asyncio_that_code_is_made_of_all_work() -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()
        event, lock, gate = asyncio.Event(), asyncio.Lock(), asyncio.Semaphore(2)
        loop.call_later(1.0, event.set)
        await event.wait()
        async with lock, gate:
            await asyncio.sleep(0.5)
        done, waiting = await asyncio.wait(
            [asyncio.ensure_future(_work(1)), asyncio.ensure_future(_work(9))], return_when=asyncio.FIRST_COMPLETED
        )
        assert [task.result() for task in done] == ["result"]
        for task in waiting:
            task.cancel()
        assert [*await asyncio.gather(_work(1), _work(2))] == ["result"] * 2
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(_work(2), 1)
        assert await asyncio.shield(_work(0.5)) == "result"
        assert [await first for first in asyncio.as_completed([_work(2), _work(1)])] == ["result"] * 2
        assert loop.time() == 1.0 + 0.5 + 1.0 + 2.0 + 1.0 + 0.5 + 2.0

    virtual.run(story())


def test_an_async_generator_dropped_half_way_is_closed_as_in_asyncio() -> None:
    closed: list[float] = []

    async def story() -> None:
        async def chunks() -> AsyncIterator[int]:
            try:
                yield 1
                yield 2
            finally:
                await asyncio.sleep(0.25)
                closed.append(asyncio.get_running_loop().time())

        stream = chunks()
        assert await anext(stream) == 1
        del stream

    virtual.run(story())
    assert closed == [0.25]


def test_a_jittered_loop_can_be_built_by_hand() -> None:
    loop = VirtualLoop(jitter=random.Random(1))  # noqa: S311
    try:
        assert sorted(loop.run_until_complete(_equal_times())) == list(range(12))
    finally:
        loop.close()
