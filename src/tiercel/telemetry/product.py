"""What this product counts about itself: one declared list, and the few verbs by which a request is counted.

The list is also the table in docs/rooms/telemetry.md. Cells are bound while the house is built, so that what usually
happens shows as zero before it first does, and counting a plain request costs about a microsecond.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import msgspec

from tiercel.telemetry.port import Counter, Family, Gauge, Histogram, Labels, Meter
from tiercel.terms.ask import Tier
from tiercel.terms.reply import Outcome, RungKind, Usage

__all__ = ["PRODUCT", "SKIPS", "Fate", "Metric", "ProductMeters"]

# What became of a whole request: answered; refused as asked; no rung left; the deadline passed with nothing shown;
# broken off inside the stream after content was shown; the caller left; a fault of our own.
Fate = Literal["ok", "refused", "failed", "late", "broken", "left", "bug"]

# A rung that was left out without being asked: too slow for what was left, unfit, closed, or no room.
SKIPS: tuple[Outcome, ...] = ("skipped", "unfit", "breaker_open", "shed")
TRIES: tuple[Outcome, ...] = tuple(o for o in get_args(Outcome) if o not in SKIPS)

NONE = "none"
FATES: tuple[Fate, ...] = get_args(Fate)
TIERS: tuple[Tier | None, ...] = (*get_args(Tier), None)
KINDS: tuple[RungKind | None, ...] = (*get_args(RungKind), None)
TIER_VALUES = tuple(tier or NONE for tier in TIERS)
KIND_VALUES = tuple(kind or NONE for kind in KINDS)
TOKENS = ("prompt", "completion", "cached", "reasoning")
# Stands in a declaration for the names that are known once the house is built.
ENGINES = ("<engine>",)

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.016, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
# Our own work is microseconds; 16 ms is one frame.
OVERHEAD = (5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 1.6e-2, 2e-2)
LATENESS = (1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2e-2, 5e-2, 1e-1)


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One declared metric; ``otel`` is the name of the same thing in OpenTelemetry's conventions, where it has one."""

    name: str
    about: str
    unit: str
    labels: Labels = {}
    bounds: tuple[float, ...] = ()
    otel: str = ""


REQUESTS = Metric(
    name="tiercel_requests_total",
    about="Requests by the tier that took them, the kind of rung that answered and what became of them.",
    unit="requests",
    labels={"tier": TIER_VALUES, "kind": KIND_VALUES, "outcome": FATES},
)
REQUEST_SECONDS = Metric(
    name="tiercel_request_seconds",
    about="Time from the first byte of a request to the end of its reply.",
    unit="seconds",
    labels={"tier": TIER_VALUES},
    bounds=SECONDS,
    otel="gen_ai.server.request.duration",
)
FIRST_SECONDS = Metric(
    name="tiercel_first_content_seconds",
    about="Time from the first byte of a request to the first content of its stream.",
    unit="seconds",
    labels={"tier": TIER_VALUES},
    bounds=SECONDS,
    otel="gen_ai.server.time_to_first_token",
)
OVERHEAD_SECONDS = Metric(
    name="tiercel_overhead_seconds",
    about="The part of a request's time that no engine had: our own work, and waiting for our own process.",
    unit="seconds",
    labels={"tier": TIER_VALUES},
    bounds=OVERHEAD,
)
LATENESS_SECONDS = Metric(
    name="tiercel_lateness_seconds",
    about="How long after its deadline a reply was complete; on time counts as zero.",
    unit="seconds",
    labels={"tier": TIER_VALUES},
    bounds=LATENESS,
)
DEGRADED = Metric(
    name="tiercel_degraded_total",
    about="Replies from a lower rung than the tier's best.",
    unit="replies",
    labels={"tier": TIER_VALUES},
)
IN_FLIGHT = Metric(name="tiercel_in_flight", about="Requests inside the house now.", unit="requests")
ATTEMPTS = Metric(
    name="tiercel_attempts_total",
    about="Tries at an engine by what came of them; a refused request or a caller who left is not the engine's.",
    unit="attempts",
    labels={"engine": ENGINES, "outcome": TRIES},
)
ATTEMPT_SECONDS = Metric(
    name="tiercel_attempt_seconds",
    about="Time that one try at an engine took, whatever came of it.",
    unit="seconds",
    labels={"engine": ENGINES},
    bounds=SECONDS,
    otel="gen_ai.client.operation.duration",
)
SKIPPED = Metric(
    name="tiercel_skipped_total",
    about="Rungs left out without being asked, and why: skipped means slower than the time that was left.",
    unit="rungs",
    labels={"engine": ENGINES, "reason": SKIPS},
)
EXTRA = Metric(
    name="tiercel_extra_attempts_total",
    about="Retries and hedges, used and refused by their common budget.",
    unit="attempts",
    labels={"result": ("used", "refused")},
)
BREAKER = Metric(
    name="tiercel_breaker_state",
    about="An engine's breaker: 0 closed, 1 half open (one probe), 2 open.",
    unit="state",
    labels={"engine": ENGINES},
)
ABANDONED = Metric(
    name="tiercel_streams_abandoned_total",
    about="Streams whose reader left before the end.",
    unit="streams",
)
HOLDS = Metric(
    name="tiercel_stream_holds_total",
    about="Times that an engine was held back because a stream's reader was slow.",
    unit="holds",
)
HELD_BYTES = Metric(
    name="tiercel_stream_held_bytes_total",
    about="Bytes that waited for a slow reader when its engine was held back.",
    unit="bytes",
)
TOKENS_USED = Metric(
    name="tiercel_tokens_total",
    about="Tokens by engine and kind; cached ones are part of the prompt, reasoning ones of the completion.",
    unit="tokens",
    labels={"engine": ENGINES, "kind": TOKENS},
    otel="gen_ai.client.token.usage",
)

