"""The router remembers decisions, and nobody can tell: it always answers as the pure function would."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tiercel.engines.catalogue.spec import EngineSpec, Price
from tiercel.engines.judge.health import Health
from tiercel.route.policy import RouteMap, decide
from tiercel.route.router import MOST_REMEMBERED, Router
from tiercel.route.spec import RouteSpec, TierSpec
from tiercel.terms.ask import Ask, Wishes
from tiercel.terms.clock import ManualClock
from tiercel.terms.errors import EngineFailed, Failure, Tripped

CHART = RouteMap(
    RouteSpec(),
    {"silver": TierSpec(rungs=("a", "b", "template")), "gold": TierSpec(rungs=("policy",), first_ms=16, total_ms=16)},
    {
        "a": EngineSpec(kind="openai", context_tokens=512, tools=False),
        "b": EngineSpec(kind="openai", price=Price(input=1, output=1, as_of="2026-11-01"), json_schema=False),
        "template": EngineSpec(kind="template"),
        "policy": EngineSpec(kind="policy"),
    },
)

asks = st.builds(
    Ask,
    id=st.just("r"),
    kind=st.sampled_from(["chat", "embed"]),
    model=st.sampled_from(["auto", "silver", "gold", "a"]),
    fields=st.just({}),
    size_bytes=st.sampled_from([50, 1500, 5000, 100_000]),
    stream=st.booleans(),
    shape=st.sampled_from(["text", "schema", "tool"]),
    tools=st.booleans(),
    max_tokens=st.sampled_from([None, 16, 5000]),
    n=st.integers(1, 2),
    wishes=st.builds(
        Wishes,
        total_ms=st.sampled_from([None, 10.0, 500.0]),
        hint_ms=st.sampled_from([None, 100.0]),
        quality=st.sampled_from([None, "expert"]),
        sla=st.sampled_from([None, "realtime"]),
        persona=st.sampled_from(["", "smith", "innkeeper"]),
        max_cost=st.sampled_from([None, 0.001]),
        fallback=st.sampled_from([None, "none"]),
    ),
)
events = st.one_of(
    asks,
    st.tuples(st.sampled_from(["ok", "fail", "limit"]), st.sampled_from("ab"), st.floats(0.001, 2)),
    st.floats(0, 3),
)


@given(st.lists(events, max_size=60))
def test_a_remembered_decision_is_the_one_that_would_be_made(
    history: list[Ask | tuple[str, str, float] | float],
) -> None:
    clock = ManualClock()
    health = Health("ab", clock)
    router = Router(CHART, health)
    for event in history:
        if isinstance(event, (int, float)):
            clock.advance(event)
        elif isinstance(event, tuple):
            happens(health, *event)
        else:
            assert router.decide(event, clock.now_s()) == decide(event, health.view, CHART, clock.now_s())


def happens(health: Health, what: str, name: str, took_s: float) -> None:
    try:
        probe = health.enter(name)
    except Tripped:
        return
    if what == "ok":
        for _ in range(9):
            health.succeeded(name, 0, took_s, probe=probe)
            probe = health.enter(name)
        health.left(name, probe=probe)
    else:
        retry_after_s = took_s if what == "limit" else None
        kind: Failure = "rate_limited" if what == "limit" else "server_error"
        health.failed(name, EngineFailed(kind, "x", retry_after_s=retry_after_s), fair=True, probe=probe)


def test_its_memory_is_bounded() -> None:
    router = Router(CHART, Health("ab", ManualClock()))
    ask = Ask(id="r", kind="chat", model="silver", fields={}, size_bytes=50)
    for total_ms in range(3 * MOST_REMEMBERED):
        router.decide(msgspec.structs.replace(ask, wishes=Wishes(total_ms=100.0 + total_ms)), 0.0)
    assert len(router._known) <= MOST_REMEMBERED
