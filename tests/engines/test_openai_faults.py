"""Every way of going wrong that we know, played over a real socket: what the OpenAI adapter makes of it."""

from __future__ import annotations

import pytest

from contracts.engine_contract import Collected, an_ask
from tiercel.engines.catalogue.spec import EngineSpec
from tiercel.engines.http.plain import PlainHttp
from tiercel.engines.openai.engine import OpenAIEngine
from tiercel.engines.rehearsal.modes import Mode
from tiercel.engines.rehearsal.part import Part
from tiercel.engines.rehearsal.server import UNRESOLVABLE_URL, refused_url, rehearsal_server
from tiercel.terms.ask import Ask
from tiercel.terms.clock import Deadline, SystemClock
from tiercel.terms.errors import EngineFailed, Refused, TiercelError

# What a whole reply and a stream become: an outcome in words, "ok", or "refused" for the caller's own mistake.
EXPECTED: dict[Mode, tuple[str, str]] = {
    Mode.PLAIN: ("ok", "ok"),
    Mode.UNTIL_CLOSE: ("ok", "ok"),
    Mode.OLD_HTTP: ("ok", "ok"),
    Mode.INFORMATIONAL: ("ok", "ok"),
    Mode.TRAILERS: ("ok", "ok"),
    Mode.ODD_SSE: ("ok", "ok"),
    Mode.LUMP: ("ok", "ok"),
    Mode.FORGED_HEADERS: ("ok", "ok"),
    Mode.GZIP: ("malformed", "malformed"),
    Mode.REFUSE: ("unreachable", "unreachable"),
    Mode.HANGUP: ("unreachable", "unreachable"),
    Mode.CUT_HEADERS: ("truncated", "truncated"),
    Mode.CUT_ROLE: ("truncated", "truncated"),
    Mode.CUT: ("truncated", "truncated"),
    Mode.RESET: ("truncated", "truncated"),
    Mode.CLEAN_CUT: ("malformed", "truncated"),
    Mode.RATE_LIMITED: ("rate_limited", "rate_limited"),
    Mode.BROKEN: ("server_error", "server_error"),
    Mode.BUSY: ("overloaded", "overloaded"),
    Mode.OVERLOADED: ("overloaded", "overloaded"),
    Mode.UNAUTHORIZED: ("auth", "auth"),
    Mode.NO_MODEL: ("missing", "missing"),
    Mode.EARLY: ("refused", "refused"),
    Mode.REDIRECT: ("malformed", "malformed"),
    Mode.HTML: ("malformed", "malformed"),
    Mode.ERROR_IN_200: ("server_error", "malformed"),
    Mode.ERROR_BEFORE: ("server_error", "server_error"),
    Mode.ERROR_AFTER: ("server_error", "server_error"),
    Mode.NO_CHOICES: ("malformed", "ok"),
    Mode.EMPTY_CHOICES: ("malformed", "ok"),
    Mode.NO_ROLE: ("ok", "ok"),
    Mode.BAD_JSON: ("malformed", "malformed"),
    Mode.EMPTY_FINISH: ("ok", "truncated"),
    Mode.NO_FINISH: ("ok", "truncated"),
    Mode.NO_DONE: ("ok", "ok"),
    Mode.SHORT_LENGTH: ("malformed", "malformed"),
    Mode.TWO_LENGTHS: ("malformed", "malformed"),
    Mode.NEGATIVE_LENGTH: ("malformed", "malformed"),
    Mode.LENGTH_AND_CHUNKED: ("malformed", "malformed"),
    Mode.NEGATIVE_CHUNK: ("malformed", "malformed"),
    Mode.BAD_CHUNK: ("malformed", "malformed"),
    Mode.GARBAGE_STATUS: ("malformed", "malformed"),
    Mode.POISON: ("malformed", "malformed"),
    Mode.BARE_CR: ("malformed", "malformed"),
    Mode.NUL_HEADER: ("malformed", "malformed"),
    Mode.FOLDED_HEADER: ("malformed", "malformed"),
    Mode.HUGE_HEAD: ("malformed", "malformed"),
    Mode.TLS: ("malformed", "malformed"),
}


async def outcome(url: str, ask: Ask) -> str:
    http = PlainHttp(url)
    engine = OpenAIEngine("rehearsed", EngineSpec(kind="openai", model="any"), http)
    sink = Collected()
    try:
        await engine.answer(ask, Deadline.after(5.0, SystemClock()), sink)
    except EngineFailed as failure:
        return failure.failure
    except Refused:
        return "refused"
    except TiercelError as error:
        return type(error).__name__
    finally:
        await engine.aclose()
    return "ok"


@pytest.mark.anyio
@pytest.mark.parametrize("mode", sorted(EXPECTED), ids=str)
async def test_a_reply_is_an_answer_or_a_named_failure(mode: Mode) -> None:
    async with rehearsal_server() as stage:
        url = stage.url_as(Part(mode=mode, megabytes=2))
        got = (await outcome(url, an_ask()), await outcome(url, an_ask(stream=True)))
    assert got == EXPECTED[mode]


@pytest.mark.anyio
async def test_a_host_that_does_not_exist_is_unreachable() -> None:
    assert await outcome(UNRESOLVABLE_URL, an_ask()) == "unreachable"


@pytest.mark.anyio
async def test_a_port_where_nobody_listens_is_unreachable() -> None:
    with refused_url() as url:
        assert await outcome(url, an_ask()) == "unreachable"


@pytest.mark.anyio
async def test_a_line_without_end_is_cut_before_it_fills_the_memory() -> None:
    async with rehearsal_server() as stage:
        url = stage.url_as(Part(mode=Mode.HUGE_LINE, megabytes=4))
        assert await outcome(url, an_ask(stream=True)) == "malformed"


@pytest.mark.anyio
async def test_a_redirect_is_not_followed() -> None:
    async with rehearsal_server() as stage:
        await outcome(stage.url_as(Part(mode=Mode.REDIRECT)), an_ask())
        assert stage.ledger.attempts == 1


def test_every_mode_that_ends_by_itself_is_in_the_table() -> None:
    waits = {mode for mode in Mode if mode.layer == "time"} | {Mode.LONG_LENGTH}
    shapes = {Mode.WRONG_SHAPE, Mode.FENCED, Mode.NO_TOOL, Mode.WRONG_TOOL, Mode.CUT_ARGUMENTS}
    assert set(EXPECTED) == set(Mode) - waits - shapes - {Mode.BLANK, Mode.HUGE_LINE}
