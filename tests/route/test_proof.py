"""A ladder is proved before it runs: its worst time, attempts and cost, and that every rung gets enough time."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.engines.catalogue.spec import EngineSpec, Price
from tiercel.route.proof import ChainProof, prove
from tiercel.route.spec import RouteSpec, TierSpec

ROUTE = RouteSpec()
TEMPLATE = EngineSpec(kind="template")


def model(connect_ms: float = 20, price: Price | None = None, gap_ms: float = 1000) -> EngineSpec:
    return EngineSpec(kind="openai", url="http://h/v1", model="m", connect_ms=connect_ms, price=price, gap_ms=gap_ms)


def proof(spec: TierSpec, **engines: EngineSpec) -> ChainProof:
    return prove("silver", spec, {"template": TEMPLATE, **engines}, ROUTE)


def test_the_shares_and_the_numbers_of_a_usual_ladder_are_stated() -> None:
    price = Price(input=1.0, output=4.0, as_of="2026-01-01")
    found = proof(TierSpec(rungs=("big", "small", "template")), big=model(price=price), small=model(price=price))
    assert found.holds
    assert [(r.rung, r.first_share_ms, r.total_share_ms, r.needs_ms) for r in found.rungs] == [
        ("big", 184.5, 1497.0, 28.0),
        ("small", 61.5, 499.0, 28.0),
        ("template", 4.0, 4.0, 0.0),
    ]
    assert (found.first_ms, found.total_ms) == (250, 2000)
    # Both models, one more try of the second, the template.
    assert found.attempts == 4
    first, again = (2000 * 1 + 512 * 4) / 1e6, (2512 * 1 + 512 * 4) / 1e6
    assert found.cost == pytest.approx(first + 2 * again)


def test_a_rung_whose_share_is_too_short_is_named_with_the_inequality_and_a_way_out() -> None:
    spec = TierSpec(rungs=("big", "small", "template"))
    (broken,) = proof(spec, big=model(), small=model(connect_ms=100)).broken
    assert broken.inequality == (
        "engines.small.connect_ms 100 + 8 for a first word <= 61.5, its share of tiers.silver.first_ms 250"
    )
    assert broken.keys[0] == ("engines", "small", "connect_ms")
    assert broken.next_step.startswith("raise tiers.silver.first_ms to 444, or lower engines.small.connect_ms to 53")


def test_a_gap_longer_than_the_whole_is_never_noticed() -> None:
    (broken,) = proof(TierSpec(rungs=("big", "template")), big=model(gap_ms=2000)).broken
    assert broken.inequality == "engines.big.gap_ms 2000 < tiers.silver.total_ms 2000"


def test_a_hedge_must_start_before_the_first_share_ends() -> None:
    spec = TierSpec(rungs=("big", "small", "template"), hedge_ms=184.5)
    (broken,) = proof(spec, big=model(), small=model()).broken
    assert broken.keys == (("tiers", "silver", "hedge_ms"),)
    assert proof(msgspec.structs.replace(spec, hedge_ms=100), big=model(), small=model()).holds


def test_an_unknown_price_makes_the_cost_unknown_and_never_zero() -> None:
    price = Price(input=1.0, output=4.0, as_of="2026-01-01")
    found = proof(TierSpec(rungs=("big", "small", "template")), big=model(price=price), small=model())
    assert (found.cost, found.unpriced) == (None, ("small",))


def test_the_default_ladders_hold_and_cost_nothing() -> None:
    gold = prove(
        "gold", TierSpec(rungs=("policy",), first_ms=16, total_ms=16), {"policy": EngineSpec(kind="policy")}, ROUTE
    )
    silver = proof(TierSpec(rungs=("template",)))
    for found in (gold, silver):
        assert (found.holds, found.attempts, found.cost) == (True, 1, 0.0)


def test_what_breaks_no_promise_is_still_said() -> None:
    assert "no last resort" in proof(TierSpec(rungs=("big",)), big=model()).notes[0]
    assert "no rungs" in proof(TierSpec()).notes[0]
    assert "does nothing" in proof(TierSpec(rungs=("big", "template"), hedge_ms=10), big=model()).notes[0]


def test_without_a_retry_budget_nothing_is_tried_twice() -> None:
    spec, engines = TierSpec(rungs=("big", "template")), {"big": model(), "template": TEMPLATE}
    assert prove("silver", spec, engines, RouteSpec(retry_share=0)).attempts == 2


@given(
    connects=st.lists(st.floats(1, 200), min_size=1, max_size=6),
    first_ms=st.floats(1, 5000),
    longer_ms=st.floats(0, 60_000),
)
def test_the_way_out_that_is_named_leads_out(connects: list[float], first_ms: float, longer_ms: float) -> None:
    engines = {f"e{i}": model(connect_ms=connect, gap_ms=1) for i, connect in enumerate(connects)}
    spec = TierSpec(rungs=(*engines, "template"), first_ms=first_ms, total_ms=max(2, first_ms + longer_ms))
    found = proof(spec, **engines)
    assert sum(rung.first_share_ms for rung in found.rungs) == pytest.approx(first_ms, abs=0.01)
    assert found.holds == all(r.first_share_ms >= r.needs_ms for r in found.rungs)
    if found.broken:
        needed = [float(broken.next_step.split(" to ")[1].split(",")[0]) for broken in found.broken]
        enough = max(*needed, 0.0)
        wider = msgspec.structs.replace(spec, first_ms=enough, total_ms=max(enough, spec.total_ms))
        assert proof(wider, **engines).holds
