"""Engines that fail, stay away and come back: who notices, who is asked instead, and what the caller is told."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from small_house import SmallHouse, an_ask, text_of
from tiercel.engines.scripted import Turn
from tiercel.terms.ask import Wishes
from tiercel.terms.errors import EngineFailed, Exhausted, Shed

DOWN = Turn(fails=EngineFailed("unreachable", "connection refused"), words="")
SILENT = Turn(hangs=True, words="")


def test_with_every_engine_out_the_last_rung_answers_and_says_so() -> None:
    """Statement 21."""
    house = SmallHouse({"a": [DOWN], "b": [DOWN]})

    async def until_all_are_out() -> None:
        for _ in range(4):
            await house.ask(an_ask())
        served = await house.ask(an_ask())
        assert [tried.outcome for tried in served.report.attempts] == ["breaker_open", "breaker_open", "ok"]
        assert (served.report.kind, served.report.degraded) == ("template", True)

    house.run(until_all_are_out())


def test_a_dead_engine_costs_no_caller_an_error_before_it_is_benched() -> None:
    house = SmallHouse({"a": [DOWN], "b": [Turn(words="alive")]}, template=False)

    async def many() -> list[str]:
        return [text_of(await house.ask(an_ask())) for _ in range(20)]

    assert house.run(many()) == ["alive"] * 20


def test_engines_restarted_one_by_one_cost_no_caller_an_error() -> None:
    """Statement 39."""
    up = [Turn(words="up")]
    house = SmallHouse({"a": [*up * 5, *[DOWN] * 5, *up], "b": [*up * 2, DOWN, *up]}, template=False)

    async def many() -> None:
        for _ in range(60):
            await house.ask(an_ask())
            await asyncio.sleep(0.1)

    house.run(many())
    assert house.notes.errors == []


def test_an_engine_that_is_back_is_used_again_within_five_seconds() -> None:
    """Statement 20."""
    house = SmallHouse({"a": [*[DOWN] * 30, Turn(words="back")], "b": [Turn(words="b")]})

    async def until_back() -> None:
        while len(house.engines["a"].asked) < 30:
            await house.ask(an_ask())
            await asyncio.sleep(0.05)
        back_s = house.clock.now_s()
        for _ in range(99):
            if text_of(await house.ask(an_ask())) == "back":
                break
            await asyncio.sleep(0.05)
        assert house.clock.now_s() - back_s < 5

    house.run(until_back())


def test_a_black_holed_engine_does_not_slow_the_others() -> None:
    """Statement 38: who asks for another engine never notices."""
    house = SmallHouse({name: [SILENT] if name == "a" else [Turn(words=name, first_s=0.05)] for name in "abcd"})

    async def one(name: str) -> float:
        start_s = house.clock.now_s()
        await house.ask(an_ask(model=name))
        return house.clock.now_s() - start_s

    async def together() -> list[float]:
        stuck = [house.loop.create_task(house.ask(an_ask(model="a"))) for _ in range(100)]
        took_s = [await one(name) for name in "bcd"]
        for task in stuck:
            task.cancel()
        await asyncio.wait(stuck)
        return took_s

    assert house.run(together()) == pytest.approx([0.05] * 3)


def test_the_error_says_which_of_four_things_it_was() -> None:
    """Statement 4: exhausted, deadline, shed or policy; the attempts come with their times and reasons."""
    house = SmallHouse({"a": [DOWN]})
    silent = SmallHouse({"a": [SILENT]})
    full = SmallHouse({"a": [Turn()]})
    full.door.inside = 10_000

    with pytest.raises(Exhausted) as exhausted:
        house.run(house.ask(an_ask(model="a")))
    with pytest.raises(Exhausted) as deadline:
        silent.run(silent.ask(an_ask(model="a", wishes=Wishes(total_ms=100))))
    with pytest.raises(Exhausted) as policy:
        house.run(house.ask(msgspec.structs.replace(an_ask(), shape="embedding", kind="embed")))
    with pytest.raises(Shed) as shed:
        full.run(full.ask(an_ask()))

    codes = [caught.value.code for caught in (exhausted, deadline, policy, shed)]
    assert codes == ["exhausted", "deadline", "policy", "shed"]
    assert [str(failure) for failure in exhausted.value.failures] == ["connection refused"] * 2


def test_an_empty_answer_is_no_answer() -> None:
    house = SmallHouse({"a": [Turn(words="")], "b": [Turn(words="something")]})
    assert text_of(house.run(house.ask(an_ask()))) == "something"


def test_a_caller_that_leaves_during_a_retry_stops_the_chain() -> None:
    """Statement 14: nothing waits in its own time before a retry."""
    house = SmallHouse({"a": [DOWN, SILENT]})

    async def leave() -> None:
        task = house.loop.create_task(house.ask(an_ask()))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    house.run(leave())
    assert (len(house.engines["a"].asked), house.engines["a"].left) == (2, 1)
    assert house.engines["template"].asked == []
    assert house.door.inside == 0
