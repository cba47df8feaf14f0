"""The first promise: whatever the engines do, an answer comes by the deadline, and says what it is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from small_house import Screenplay, SmallHouse, an_ask, text_of
from tiercel.engines.catalogue.spec import EngineSpec
from tiercel.engines.scripted import Turn
from tiercel.route.spec import TierSpec
from tiercel.terms.ask import Wishes
from tiercel.terms.errors import BadRequest, EngineFailed, Exhausted, TiercelError

SILENT = Turn(hangs=True, words="")
BROKEN = Turn(fails=EngineFailed("server_error", "status 500"), words="")


def limited(after_s: float) -> Turn:
    return Turn(fails=EngineFailed("rate_limited", "status 429", retry_after_s=after_s), words="")


def test_the_best_rung_answers_when_it_can() -> None:
    house = SmallHouse({"a": [Turn(words="from a")], "b": [Turn(words="from b")]})

    served = house.run(house.ask(an_ask()))

    assert text_of(served) == "from a"
    assert (served.report.rung, served.report.degraded) == ("a", False)
    assert house.engines["b"].asked == []


def test_a_silent_rung_leaves_time_for_the_one_below() -> None:
    """Statement 5: an upstream that accepts and sends nothing is left within the first-word budget."""
    house = SmallHouse({"a": [SILENT], "b": [Turn(words="from b", first_s=0.05)]})

    served = house.run(house.ask(an_ask()))

    assert text_of(served) == "from b"
    assert house.clock.now_s() < 1.0
    assert house.engines["a"].left == 1


def test_two_stalling_engines_do_not_keep_a_one_second_request_waiting() -> None:
    """Statement 3: one gateway was measured to answer this after sixteen seconds."""
    house = SmallHouse({"a": [SILENT], "b": [SILENT], "c": [Turn(words="from c", first_s=0.02)]})

    served = house.run(house.ask(an_ask(wishes=Wishes(total_ms=1000))))

    assert text_of(served) == "from c"
    assert house.clock.now_s() <= 1.0


def test_when_every_engine_is_silent_the_template_answers_in_time() -> None:
    house = SmallHouse({"a": [SILENT], "b": [SILENT]})

    served = house.run(house.ask(an_ask()))

    assert served.report.kind == "template"
    assert served.report.degraded
    assert house.clock.now_s() <= 1.0


def test_a_rate_limit_with_a_long_retry_after_costs_nothing_before_the_next_rung() -> None:
    """Statement 1: a 429 with Retry-After 47 costs less than 50 ms."""
    house = SmallHouse({"a": [limited(47)], "b": [Turn(words="from b")]})

    served = house.run(house.ask(an_ask()))

    assert text_of(served) == "from b"
    assert house.clock.now_s() < 0.05


def test_a_timeout_is_never_retried_on_the_same_engine() -> None:
    """Statement 11."""
    house = SmallHouse({"a": [SILENT]})

    house.run(house.ask(an_ask()))

    assert len(house.engines["a"].asked) == 1


def test_a_quick_failure_is_retried_once_before_degrading() -> None:
    """Statement 15: attempts never exceed what the chain allows."""
    house = SmallHouse({"a": [BROKEN, Turn(words="second try")]})

    served = house.run(house.ask(an_ask()))

    assert text_of(served) == "second try"
    assert [tried.outcome for tried in served.report.attempts] == ["server_error", "ok"]


def test_retries_stop_when_their_budget_is_spent() -> None:
    """Statement 17: extra attempts stay below a tenth of live requests."""
    house = SmallHouse({"a": [BROKEN]})

    async def many() -> None:
        for _ in range(200):
            await house.ask(an_ask())
            # Far apart, so that the breaker is not what stops them.
            await _wait(house, 20.0)

    house.run(many())

    assert house.extra.spent <= 200 * 0.1 + 1


def test_an_engine_by_name_gets_an_honest_error_by_its_deadline() -> None:
    house = SmallHouse({"a": [SILENT], "b": [Turn()]})

    with pytest.raises(Exhausted) as caught:
        house.run(house.ask(an_ask(model="a", wishes=Wishes(total_ms=400))))

    assert caught.value.code == "deadline"
    assert house.clock.now_s() == pytest.approx(0.4, abs=0.001)
    assert house.engines["b"].asked == []


def test_without_a_persona_a_plain_auto_call_gets_an_error_and_no_small_talk() -> None:
    house = SmallHouse({"a": [BROKEN]})

    with pytest.raises(Exhausted) as caught:
        house.run(house.ask(an_ask(model="auto")))

    assert caught.value.code == "exhausted"


def test_a_refusal_stops_the_chain() -> None:
    """Statement 16: the caller's own mistake is never tried again."""
    house = SmallHouse({"a": [Turn(fails=BadRequest("bad", param="messages"), words="")], "b": [Turn()]})

    with pytest.raises(BadRequest):
        house.run(house.ask(an_ask()))

    assert house.engines["b"].asked == []
    assert house.health.in_flight("a") == 0


