"""Secrets planted wherever a careless line could pick one up appear in no output: not in logs, not in metrics."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from tiercel.telemetry.logs import LogSpec, logger
from tiercel.telemetry.meters import Meters
from tiercel.telemetry.outlet import logging_to
from tiercel.telemetry.product import ProductMeters
from tiercel.telemetry.prometheus import expose
from tiercel.terms.errors import BadRequest, EngineFailed, Misconfigured
from tiercel.terms.reply import Usage

WORDS = "canary-words-the-dragon-sleeps-under-the-mill"
KEYS = ("sk-proj-canary0123456789abcd", "Bearer canary.jwt-0123456789", "AKIACANARY0123456789", "hf_canary0123456789")

log = logger("canary")


def fields() -> Iterator[Callable[[], None]]:
    """Yield careless lines, one for each way in."""
    for name in ("prompt", "messages", "content", "api_key", "authorization", "tool_arguments", "player_words"):
        yield partial(log.info, "canary.field", **{name: WORDS})
    for key in KEYS:
        yield partial(log.info, "canary.value", engine=f"openai with {key}", why=[key])
        yield partial(log.info, "canary.url", url=f"http://me:{key.split()[-1]}@127.0.0.1/v1")
    for error in (ValueError(WORDS), BadRequest(WORDS, param="messages"), EngineFailed("malformed", KEYS[0])):
        yield partial(log.error, "canary.error", why=error)
    # What the types forbid, and a careless line may do all the same.
    careless: dict[str, Any] = {"what": {"messages": WORDS}, "also": WORDS.encode()}
    yield partial(log.info, "canary.object", **careless)


def library() -> Iterator[Callable[[], None]]:
    """Yield what libraries may say about a request they choke on."""
    for name in ("uvicorn.error", "uvicorn.access", "asyncio", "aiohttp.client", "somebody"):
        said = logging.getLogger(name)
        yield partial(said.error, "Exception in callback %s", WORDS)
        yield partial(said.error, "Bad header: %r", KEYS)
        yield partial(said.warning, "Bad request (%s)", KEYS[0], exc_info=ValueError(WORDS))


def test_no_canary_gets_into_a_log() -> None:
    stream = io.StringIO()
    with logging_to(stream, LogSpec(level="debug", repeats=1000)):
        for speak in (*fields(), *library()):
            speak()
    shown = stream.getvalue()
    assert len(shown.splitlines()) > 20
    for canary in (WORDS, *KEYS, "canary0123456789", "canary.jwt", "CANARY0123456789"):
        assert canary not in shown


def test_no_canary_gets_into_a_crash() -> None:
    stream = io.StringIO()
    with pytest.raises(SystemExit), logging_to(stream, LogSpec()):
        raise RuntimeError(WORDS, *KEYS)
    assert "process.crashed" in stream.getvalue()
    assert "canary-words" not in stream.getvalue()
    assert "canary0123456789" not in stream.getvalue()


def test_no_canary_becomes_a_label() -> None:
    meters = Meters()
    product = ProductMeters(meters, ("fast",))
    with pytest.raises(KeyError):
        product.attempt(WORDS, "ok", 0.1)
    with pytest.raises(KeyError):
        product.tokens(KEYS[0], Usage(prompt_tokens=1))
    with pytest.raises(Misconfigured):
        product.follow_breaker(WORDS, lambda: 0)
    with pytest.raises(Misconfigured):
        product.request(WORDS, "model", "ok")  # type: ignore[arg-type]  # what a caller could have sent
    assert b"canary" not in expose(meters).body
