"""What libraries say arrives as events of ours, without what they were given to work on."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading

import pytest

from tiercel.telemetry.foreign import adopted, opening
from tiercel.telemetry.logs import captured


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ("Started server process [%d]", "Started server process"),
        ("Uvicorn running on %s://%s:%d (Press CTRL+C to quit)", "Uvicorn running on"),
        ("Application startup complete.", "Application startup complete"),
        ("Exception in ASGI application\n", "Exception in ASGI application"),
        ("Exception in callback Door.take(b'open sesame')", "Exception in callback Door.take"),
        ("Task exception was never retrieved\nfuture: <Task ...>", "Task exception was never retrieved"),
        ("Error loading ASGI app. open sesame", "Error loading ASGI app"),
        ("key=sesame", "key"),
        ("x" * 500, "x" * 80),
        (ValueError("open sesame"), "ValueError"),
    ],
)
def test_only_the_fixed_beginning_of_a_message_is_kept(message: object, kept: str) -> None:
    assert opening(message) == kept


def test_the_server_is_heard_with_its_levels_and_without_its_arguments() -> None:
    with captured() as lines, adopted():
        logging.getLogger("uvicorn.error").info("Started server process [%d]", 4711)
        logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
        logging.getLogger("uvicorn").error("Shutting down %s", "open sesame")
    assert [(line.level, line.event, line.fields["what"]) for line in lines] == [
        ("info", "uvicorn.said", "Started server process"),
        ("warning", "uvicorn.said", "Invalid HTTP request received"),
        ("error", "uvicorn.said", "Shutting down"),
    ]
    assert "sesame" not in str(lines)


def test_one_line_per_request_is_never_written() -> None:
    with captured() as lines, adopted():
        logging.getLogger("uvicorn.access").info('%s - "%s %s HTTP/%s" %d', "127.0.0.1", "GET", "/?key=x", "1.1", 200)
    assert lines == []


def test_a_library_that_we_do_not_know_tells_where_and_not_what() -> None:
    with captured() as lines, adopted():
        logging.getLogger("somebody.deep").error("failed for open sesame")
        logging.getLogger("somebody.deep").info("chatter")
    (line,) = lines
    assert line.event == "somebody.said"
    assert line.fields == {"at": line.fields["at"]}
    assert str(line.fields["at"]).startswith("test_foreign.py:")
    assert "sesame" not in str(line)


def test_an_exception_in_a_record_is_its_class_and_place() -> None:
    with captured() as lines, adopted():
        bug = LookupError("open sesame")
        logging.getLogger("uvicorn.error").error("Exception in ASGI application\n", exc_info=bug)
    error = lines[0].fields["error"]
    assert isinstance(error, list)
    assert error[0] == "LookupError"
    assert "sesame" not in str(lines)


def test_a_callback_that_fails_in_the_loop_is_heard() -> None:
    def fails(words: str) -> None:
        raise LookupError(words)

    async def live() -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(fails, "open sesame")
        after = asyncio.Event()
        loop.call_soon(after.set)
        await after.wait()

    with captured() as lines, adopted():
        asyncio.run(live())
    assert [line.event for line in lines] == ["asyncio.said"]
    assert "sesame" not in str(lines)


def test_a_thread_that_breaks_is_heard() -> None:
    def fails() -> None:
        raise LookupError("open sesame")

    with captured() as lines, adopted():
        thread = threading.Thread(target=fails)
        thread.start()
        thread.join(10)
    assert [line.event for line in lines] == ["process.thread_crashed"]
    assert "sesame" not in str(lines)


class Dying:
    """An object that breaks while it is being thrown away."""

    def __del__(self) -> None:
        raise LookupError("open sesame")


def test_what_breaks_where_nobody_can_catch_it_is_heard() -> None:
    with captured() as lines, adopted():
        Dying()
    assert [line.event for line in lines] == ["process.unraisable"]
    assert "sesame" not in str(lines)


def test_everything_is_put_back() -> None:
    root, access = logging.getLogger(), logging.getLogger("uvicorn.access")

    def state() -> list[object]:
        return [root.handlers[:], root.level, access.handlers[:], access.level, access.propagate, *hooks()]

    def hooks() -> list[object]:
        return [threading.excepthook, sys.unraisablehook, sys.excepthook]

    before = state()
    with captured(), adopted():
        assert state() != before
    assert state() == before