def test_an_engine_that_usually_needs_longer_than_is_left_is_skipped() -> None:
    """Statement 3: predict, then skip."""
    house = SmallHouse({"a": [Turn(words="slow", first_s=0.5)], "b": [Turn(words="quick", first_s=0.01)]})

    async def learn_then_ask() -> str:
        for _ in range(9):
            await house.ask(an_ask(wishes=Wishes(total_ms=2000)))
        await house.ask(an_ask(wishes=Wishes(total_ms=100)))
        served = await house.ask(an_ask(wishes=Wishes(total_ms=100)))
        assert served.report.attempts[0].outcome == "skipped"
        return text_of(served)

    assert house.run(learn_then_ask()) == "quick"


def test_streams_are_held_to_the_first_word_and_whole_replies_to_the_end() -> None:
    slow = Turn(words="after half a second", first_s=0.5)
    house = SmallHouse({"a": [slow]})

    whole = house.run(house.ask(an_ask()))
    screen = Screenplay()
    stream = house.run(house.ask(an_ask(stream=True), screen))

    assert whole.report.rung == "a"
    assert stream.report.kind == "template"
    assert screen.at_s[0] - 0.5 <= 0.25


def test_a_caller_who_asks_for_more_time_than_the_tier_allows_gets_the_bound() -> None:
    house = SmallHouse({"a": [SILENT]}, tier=TierSpec(first_ms=100, total_ms=200, max_ms=500))

    house.run(house.ask(an_ask(wishes=Wishes(total_ms=60_000))))

    assert house.clock.now_s() <= 0.5


def test_an_engine_too_small_for_the_prompt_is_left_out_with_its_reason() -> None:
    house = SmallHouse(
        {"a": [Turn()], "b": [Turn(words="roomy")]},
        specs={"a": EngineSpec(kind="openai", context_tokens=8)},
    )

    served = house.run(house.ask(an_ask()))

    assert text_of(served) == "roomy"
    assert (served.report.attempts[0].outcome, served.report.attempts[0].reason) == ("unfit", "context")


def test_an_open_breaker_is_among_the_reasons() -> None:
    house = SmallHouse({"a": [BROKEN], "b": [Turn(words="from b")]})

    async def four() -> str:
        for _ in range(3):
            await house.ask(an_ask())
        served = await house.ask(an_ask())
        return served.report.attempts[0].outcome

    assert house.run(four()) == "breaker_open"


turns = st.builds(
    Turn,
    words=st.sampled_from(["one two three", "", "hi"]),
    first_s=st.sampled_from([0.0, 0.01, 0.1, 0.3, 5.0]),
    gap_s=st.sampled_from([0.0, 0.02, 0.5]),
    hangs=st.booleans(),
    fails=st.sampled_from(
        [
            None,
            EngineFailed("server_error", "500"),
            EngineFailed("truncated", "cut"),
            EngineFailed("rate_limited", "429", retry_after_s=2.0),
        ]
    ),
)


@settings(max_examples=300, deadline=None)
@given(
    scripts=st.dictionaries(st.sampled_from("abc"), st.lists(turns, min_size=1, max_size=3), min_size=1),
    stream=st.booleans(),
    total_ms=st.sampled_from([50, 200, 1000, 2000]),
    continues=st.booleans(),
    hedge_ms=st.sampled_from([0, 20]),
    asks=st.integers(1, 4),
)
def test_whatever_the_engines_do_the_answer_is_on_time_and_not_blank(
    scripts: dict[str, list[Turn]], stream: bool, total_ms: int, continues: bool, hedge_ms: int, asks: int
) -> None:
    house = SmallHouse(
        scripts,
        tier=TierSpec(
            first_ms=250, total_ms=1000, hedge_ms=hedge_ms, after_content="continue" if continues else "error"
        ),
    )

    async def one() -> None:
        start_s = house.clock.now_s()
        screen = Screenplay()
        try:
            served = await house.ask(an_ask(stream=stream, wishes=Wishes(total_ms=total_ms)), screen)
        except TiercelError:
            # Only a stream that broke after its first word may end so, and only where nobody may take it up.
            assert screen.report is not None
            assert not continues
        else:
            assert served.body or screen.payloads or served.tail
        assert house.clock.now_s() - start_s <= total_ms / 1e3 + 1e-6
        if screen.payloads:
            assert screen.ids == {"chatcmpl-r1"}

    async def all_of_them() -> None:
        for _ in range(asks):
            await one()

    house.run(all_of_them())
    assert house.door.inside == 0
    assert all(house.health.in_flight(name) == 0 for name in house.engines)


async def _wait(house: SmallHouse, seconds: float) -> None:
    done = house.loop.create_future()
    house.loop.call_later(seconds, done.set_result, None)
    await done
