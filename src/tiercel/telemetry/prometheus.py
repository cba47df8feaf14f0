"""What Prometheus reads at /metrics: the meters as text, in the format that the scraper asks for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import TYPE_CHECKING

import msgspec

from tiercel.telemetry.meters import Meters, Reading

if TYPE_CHECKING:
    from prometheus_client import Metric

__all__ = ["OPENMETRICS", "PLAIN", "Exposition", "expose"]

PLAIN = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class Exposition(msgspec.Struct, frozen=True):
    """One scrape: the body and what it is."""

    body: bytes
    content_type: str


class _Collector:
    """The meters in prometheus_client's terms."""

    def __init__(self, meters: Meters) -> None:
        self._meters = meters

    def collect(self) -> Iterator[Metric]:
        """Yield every metric that has a line."""
        return (_family(reading) for reading in self._meters.read() if reading.rows)


def expose(meters: Meters, accept: str = "") -> Exposition:
    """Return the state of every metric; ``accept`` is the scraper's header, of which only two answers can come.

    The library is loaded by the first scrape and not by the start. A scrape reads numbers that the event loop moves,
    each of them whole, so it may run in a thread beside it, and should: it takes milliseconds.
    """
    if _wants_openmetrics(accept):
        from prometheus_client.openmetrics.exposition import generate_latest as openmetrics  # noqa: PLC0415

        body: bytes = openmetrics(_Collector(meters))  # type: ignore[no-untyped-call]  # the library's only one
        return Exposition(body, OPENMETRICS)
    from prometheus_client.exposition import generate_latest as plain  # noqa: PLC0415 - the same

    return Exposition(plain(_Collector(meters)), PLAIN)


def _wants_openmetrics(accept: str) -> bool:
    """Return whether the scraper names the format; it says text/plain as well, and likes that less."""
    kinds = (part.partition(";")[0].strip().lower() for part in accept.split(","))
    return "application/openmetrics-text" in kinds


def _family(reading: Reading) -> Metric:
    from prometheus_client import metrics_core as shapes  # noqa: PLC0415 - loaded by the first scrape

    if reading.kind == "histogram":
        histogram = shapes.HistogramMetricFamily(reading.name, reading.about, labels=reading.labels)
        for row in reading.rows:
            histogram.add_metric(row.values, _buckets(reading.bounds, row.buckets), row.number)
        return histogram
    make = shapes.CounterMetricFamily if reading.kind == "counter" else shapes.GaugeMetricFamily
    family = make(reading.name, reading.about, labels=reading.labels)
    for row in reading.rows:
        family.add_metric(row.values, row.number)
    return family


def _buckets(bounds: Iterable[float], counts: Iterable[int]) -> list[tuple[str, float]]:
    """Return the buckets as Prometheus counts them: each one includes those below."""
    names = [*(str(bound) for bound in bounds), "+Inf"]
    return list(zip(names, accumulate(counts), strict=True))
