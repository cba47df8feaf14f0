"""Log lines leave by a thread: a reader who stops reading delays nobody, and what is lost is known."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator

import pytest

from tiercel.telemetry.logs import LogSpec, logger
from tiercel.telemetry.outlet import CRASHED, Outlet, logging_to
from tiercel.terms.errors import Misconfigured

log = logger("gate")


class Stuck(io.StringIO):
    """A stream whose reader reads nothing until told to."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()
        self.released = threading.Event()

    def write(self, text: str) -> int:
        self.reached.set()
        assert self.released.wait(10)
        return super().write(text)


class Terminal(io.StringIO):
    """A stream that a person looks at."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    stream = Stuck()
    yield stream
    stream.released.set()


def test_lines_arrive_in_order() -> None:
    stream = io.StringIO()
    outlet = Outlet(stream)
    assert all(outlet.write(str(number)) for number in range(100))
    outlet.close()
    assert stream.getvalue().split() == [str(number) for number in range(100)]


def test_a_reader_who_stopped_costs_lines_and_not_time(stuck: Stuck) -> None:
    outlet = Outlet(stuck, most_waiting=2)
    assert outlet.write("first")
    assert stuck.reached.wait(10)
    assert [outlet.write("next") for _ in range(4)] == [True, True, False, False]
    stuck.released.set()
    outlet.close()
    assert stuck.getvalue().split() == ["first", "next", "next"]


def test_closing_does_not_wait_for_a_reader_who_never_comes(stuck: Stuck) -> None:
    outlet = Outlet(stuck, most_waiting=1)
    outlet.write("first")
    assert stuck.reached.wait(10)
    outlet.write("next")
    outlet.close(patience_s=0.01)
    assert stuck.getvalue() == ""


def test_a_closed_stream_ends_the_writing_and_not_the_process() -> None:
    stream = io.StringIO()
    stream.close()
    outlet = Outlet(stream)
    outlet.write("nobody hears this")
    outlet.close()
    assert not outlet.write("nor this")


def test_a_pipe_gets_json_and_a_terminal_gets_words() -> None:
    pipe, terminal = io.StringIO(), Terminal()
    for stream in (pipe, terminal):
        with logging_to(stream, LogSpec()):
            log.info("gate.full", inside=7)
    assert json.loads(pipe.getvalue())["inside"] == 7
    assert terminal.getvalue().endswith("gate.full inside=7\n")


@pytest.mark.parametrize(("form", "shows"), [("json", '"inside":7'), ("text", "inside=7")])
def test_the_form_can_be_chosen_whoever_reads(form: str, shows: str) -> None:
    for stream in (io.StringIO(), Terminal()):
        spec = LogSpec(form="json") if form == "json" else LogSpec(form="text")
        with logging_to(stream, spec):
            log.info("gate.full", inside=7)
        assert shows in stream.getvalue()


def test_what_was_silenced_is_told_before_the_end() -> None:
    stream = io.StringIO()
    with logging_to(stream, LogSpec(repeats=1)):
        for _ in range(5):
            log.info("gate.full")
    assert [json.loads(row).get("silenced") for row in stream.getvalue().splitlines()] == [None, 4]


def test_a_bug_ends_the_process_with_one_line_that_does_not_quote_it() -> None:
    stream = io.StringIO()
    with pytest.raises(SystemExit) as ended, logging_to(stream, LogSpec()):
        raise KeyError("open sesame")
    assert ended.value.code == CRASHED
    shown = json.loads(stream.getvalue())
    assert shown["event"] == "process.crashed"
    assert shown["error"][0] == "KeyError"
    assert "sesame" not in stream.getvalue()


def test_an_error_for_the_operator_goes_on_to_whoever_tells_it_well() -> None:
    stream = io.StringIO()
    with pytest.raises(Misconfigured), logging_to(stream, LogSpec()):
        raise Misconfigured("no such engine")
    assert stream.getvalue() == ""
