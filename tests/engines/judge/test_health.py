"""The judge: who may be asked, who may not for how long, and how everyone comes back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.engines.judge.breaker import IN_A_ROW, LONGEST_COOLDOWN_S
from tiercel.engines.judge.health import Health
from tiercel.engines.judge.retries import ExtraWork
from tiercel.terms.clock import ManualClock
from tiercel.terms.errors import EngineFailed, Failure, Late, Tripped

BROKEN = EngineFailed("server_error", "status 500")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def health(clock: ManualClock) -> Health:
    return Health(["a"], clock)


def fail(health: Health, failure: EngineFailed | Late = BROKEN, *, fair: bool = True) -> None:
    health.failed("a", failure, fair=fair, probe=health.enter("a"))


def succeed(health: Health) -> None:
    health.succeeded("a", 0, 0.01, probe=health.enter("a"))


def test_failures_in_a_row_open_the_breaker_for_the_very_next_request(health: Health) -> None:
    """Statement 18: effective at once."""
    for _ in range(IN_A_ROW):
        fail(health)

    with pytest.raises(Tripped):
        health.enter("a")
    assert health.view["a"].open_until_s > 0


def test_a_success_between_failures_keeps_it_closed(health: Health) -> None:
    for _ in range(3):
        fail(health)
        fail(health)
        succeed(health)
    assert health.view["a"].open_until_s == 0


def test_only_one_probe_is_let_through_when_the_cooldown_is_over(health: Health, clock: ManualClock) -> None:
    for _ in range(IN_A_ROW):
        fail(health)
    clock.advance(LONGEST_COOLDOWN_S)

    assert health.enter("a")
    with pytest.raises(Tripped):
        health.enter("a")


def test_a_probe_that_succeeds_closes_the_breaker(health: Health, clock: ManualClock) -> None:
    for _ in range(IN_A_ROW):
        fail(health)
    clock.advance(LONGEST_COOLDOWN_S)
    succeed(health)

    assert health.view["a"].open_until_s == 0
    assert not health.enter("a")


def test_a_probe_whose_caller_leaves_frees_its_place(health: Health, clock: ManualClock) -> None:
    """Statement 19: an engine can always come back."""
    for _ in range(IN_A_ROW):
        fail(health)
    clock.advance(LONGEST_COOLDOWN_S)
    health.left("a", probe=health.enter("a"))

    assert health.enter("a")


def test_the_longest_cooldown_wins(health: Health) -> None:
    """Statement 18: a shorter one never replaces it."""
    first, second = health.enter("a"), health.enter("a")
    health.failed("a", EngineFailed("rate_limited", "429", retry_after_s=30), fair=True, probe=first)
    health.failed("a", EngineFailed("rate_limited", "429", retry_after_s=1), fair=True, probe=second)

    assert health.states()["a"][0].until_in_s == pytest.approx(30)


def test_an_impatient_caller_does_not_trip_an_engine(health: Health) -> None:
    """Statement 19: the client's own time-outs and cancels do not count."""
    for _ in range(20):
        fail(health, Late("no whole answer in its time", "total"), fair=False)
    succeed(health)
    assert health.view["a"].open_until_s == 0


def test_it_recovers_within_five_seconds_of_the_engines_return_after_a_long_outage(
    health: Health, clock: ManualClock
) -> None:
    """Statement 20: whatever happened before, without a restart."""
    for _ in range(600):
        clock.advance(0.1)
        try:
            fail(health)
        except Tripped:
            continue
    back_s = clock.now_s()
    while True:
        try:
            succeed(health)
            break
        except Tripped:
            clock.advance(0.05)
    assert clock.now_s() - back_s < 5


def test_more_failures_than_successes_in_the_window_open_it_in_any_order(health: Health) -> None:
    for _ in range(6):
        fail(health)
        if not health.states()["a"]:
            succeed(health)
            fail(health)
        else:
            break
    assert health.states()["a"]


def test_an_engine_too_slow_to_be_asked_gets_a_try_now_and_then(health: Health, clock: ManualClock) -> None:
    assert health.may_try_slow("a")
    assert not health.may_try_slow("a")
    clock.advance(1.0)
    assert health.may_try_slow("a")


failures: st.SearchStrategy[Failure] = st.sampled_from(
    ["unreachable", "rate_limited", "server_error", "malformed", "truncated", "auth", "wrong_shape"]
)
events = st.lists(
    st.one_of(
        st.tuples(st.just("fail"), failures),
        st.tuples(st.just("ok"), st.none()),
        st.tuples(st.just("leave"), st.none()),
        st.tuples(st.just("wait"), st.floats(0, 5)),
    ),
    max_size=60,
)


@given(events)
def test_no_history_can_lose_a_probe_or_keep_an_engine_out_for_ever(history: list[tuple[str, object]]) -> None:
    clock = ManualClock()
    health = Health(["a"], clock)
    for what, detail in history:
        if what == "wait":
            clock.advance(float(detail))  # type: ignore[arg-type]  # drawn with the event
            continue
        try:
            probe = health.enter("a")
        except Tripped:
            continue
        if what == "fail":
            health.failed("a", EngineFailed(detail, "x"), fair=True, probe=probe)  # type: ignore[arg-type]  # likewise
        elif what == "ok":
            health.succeeded("a", 0, 0.01, probe=probe)
        else:
            health.left("a", probe=probe)
        assert health.in_flight("a") == 0
    clock.advance(LONGEST_COOLDOWN_S + 1e-6)
    succeed(health)
    assert health.view["a"].open_until_s == 0
    assert health.states()["a"] == ()


@given(st.lists(st.booleans(), max_size=500))
def test_extra_work_never_exceeds_its_share_of_live_requests(asks: list[bool]) -> None:
    extra = ExtraWork(0.1)
    for wants_more in asks:
        extra.earn()
        if wants_more:
            extra.spend()
    assert extra.spent <= 0.1 * len(asks) + 1 + 1e-6
