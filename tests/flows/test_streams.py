"""Streams: failover is free until the first content, and after it the end is either whole or says that it is not."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from small_house import Screenplay, SmallHouse, an_ask
from tiercel.engines.scripted import Turn
from tiercel.route.spec import TierSpec
from tiercel.terms.ask import Wishes
from tiercel.terms.errors import EngineFailed, Exhausted

CUT = EngineFailed("truncated", "the stream stopped without a finish reason")
ERROR = TierSpec(first_ms=250, total_ms=1000, after_content="error")


def test_the_role_does_not_commit_a_stream_to_an_engine() -> None:
    """Statement 8: an error before the first content still fails over, without a trace in the stream."""
    house = SmallHouse({"a": [Turn(words="", fails=CUT)], "b": [Turn(words="from b", gap_s=0.01)]}, tier=ERROR)
    screen = Screenplay()

    served = house.run(house.ask(an_ask(stream=True), screen))

    assert screen.text == "from b"
    assert screen.report is not None
    assert screen.report.rung == served.report.rung == "b"
    assert screen.ids == {"chatcmpl-r1"}


def test_a_cut_stream_goes_on_with_the_next_rung_from_the_words_so_far() -> None:
    house = SmallHouse({"a": [Turn(words="The bridge is", fails=CUT)], "b": [Turn(words="closed today")]})
    screen = Screenplay()

    served = house.run(house.ask(an_ask(stream=True), screen))

    assert screen.text == "The bridge is closed today"
    assert house.engines["b"].asked[0].said == "The bridge is"
    assert [tried.outcome for tried in served.report.attempts] == ["truncated", "ok"]
    assert screen.ids == {"chatcmpl-r1"}


def test_a_cut_stream_ends_with_an_error_where_the_configuration_says_so() -> None:
    """Statements 6 and 7: never a clean end on a truncated stream."""
    house = SmallHouse({"a": [Turn(words="The bridge is", fails=CUT)], "b": [Turn(words="closed today")]}, tier=ERROR)
    screen = Screenplay()

    with pytest.raises(Exhausted):
        house.run(house.ask(an_ask(stream=True), screen))

    assert screen.text == "The bridge is"
    assert house.engines["b"].asked == []


def test_a_stream_that_stalls_in_the_middle_is_noticed_by_the_gap() -> None:
    """Statement 6: the inter-chunk timer."""
    house = SmallHouse({"a": [Turn(words="The bridge is", hangs=True)]}, tier=ERROR, template=False)
    screen = Screenplay()

    with pytest.raises(Exhausted):
        house.run(house.ask(an_ask(stream=True, wishes=Wishes(total_ms=5000)), screen))

    assert house.clock.now_s() == pytest.approx(0.3, abs=0.001)


def test_the_first_word_timer_is_disarmed_by_the_first_word() -> None:
    """Statement 10: only the gap and the end can stop a stream that is alive."""
    house = SmallHouse({"a": [Turn(words="one two three four five six", gap_s=0.1)]}, tier=ERROR)
    screen = Screenplay()

    served = house.run(house.ask(an_ask(stream=True), screen))

    assert served.report.rung == "a"
    assert house.clock.now_s() > 0.25


def test_a_stream_longer_than_its_deadline_is_closed_by_the_template() -> None:
    house = SmallHouse({"a": [Turn(words="a " * 50, gap_s=0.1)]})
    screen = Screenplay()

    served = house.run(house.ask(an_ask(stream=True), screen))

    assert served.report.kind == "template"
    assert house.clock.now_s() <= 1.0
    assert screen.text.endswith("traveller.")


def test_a_caller_that_leaves_stops_the_engine_in_the_same_instant() -> None:
    """Statement 12: before the first word as well as in the middle."""
    house = SmallHouse({"a": [Turn(words="", hangs=True), Turn(words="one two", hangs=True)]}, template=False)

    async def leave_twice() -> None:
        for wait_s in (0.05, 0.05):
            task = house.loop.create_task(house.ask(an_ask(stream=True)))
            await asyncio.sleep(wait_s)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    house.run(leave_twice())

    assert house.engines["a"].left == 2
    assert house.health.in_flight("a") == 0
    assert house.door.inside == 0


def test_three_truncated_streams_in_a_row_open_the_breaker() -> None:
    """Statement 9."""
    house = SmallHouse({"a": [Turn(words="cut here", fails=CUT)], "b": [Turn(words="whole")]})

    async def four() -> None:
        for _ in range(4):
            await house.ask(an_ask(stream=True))

    house.run(four())

    assert len(house.engines["a"].asked) == 3
    assert house.health.states()["a"][0].failure == "truncated"


def test_usage_is_counted_by_us_when_the_engine_does_not_say() -> None:
    house = SmallHouse({"a": [Turn(words="one two", gap_s=0.01)]})
    screen = Screenplay()

    served = house.run(house.ask(an_ask(stream=True, include_usage=True), screen))

    last = msgspec.json.decode(served.tail[-1])
    assert last["choices"] == []
    assert last["usage"]["total_tokens"] > 0


def test_of_two_hedged_engines_the_first_to_speak_answers_and_the_other_stops() -> None:
    hedged = TierSpec(first_ms=250, total_ms=1000, hedge_ms=50)
    house = SmallHouse(
        {"a": [Turn(words="slow", first_s=0.2)], "b": [Turn(words="quick one", gap_s=0.01)]}, tier=hedged
    )
    screen = Screenplay()

    served = house.run(house.ask(an_ask(stream=True), screen))

    assert screen.text == "quick one"
    assert served.report.rung == "b"
    assert house.engines["a"].left == 1
    assert house.health.in_flight("a") == 0
    assert "lost_race" in [tried.outcome for tried in served.report.attempts]


def test_hedges_come_out_of_the_same_purse_as_retries() -> None:
    hedged = TierSpec(first_ms=250, total_ms=1000, hedge_ms=10)
    house = SmallHouse({"a": [Turn(words="slow", first_s=0.05)], "b": [Turn(words="quick")]}, tier=hedged)

    async def many() -> None:
        for _ in range(100):
            await house.ask(an_ask())

    house.run(many())

    assert len(house.engines["b"].asked) <= 100 * 0.1 + 1
