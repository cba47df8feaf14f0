"""The embedded meter counts exactly, and shows what it counted when it is read."""

from __future__ import annotations

import math
from bisect import bisect_left

from hypothesis import given
from hypothesis import strategies as st

from tiercel.telemetry.meters import Meters, Reading, Row


def only(meters: Meters) -> Reading:
    (reading,) = meters.read()
    return reading


def test_a_counter_shows_what_was_added() -> None:
    meters = Meters()
    family = meters.counter("tries_total", "Tries.", {"engine": ("fast", "small")})
    fast, small = family.at("fast"), family.at("small")
    fast.add()
    fast.add(2)
    assert only(meters).rows == (Row(("fast",), 3), Row(("small",), 0))
    small.add(0.5)
    assert only(meters).rows == (Row(("fast",), 3), Row(("small",), 0.5))


def test_a_gauge_holds_moves_and_follows() -> None:
    meters = Meters()
    cell = meters.gauge("inside", "Inside.").at()
    cell.set(7)
    cell.add(-2)
    assert only(meters).rows == (Row((), 5),)
    levels = iter((1.0, 2.0))
    cell.follow(lambda: next(levels))
    assert [only(meters).rows[0].number for _ in range(2)] == [1.0, 2.0]


def test_a_counter_can_show_what_somebody_else_counts() -> None:
    meters = Meters()
    meters.counter("spent_total", "Spent.").at().follow(lambda: 12)
    assert only(meters).rows == (Row((), 12),)


def test_a_reading_is_a_picture_and_does_not_move() -> None:
    meters = Meters()
    cell = meters.histogram("seconds", "Seconds.", (1.0,)).at()
    cell.see(0.5)
    before = only(meters)
    cell.see(2.0)
    assert before.rows == (Row((), 0.5, (1, 0)),)


def test_an_observation_on_a_bound_belongs_below_it() -> None:
    meters = Meters()
    cell = meters.histogram("seconds", "Seconds.", (1.0, 2.0)).at()
    for value in (0.0, 1.0, 1.5, 2.0, 2.5):
        cell.see(value)
    assert only(meters).rows[0].buckets == (2, 2, 1)


finite = st.floats(0, 1e6)


@given(st.lists(finite, min_size=1, max_size=8, unique=True).map(sorted), st.lists(finite, max_size=50))
def test_every_observation_is_in_exactly_one_bucket_and_in_the_sum(bounds: list[float], seen: list[float]) -> None:
    meters = Meters()
    cell = meters.histogram("seconds", "Seconds.", bounds).at()
    for value in seen:
        cell.see(value)
    row = only(meters).rows[0]
    expected = [0] * (len(bounds) + 1)
    for value in seen:
        expected[bisect_left(bounds, value)] += 1
    assert list(row.buckets) == expected
    assert math.isclose(row.number, math.fsum(seen), rel_tol=1e-9, abs_tol=1e-9)
