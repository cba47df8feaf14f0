"""The product's own numbers: each verb moves exactly the cells it names."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.telemetry.meters import Meters
from tiercel.telemetry.product import FATES, KINDS, PRODUCT, SKIPS, TIERS, TRIES, Fate, ProductMeters
from tiercel.terms.ask import Tier
from tiercel.terms.reply import CompletionDetails, Outcome, PromptDetails, RungKind, Usage

ENGINES = ("fast", "small")


class Shop:
    """The product's meters and what they show."""

    def __init__(self) -> None:
        self._meters = Meters()
        self.product = ProductMeters(self._meters, ENGINES)

    def moved(self) -> dict[tuple[str, ...], float]:
        """Return every line that is not zero; of a histogram the number of observations."""
        return {
            (reading.name, *row.values): sum(row.buckets) if row.buckets else row.number
            for reading in self._meters.read()
            for row in reading.rows
            if (sum(row.buckets) if row.buckets else row.number)
        }


@pytest.fixture
def shop() -> Shop:
    return Shop()


def test_an_answered_request_is_counted_with_its_times(shop: Shop) -> None:
    shop.product.request("silver", "model", "ok")
    shop.product.took("silver", 0.2, 4e-5, 0.0)
    assert shop.moved() == {
        ("tiercel_requests_total", "silver", "model", "ok"): 1,
        ("tiercel_request_seconds", "silver"): 1,
        ("tiercel_overhead_seconds", "silver"): 1,
        ("tiercel_lateness_seconds", "silver"): 1,
    }


def test_a_stream_has_a_first_content(shop: Shop) -> None:
    shop.product.took(None, 0.2, 4e-5, 0.0, first_s=0.1)
    assert shop.moved()["tiercel_first_content_seconds", "none"] == 1


def test_a_degraded_reply_is_counted_beside_its_fate(shop: Shop) -> None:
    shop.product.request("gold", "policy", "ok", degraded=True)
    assert shop.moved() == {
        ("tiercel_requests_total", "gold", "policy", "ok"): 1,
        ("tiercel_degraded_total", "gold"): 1,
    }


def test_a_rung_that_was_tried_has_a_time_and_one_left_out_has_a_reason(shop: Shop) -> None:
    shop.product.attempt("fast", "rate_limited", 0.01)
    shop.product.attempt("small", "unfit", 0.0)
    assert shop.moved() == {
        ("tiercel_attempts_total", "fast", "rate_limited"): 1,
        ("tiercel_attempt_seconds", "fast"): 1,
        ("tiercel_skipped_total", "small", "unfit"): 1,
    }


def test_tokens_are_counted_by_kind_and_silence_counts_nothing(shop: Shop) -> None:
    shop.product.tokens("fast", Usage(prompt_tokens=30, completion_tokens=8))
    shop.product.tokens(
        "small",
        Usage(
            prompt_tokens=5,
            prompt_tokens_details=PromptDetails(cached_tokens=4),
            completion_tokens_details=CompletionDetails(reasoning_tokens=2),
        ),
    )
    shop.product.tokens(
        "small", Usage(prompt_tokens_details=PromptDetails(), completion_tokens_details=CompletionDetails())
    )
    assert shop.moved() == {
        ("tiercel_tokens_total", "fast", "prompt"): 30,
        ("tiercel_tokens_total", "fast", "completion"): 8,
        ("tiercel_tokens_total", "small", "prompt"): 5,
        ("tiercel_tokens_total", "small", "cached"): 4,
        ("tiercel_tokens_total", "small", "reasoning"): 2,
    }


def test_slow_and_lost_readers_are_counted(shop: Shop) -> None:
    shop.product.held(4096)
    shop.product.held(100)
    shop.product.abandoned()
    assert shop.moved() == {
        ("tiercel_stream_holds_total",): 2,
        ("tiercel_stream_held_bytes_total",): 4196,
        ("tiercel_streams_abandoned_total",): 1,
    }


def test_what_others_count_already_is_asked_of_them(shop: Shop) -> None:
    shop.product.follow_in_flight(lambda: 9)
    shop.product.follow_extra(lambda: 3, lambda: 1)
    shop.product.follow_breaker("small", lambda: 2)
    assert shop.moved() == {
        ("tiercel_in_flight",): 9,
        ("tiercel_extra_attempts_total", "used"): 3,
        ("tiercel_extra_attempts_total", "refused"): 1,
        ("tiercel_breaker_state", "small"): 2,
    }


@given(st.sampled_from(TIERS), st.sampled_from(KINDS), st.sampled_from(FATES))
def test_every_end_that_a_request_can_have_is_countable(tier: Tier | None, kind: RungKind | None, fate: Fate) -> None:
    shop = Shop()
    shop.product.request(tier, kind, fate)
    assert shop.moved() == {("tiercel_requests_total", tier or "none", kind or "none", fate): 1}


@given(st.sampled_from(ENGINES), st.sampled_from(get_args(Outcome)))
def test_every_outcome_of_a_rung_is_counted_once(engine: str, outcome: Outcome) -> None:
    shop = Shop()
    shop.product.attempt(engine, outcome, 0.1)
    names = {key[0] for key in shop.moved()}
    expected = {"tiercel_skipped_total"} if outcome in SKIPS else {"tiercel_attempts_total", "tiercel_attempt_seconds"}
    assert names == expected
    assert (outcome in SKIPS) != (outcome in TRIES)


def test_an_engine_that_configuration_does_not_know_cannot_be_counted(shop: Shop) -> None:
    with pytest.raises(KeyError):
        shop.product.attempt("stranger", "ok", 0.1)


def test_a_house_without_engines_still_shows_its_metrics() -> None:
    meters = Meters()
    ProductMeters(meters, ())
    assert {reading.name for reading in meters.read()} == {metric.name for metric in PRODUCT}


def test_our_own_overhead_is_seen_below_a_millisecond_and_against_a_frame() -> None:
    (overhead,) = (metric for metric in PRODUCT if metric.name == "tiercel_overhead_seconds")
    assert overhead.bounds[0] == 5e-6
    assert 0.016 in overhead.bounds
    assert overhead.bounds[-1] == 0.02
    assert sum(bound < 1e-3 for bound in overhead.bounds) >= 6