PRODUCT: tuple[Metric, ...] = (
    REQUESTS,
    REQUEST_SECONDS,
    FIRST_SECONDS,
    OVERHEAD_SECONDS,
    LATENESS_SECONDS,
    DEGRADED,
    IN_FLIGHT,
    ATTEMPTS,
    ATTEMPT_SECONDS,
    SKIPPED,
    EXTRA,
    BREAKER,
    ABANDONED,
    HOLDS,
    HELD_BYTES,
    TOKENS_USED,
)


class ProductMeters:
    """Counts requests, attempts and streams; ``engines`` are all the names that configuration knows."""

    def __init__(self, meter: Meter, engines: Sequence[str]) -> None:
        # A house without engines still declares its metrics.
        names = tuple(dict.fromkeys(engines)) or (NONE,)
        self._bind_requests(meter)
        self._bind_engines(meter, names)
        self._in_flight = _gauge(meter, IN_FLIGHT).at()
        extra = _counter(meter, EXTRA)
        self._extra_used, self._extra_refused = extra.at("used"), extra.at("refused")
        self._abandoned = _counter(meter, ABANDONED).at()
        self._holds = _counter(meter, HOLDS).at()
        self._held_bytes = _counter(meter, HELD_BYTES).at()

    def request(self, tier: Tier | None, kind: RungKind | None, fate: Fate, *, degraded: bool = False) -> None:
        """Count a request that is over; without a tier it named an engine, without a kind nothing answered it."""
        cell = self._request.get((tier, kind, fate))
        if cell is None:
            cell = self._request[tier, kind, fate] = self._requests.at(tier or NONE, kind or NONE, fate)
        cell.add()
        if degraded:
            self._degraded[tier].add()

    def took(
        self, tier: Tier | None, seconds: float, overhead_s: float, late_s: float, first_s: float | None = None
    ) -> None:
        """Note the times of an answered request; ``first_s`` is a stream's first content."""
        seconds_cell, overhead_cell, late_cell, first_cell = self._times[tier]
        seconds_cell.see(seconds)
        overhead_cell.see(overhead_s)
        late_cell.see(late_s)
        if first_s is not None:
            first_cell.see(first_s)

    def attempt(self, engine: str, outcome: Outcome, seconds: float) -> None:
        """Count what came of one rung: a try with its time, or, for a rung that was left out, the reason."""
        counter, timer = self._attempt[engine, outcome]
        counter.add()
        if timer is not None:
            timer.see(seconds)

    def tokens(self, engine: str, usage: Usage) -> None:
        """Count the tokens of an answer."""
        prompt, completion, cached, reasoning = self._tokens[engine]
        prompt.add(usage.prompt_tokens)
        completion.add(usage.completion_tokens)
        if usage.prompt_tokens_details is not None:
            cached.add(usage.prompt_tokens_details.cached_tokens or 0)
        if usage.completion_tokens_details is not None:
            reasoning.add(usage.completion_tokens_details.reasoning_tokens or 0)

    def abandoned(self) -> None:
        """Count a stream whose reader left."""
        self._abandoned.add()

    def held(self, waiting_bytes: int) -> None:
        """Count one time that a slow reader made us hold an engine, with this much waiting for it."""
        self._holds.add()
        self._held_bytes.add(waiting_bytes)

    def follow_in_flight(self, read: Callable[[], float]) -> None:
        """Show the number of requests inside as whoever lets them in counts it."""
        self._in_flight.follow(read)

    def follow_extra(self, used: Callable[[], float], refused: Callable[[], float]) -> None:
        """Show retries and hedges as the purse that pays for them counts them."""
        self._extra_used.follow(used)
        self._extra_refused.follow(refused)

    def follow_breaker(self, engine: str, read: Callable[[], float]) -> None:
        """Show an engine's breaker: 0 closed, 1 half open, 2 open."""
        self._breaker.at(engine).follow(read)

    def _bind_requests(self, meter: Meter) -> None:
        self._requests, degraded = _counter(meter, REQUESTS), _counter(meter, DEGRADED)
        self._request: dict[tuple[Tier | None, RungKind | None, Fate], Counter] = {
            (tier, kind, fate): self._requests.at(tier or NONE, kind or NONE, fate)
            for tier in TIERS
            for kind in KINDS
            for fate in FATES
            # The usual ones: an answer came from a rung; a request that nothing could answer, from none.
            if (kind is None) != (fate in {"ok", "broken"})
        }
        self._degraded: dict[Tier | None, Counter] = {tier: degraded.at(tier or NONE) for tier in TIERS}
        families = [_histogram(meter, m) for m in (REQUEST_SECONDS, OVERHEAD_SECONDS, LATENESS_SECONDS, FIRST_SECONDS)]
        self._times: dict[Tier | None, list[Histogram]] = {
            tier: [family.at(tier or NONE) for family in families] for tier in TIERS
        }

    def _bind_engines(self, meter: Meter, names: tuple[str, ...]) -> None:
        attempts, skipped = _counter(meter, ATTEMPTS, names), _counter(meter, SKIPPED, names)
        seconds, tokens = _histogram(meter, ATTEMPT_SECONDS, names), _counter(meter, TOKENS_USED, names)
        self._breaker = _gauge(meter, BREAKER, names)
        self._attempt: dict[tuple[str, Outcome], tuple[Counter, Histogram | None]] = {}
        for name in names:
            self._attempt.update({(name, o): (attempts.at(name, o), seconds.at(name)) for o in TRIES})
            self._attempt.update({(name, o): (skipped.at(name, o), None) for o in SKIPS})
            self._breaker.at(name)
        self._tokens = {name: [tokens.at(name, kind) for kind in TOKENS] for name in names}


def _labels(metric: Metric, names: tuple[str, ...]) -> Labels:
    return {label: names if values == ENGINES else values for label, values in metric.labels.items()}


def _counter(meter: Meter, metric: Metric, names: tuple[str, ...] = ()) -> Family[Counter]:
    return meter.counter(metric.name, metric.about, _labels(metric, names))


def _gauge(meter: Meter, metric: Metric, names: tuple[str, ...] = ()) -> Family[Gauge]:
    return meter.gauge(metric.name, metric.about, _labels(metric, names))


def _histogram(meter: Meter, metric: Metric, names: tuple[str, ...] = ()) -> Family[Histogram]:
    return meter.histogram(metric.name, metric.about, metric.bounds, _labels(metric, names))
