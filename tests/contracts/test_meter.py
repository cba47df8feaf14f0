"""What every meter promises, whoever collects its numbers."""

from __future__ import annotations

import pytest

from tiercel.telemetry.meters import Meters
from tiercel.telemetry.port import Meter
from tiercel.terms.errors import Misconfigured


@pytest.fixture(params=[Meters])
def meter(request: pytest.FixtureRequest) -> Meter:
    made: Meter = request.param()
    return made


def test_the_same_values_bind_the_same_cell(meter: Meter) -> None:
    family = meter.counter("tries_total", "Tries.", {"engine": ("fast", "small")})
    assert family.at("fast") is family.at("fast")
    assert family.at("fast") is not family.at("small")


@pytest.mark.parametrize("values", [("unheard",), (), ("fast", "fast"), ("",)])
def test_a_value_that_was_not_declared_cannot_be_bound(meter: Meter, values: tuple[str, ...]) -> None:
    family = meter.counter("tries_total", "Tries.", {"engine": ("fast", "small")})
    with pytest.raises(Misconfigured):
        family.at(*values)


def test_a_metric_without_labels_has_one_cell(meter: Meter) -> None:
    family = meter.gauge("inside", "Requests inside.")
    assert family.at() is family.at()


@pytest.mark.parametrize("name", ["", "Tries_total", "tries total", "9tries_total", "tries-total", "tries\n_total"])
def test_a_name_that_some_collector_cannot_show_is_refused(meter: Meter, name: str) -> None:
    with pytest.raises(Misconfigured):
        meter.counter(name, "Tries.")


def test_a_counter_says_in_its_name_that_it_is_one(meter: Meter) -> None:
    with pytest.raises(Misconfigured, match="_total"):
        meter.counter("tries", "Tries.")


def test_a_name_is_taken_once(meter: Meter) -> None:
    meter.gauge("inside", "Requests inside.")
    with pytest.raises(Misconfigured, match="twice"):
        meter.histogram("inside", "Requests inside.", (1.0,))


@pytest.mark.parametrize("bounds", [(), (1.0, 1.0), (2.0, 1.0)])
def test_bounds_must_rise(meter: Meter, bounds: tuple[float, ...]) -> None:
    with pytest.raises(Misconfigured, match="rise"):
        meter.histogram("seconds", "Seconds.", bounds)


@pytest.mark.parametrize("labels", [{"le": ("1",)}, {"Engine": ("a",)}, {"engine": ()}, {"engine": ("a b",)}])
def test_labels_that_some_collector_cannot_show_are_refused(meter: Meter, labels: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(Misconfigured):
        meter.gauge("inside", "Requests inside.", labels)


def test_the_number_of_series_is_bounded_when_it_is_declared(meter: Meter) -> None:
    names = tuple(f"n{i}" for i in range(101))
    with pytest.raises(Misconfigured, match="10201 series"):
        meter.gauge("pairs", "Pairs.", {"one": names, "other": names})
