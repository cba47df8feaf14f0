"""What /metrics says is what was counted, as Prometheus' own parsers read it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_plain

from tiercel.telemetry.meters import Meters
from tiercel.telemetry.product import PRODUCT, ProductMeters
from tiercel.telemetry.prometheus import OPENMETRICS, PLAIN, expose

if TYPE_CHECKING:
    from prometheus_client import Metric

# What Prometheus 3 sends.
PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


def counted() -> Meters:
    meters = Meters()
    product = ProductMeters(meters, ("fast", "small"))
    product.attempt("fast", "late", 0.2)
    product.attempt("small", "ok", 0.04)
    product.attempt("fast", "breaker_open", 0.0)
    product.request("silver", "model", "ok", degraded=True)
    product.took("silver", 0.25, 3e-5, 0.0, first_s=0.21)
    product.follow_in_flight(lambda: 3)
    return meters


def samples(families: Iterable[Metric]) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sorted(f"{label}={value}" for label, value in sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def parse(accept: str) -> dict[tuple[str, ...], float]:
    page = expose(counted(), accept)
    read = read_openmetrics if page.content_type == OPENMETRICS else read_plain
    return samples(read(page.body.decode()))


@pytest.mark.parametrize("accept", ["", PROMETHEUS])
def test_the_parser_reads_what_was_counted(accept: str) -> None:
    seen = parse(accept)
    assert seen["tiercel_attempts_total", "engine=fast", "outcome=late"] == 1
    assert seen["tiercel_skipped_total", "engine=fast", "reason=breaker_open"] == 1
    assert seen["tiercel_requests_total", "kind=model", "outcome=ok", "tier=silver"] == 1
    assert seen["tiercel_degraded_total", "tier=silver"] == 1
    assert seen["tiercel_in_flight",] == 3
    assert seen["tiercel_request_seconds_sum", "tier=silver"] == 0.25


def test_buckets_include_those_below_and_end_at_the_count() -> None:
    seen = parse("")
    buckets = {
        key[1]: value
        for key, value in seen.items()
        if key[0] == "tiercel_overhead_seconds_bucket" and "tier=silver" in key
    }
    assert buckets["le=2.5e-05"] == 0
    assert buckets["le=5e-05"] == buckets["le=0.016"] == buckets["le=+Inf"] == 1
    assert seen["tiercel_overhead_seconds_count", "tier=silver"] == 1


@pytest.mark.parametrize("accept", ["", PROMETHEUS])
def test_every_declared_metric_is_on_the_page_before_it_happens(accept: str) -> None:
    meters = Meters()
    ProductMeters(meters, ("fast",))
    text = expose(meters, accept).body.decode()
    read = read_openmetrics if accept else read_plain
    names = {family.name for family in read(text)}
    # Both of their parsers call a counter by its name without the ending.
    assert {metric.name.removesuffix("_total") for metric in PRODUCT} <= names


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", PLAIN),
        ("*/*", PLAIN),
        ("text/html", PLAIN),
        (PROMETHEUS, OPENMETRICS),
        ("Application/OpenMetrics-Text", OPENMETRICS),
        ("application/openmetrics-text; version=x\x00y", OPENMETRICS),
        ("application/openmetrics-text-not", PLAIN),
        (";;,,=;\xff", PLAIN),
    ],
)
def test_whatever_is_asked_the_answer_has_one_of_two_types(accept: str, content_type: str) -> None:
    assert expose(counted(), accept).content_type == content_type


def test_the_library_is_loaded_by_the_first_scrape_and_not_before() -> None:
    program = (
        "import sys\n"
        "from tiercel.telemetry.meters import Meters\n"
        "from tiercel.telemetry.product import ProductMeters\n"
        "from tiercel.telemetry.prometheus import expose\n"
        "meters = Meters(); ProductMeters(meters, ['fast'])\n"
        "assert 'prometheus_client' not in sys.modules\n"
        "expose(meters)\n"
        "assert 'prometheus_client' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=15)  # noqa: S603 - our own program
