"""Events become lines: one each, in a form that nothing in a value can break."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.telemetry.logs import Line, LogSpec, Scribe, captured, install, logger, render_json, render_text
from tiercel.terms.clock import ManualClock

log = logger("route")


def line(**fields: object) -> Line:
    return Line(1_700_000_000.25, "info", "route", "route.chosen", fields)


def test_an_event_carries_its_room_its_level_and_its_fields() -> None:
    with captured() as lines:
        log.debug("route.weighed")
        log.info("route.chosen", tier="gold", left_ms=9)
        log.warning("route.narrow")
        log.error("route.lost", why=ValueError("secret"))
    assert [(entry.level, entry.room, entry.event) for entry in lines] == [
        ("debug", "route", "route.weighed"),
        ("info", "route", "route.chosen"),
        ("warning", "route", "route.narrow"),
        ("error", "route", "route.lost"),
    ]
    assert lines[1].fields == {"tier": "gold", "left_ms": 9}
    assert lines[3].fields == {"why": ["ValueError"]}


def test_a_level_below_the_configured_one_is_not_written() -> None:
    with captured(LogSpec(level="warning")) as lines:
        log.info("route.chosen")
        log.warning("route.narrow")
    assert [entry.event for entry in lines] == ["route.narrow"]


def test_a_forbidden_field_fails_a_test() -> None:
    with captured(), pytest.raises(ValueError, match="prompt"):
        log.debug("route.chosen", prompt="open sesame")


def test_a_forbidden_field_is_left_out_in_production_and_the_line_says_so() -> None:
    with captured(strict=False) as lines:
        log.info("route.chosen", tier="gold", api_key="open sesame")
    assert lines[0].fields == {"tier": "gold", "left_out": ["api_key"]}


def test_repetition_is_counted_in_the_next_line_or_at_the_end() -> None:
    clock, lines = ManualClock(), list[Line]()

    def keep(entry: Line) -> bool:
        lines.append(entry)
        return True

    scribe = Scribe(keep, LogSpec(repeats=1, window_s=5.0), clock=clock)
    before = install(scribe)
    try:
        for wait_s in (0.0, 1.0, 1.0, 5.0, 0.0):
            clock.advance(wait_s)
            log.info("route.failed")
    finally:
        install(before)
    scribe.flush()
    assert [entry.fields for entry in lines] == [{}, {"silenced": 2}, {"silenced": 1}]


def test_lines_that_nobody_took_are_counted_on_the_next_one_that_is_taken() -> None:
    taken: list[Mapping[str, object]] = []
    answers = iter((False, False, True, True))

    def reluctant(entry: Line) -> bool:
        took = next(answers)
        if took:
            taken.append(entry.fields)
        return took

    scribe = Scribe(reluctant)
    for number in range(4):
        scribe.take("info", "route", "route.chosen", {"number": number})
    assert taken == [{"number": 2, "lost": 2}, {"number": 3}]


def test_without_a_scribe_nothing_is_said() -> None:
    log.error("route.lost")


def test_json_has_the_time_and_all_fields_on_one_line() -> None:
    assert json.loads(render_json(line(tier="gold", left_ms=9))) == {
        "at": "2023-11-14T22:13:20.250Z",
        "level": "info",
        "room": "route",
        "event": "route.chosen",
        "tier": "gold",
        "left_ms": 9,
    }


def test_a_field_called_like_one_of_ours_does_not_replace_it() -> None:
    shown = json.loads(render_json(line(room="forged", level="forged")))
    assert (shown["room"], shown["level"]) == ("route", "info")
    assert (shown["room_"], shown["level_"]) == ("forged", "forged")


def test_a_person_reads_the_same_event_on_a_terminal() -> None:
    assert render_text(line(tier="gold", left_ms=9)) == "22:13:20.250 info    route.chosen tier=gold left_ms=9"
    assert render_text(line(why="too slow")).endswith('why="too slow"')


def test_colour_marks_the_level_and_nothing_else() -> None:
    assert render_text(line(tier="gold"), colour=True).count("\x1b") == 2


BREAKERS = "\r\n\x1b[2J\x00\x07\x85\u2028\u2029\u202e\ud800\x7f\x9b"


@pytest.mark.parametrize("name", ["persona", BREAKERS])
def test_nothing_in_a_value_or_a_name_ends_the_line_or_moves_a_cursor(name: str) -> None:
    value = f"guard{BREAKERS}forged"
    with captured(strict=False) as lines:
        log.info("route.chosen", **{name: value, "also": [value]})
    for shown in (render_json(lines[0]), render_text(lines[0])):
        assert shown.isascii()
        assert shown.isprintable()
        assert len(shown.splitlines()) == 1


anything = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.text(), max_size=3))


@given(st.dictionaries(st.text(max_size=12), anything, max_size=4), st.text(max_size=30))
def test_every_line_is_one_object_and_one_printable_row(fields: dict[str, str], event: str) -> None:
    with captured(strict=False) as lines:
        log.info(event, **fields)
    shown = render_json(lines[0])
    assert json.loads(shown)["event"] == event
    assert shown.isascii()
    assert shown.isprintable()
    assert render_text(lines[0]).isprintable()
