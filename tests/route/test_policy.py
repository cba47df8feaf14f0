"""Routing is a pure function: the same inputs, the same decision, and no decision that breaks a promise."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.engines.catalogue.spec import EngineSpec, Price
from tiercel.engines.judge.view import SIZES, EngineView
from tiercel.route.policy import RouteMap, decide
from tiercel.route.shares import cutoffs
from tiercel.route.spec import RouteSpec, TierSpec
from tiercel.terms.ask import Ask, Quality, Shape, Sla, Wishes
from tiercel.terms.errors import Unknown

PRICE = Price(input=1.0, output=2.0, as_of="2026-11-01")


def a_map(**engines: EngineSpec) -> RouteMap:
    specs = {**engines, "template": EngineSpec(kind="template"), "policy": EngineSpec(kind="policy")}
    return RouteMap(
        RouteSpec(),
        {
            "gold": TierSpec(rungs=("policy",), first_ms=16, total_ms=16),
            "silver": TierSpec(rungs=(*engines, "template")),
            "bronze": TierSpec(),
        },
        specs,
    )


def an_ask(**changes: object) -> Ask:
    ask = Ask(id="r", kind="chat", model="silver", fields={}, size_bytes=100)
    return msgspec.structs.replace(ask, **changes)


@pytest.mark.parametrize(("sla", "tier"), [("realtime", "gold"), ("interactive", "silver"), ("async", "bronze")])
def test_the_sla_chooses_the_tier(sla: Sla, tier: str) -> None:
    decision = decide(an_ask(model="auto", wishes=Wishes(sla=sla)), {}, a_map(), 0.0)
    assert (decision.tier, decision.reason) == (tier, "sla")


def test_a_budget_of_a_frame_chooses_gold() -> None:
    assert decide(an_ask(model="auto", wishes=Wishes(total_ms=12)), {}, a_map(), 0.0).tier == "gold"


def test_expert_work_with_patience_chooses_bronze() -> None:
    wishes = Wishes(quality="expert", total_ms=120_000)
    assert decide(an_ask(model="auto", wishes=wishes), {}, a_map(), 0.0).tier == "bronze"


def test_an_unknown_model_is_refused_with_its_param() -> None:
    with pytest.raises(Unknown) as caught:
        decide(an_ask(model="gpt-9"), {}, a_map(), 0.0)
    assert (caught.value.param, caught.value.code) == ("model", "model_not_found")


def test_quality_puts_the_engines_that_reach_it_first_and_among_them_the_cheapest() -> None:
    chart = a_map(
        small=EngineSpec(kind="openai", quality="simple", price=PRICE),
        dear=EngineSpec(kind="openai", quality="expert", price=Price(input=9, output=9, as_of="2026-11-01")),
        fair=EngineSpec(kind="openai", quality="complex", price=PRICE),
    )
    decision = decide(an_ask(wishes=Wishes(quality="complex")), {}, chart, 0.0)
    assert [rung.name for rung in decision.rungs] == ["fair", "dear", "small", "template"]


def test_an_engine_whose_price_is_unknown_cannot_keep_a_limit_on_cost() -> None:
    chart = a_map(free=EngineSpec(kind="openai"), priced=EngineSpec(kind="openai", price=PRICE))
    decision = decide(an_ask(wishes=Wishes(max_cost=1.0)), {}, chart, 0.0)
    assert [rung.name for rung in decision.rungs] == ["priced", "template"]
    assert decision.skipped[0].reason == "price unknown"


def test_only_an_engine_with_embeddings_serves_them() -> None:
    chart = a_map(words=EngineSpec(kind="openai"), vectors=EngineSpec(kind="openai", embeddings=True))
    decision = decide(an_ask(kind="embed", shape="embedding"), {}, chart, 0.0)
    assert [rung.name for rung in decision.rungs] == ["vectors"]


@pytest.mark.parametrize("shape", ["json", "schema", "tool"])
def test_a_template_never_stands_in_for_anything_but_words(shape: Shape) -> None:
    decision = decide(an_ask(shape=shape), {}, a_map(a=EngineSpec(kind="openai")), 0.0)
    assert [rung.name for rung in decision.rungs] == ["a"]


def test_an_open_breaker_leaves_its_engine_out_until_the_moment_it_ends() -> None:
    chart = a_map(a=EngineSpec(kind="openai"), b=EngineSpec(kind="openai"))
    view = {"a": EngineView(name="a", open_until_s=10.0, reason="server_error")}
    assert [rung.name for rung in decide(an_ask(), view, chart, 9.9).rungs] == ["b", "template"]
    assert [rung.name for rung in decide(an_ask(), view, chart, 10.0).rungs] == ["a", "b", "template"]


def test_a_hint_of_the_client_library_may_shorten_the_time_and_never_lengthen_it() -> None:
    chart = a_map()
    assert decide(an_ask(wishes=Wishes(hint_ms=600_000)), {}, chart, 0.0).total_s == 2.0
    assert decide(an_ask(wishes=Wishes(hint_ms=500)), {}, chart, 0.0).total_s == 0.5


budgets = st.floats(0.001, 600)


@given(budgets, st.lists(st.floats(0, 100), max_size=6), st.booleans())
def test_every_rung_gets_a_share_and_the_shares_rise_to_the_end(
    budget_s: float, usual_s: list[float], last_resort: bool
) -> None:
    cuts = cutoffs(budget_s, usual_s, last_resort=last_resort)
    assert cuts == sorted(cuts)
    assert len(cuts) == len(usual_s)
    assert all(0 < cut <= budget_s for cut in cuts)
    if last_resort and cuts:
        assert cuts[-1] < budget_s
    if cuts:
        assert cuts[0] >= (1 - 0.7) * cuts[-1] - 1e-9


engines = st.builds(
    EngineSpec,
    kind=st.just("openai"),
    tools=st.booleans(),
    json_schema=st.booleans(),
    embeddings=st.booleans(),
    context_tokens=st.sampled_from([64, 8192]),
    quality=st.sampled_from(["simple", "complex", "expert"]),
    price=st.sampled_from([None, PRICE]),
)
quality: st.SearchStrategy[Quality | None] = st.sampled_from([None, "simple", "complex", "expert"])
wishes = st.builds(
    Wishes,
    total_ms=st.one_of(st.none(), st.floats(1, 100_000)),
    first_ms=st.one_of(st.none(), st.floats(1, 100_000)),
    quality=quality,
    persona=st.sampled_from(["", "smith"]),
    max_cost=st.sampled_from([None, 1e-6, 1.0]),
    fallback=st.sampled_from([None, "tier", "none"]),
)
asks = st.builds(
    Ask,
    id=st.just("r"),
    kind=st.just("chat"),
    model=st.sampled_from(["auto", "silver", "gold", "a"]),
    fields=st.just({}),
    size_bytes=st.integers(2, 2_000_000),
    stream=st.booleans(),
    shape=st.sampled_from(["text", "json", "schema", "tool"]),
    tools=st.booleans(),
    n=st.integers(1, 8),
    wishes=wishes,
)
views = st.dictionaries(
    st.sampled_from("ab"),
    st.builds(
        EngineView,
        name=st.just(""),
        open_until_s=st.sampled_from([0.0, 5.0]),
        p50_s=st.tuples(*[st.floats(0, 10)] * (2 * SIZES)),
    ),
)


@given(asks, views, engines, engines, st.floats(0, 10))
def test_no_decision_breaks_a_promise_and_the_same_inputs_give_the_same_one(
    ask: Ask, view: dict[str, EngineView], a: EngineSpec, b: EngineSpec, now_s: float
) -> None:
    chart = a_map(a=a, b=b)
    decision = decide(ask, view, chart, now_s)

    assert decide(ask, dict(view), chart, now_s) == decision
    assert decision.first_s <= decision.total_s
    names = [rung.name for rung in decision.rungs]
    assert len(names) == len(set(names))
    assert not set(names) & {tried.rung for tried in decision.skipped}
    for rung in decision.rungs:
        spec = chart.engines[rung.name]
        assert rung.until_s <= decision.total_s
        assert not ask.tools or spec.tools or not spec.is_model
        assert spec.is_model or ask.shape == "text"
        assert rung.name not in view or view[rung.name].open_until_s <= now_s or not spec.is_model
    if ask.wishes.fallback == "none" or ask.model == "a":
        assert len(names) <= 1
