"""A failure that happens a thousand times a second is one line with a count."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tiercel.telemetry.repeats import MOST_EVENTS, Repeats
from tiercel.terms.clock import ManualClock

EVENT = ("route", "route.failed")


def test_an_event_is_admitted_so_often_and_then_silenced() -> None:
    repeats = Repeats(2, 10.0, ManualClock())
    assert [repeats.admit(EVENT) for _ in range(4)] == [0, 0, None, None]


def test_the_first_of_the_next_window_tells_how_many_were_silenced() -> None:
    clock = ManualClock()
    repeats = Repeats(1, 10.0, clock)
    assert [repeats.admit(EVENT) for _ in range(3)] == [0, None, None]
    clock.advance(10.0)
    assert [repeats.admit(EVENT) for _ in range(2)] == [2, None]


def test_one_loud_event_does_not_silence_another() -> None:
    repeats = Repeats(1, 10.0, ManualClock())
    assert [repeats.admit(EVENT) for _ in range(3)] == [0, None, None]
    assert repeats.admit(("route", "route.chosen")) == 0
    assert repeats.admit(("gate", "route.failed")) == 0


def test_made_up_events_share_one_allowance_and_no_memory() -> None:
    repeats = Repeats(1, 10.0, ManualClock())
    admitted = sum(repeats.admit(("x", f"event-{i}")) is not None for i in range(10 * MOST_EVENTS))
    assert admitted == MOST_EVENTS + 1
    assert sum(count for _, count in repeats.rest()) == 9 * MOST_EVENTS - 1
    assert list(repeats.rest()) == []


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 4)), max_size=60), st.integers(1, 4))
def test_every_event_is_either_told_or_counted(steps: list[tuple[str, float]], most: int) -> None:
    clock = ManualClock()
    repeats = Repeats(most, 10.0, clock)
    told = counted = 0
    for name, wait_s in steps:
        clock.advance(wait_s)
        silenced = repeats.admit(("room", name))
        if silenced is not None:
            told += 1
            counted += silenced
    assert told + counted + sum(count for _, count in repeats.rest()) == len(steps)
