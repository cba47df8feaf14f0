"""The engine as a whole: its errors, its models, its addresses, and every fault that a server can play."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from contracts.engine_contract import Collected
from scripted_http import ScriptedHttp, chat, soon
from tiercel.engines.anthropic.engine import AnthropicEngine
from tiercel.engines.anthropic.traits import headers
from tiercel.engines.catalogue.spec import EngineSpec
from tiercel.engines.http.plain import PlainHttp
from tiercel.engines.rehearsal.modes import Mode
from tiercel.engines.rehearsal.part import Part
from tiercel.engines.rehearsal.server import Stage, rehearsal_server
from tiercel.engines.shape import StreamShape, check_whole
from tiercel.terms.ask import Ask
from tiercel.terms.errors import BadRequest, EngineFailed, Refused, TooLarge, Unfit

TOOL = {
    "type": "function",
    "function": {
        "name": "open_gate",
        "parameters": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
    },
}


def engine(
    http: ScriptedHttp, url: str = "https://api.anthropic.example", model: str = "claude-haiku-4-5"
) -> AnthropicEngine:
    return AnthropicEngine("cloud", EngineSpec(kind="anthropic", url=url, model=model), http)


def envelope(kind: str, message: str = "no") -> bytes:
    return msgspec.json.encode({"type": "error", "error": {"type": kind, "message": message}, "request_id": "r"})


@pytest.mark.anyio
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("status", "kind", "failure"),
    [
        (401, "authentication_error", "auth"),
        (402, "billing_error", "auth"),
        (403, "permission_error", "auth"),
        (404, "not_found_error", "missing"),
        (408, "timeout_error", "late"),
        (429, "rate_limit_error", "rate_limited"),
        (500, "api_error", "server_error"),
        (502, "api_error", "server_error"),
        (503, "api_error", "overloaded"),
        (504, "timeout_error", "late"),
        (529, "overloaded_error", "overloaded"),
        (302, "", "malformed"),
        (418, "", "malformed"),
        (204, "", "malformed"),
    ],
)
async def test_an_error_says_who_has_to_act(status: int, kind: str, failure: str, stream: bool) -> None:
    http = ScriptedHttp(envelope(kind), status=status, retry_after="7")
    with pytest.raises(EngineFailed) as caught:
        await engine(http).answer(chat(stream=stream), soon(), Collected())
    assert caught.value.failure == failure
    assert caught.value.retry_after_s == (7.0 if failure in {"rate_limited", "overloaded"} else None)


@pytest.mark.anyio
async def test_a_bad_request_is_the_callers_and_says_why() -> None:
    http = ScriptedHttp(envelope("invalid_request_error", "messages.0: too many pictures"), status=400)
    with pytest.raises(BadRequest, match="too many pictures"):
        await engine(http).answer(chat(), soon(), Collected())


@pytest.mark.anyio
async def test_a_prompt_that_is_too_long_has_openais_code() -> None:
    http = ScriptedHttp(envelope("invalid_request_error", "prompt is too long: 3 tokens > 2 maximum"), status=400)
    with pytest.raises(Refused) as caught:
        await engine(http).answer(chat(), soon(), Collected())
    assert caught.value.code == "context_length_exceeded"


@pytest.mark.anyio
async def test_a_request_that_is_too_large_is_told_so() -> None:
    with pytest.raises(TooLarge):
        await engine(ScriptedHttp(envelope("request_too_large"), status=413)).answer(chat(), soon(), Collected())


@pytest.mark.anyio
async def test_an_empty_purse_is_ours_and_no_bad_request() -> None:
    http = ScriptedHttp(
        envelope("invalid_request_error", "Your credit balance is too low to access the API."), status=400
    )
    with pytest.raises(EngineFailed) as caught:
        await engine(http).answer(chat(), soon(), Collected())
    assert caught.value.failure == "auth"


@pytest.mark.anyio
async def test_a_proxys_page_is_no_refusal() -> None:
    with pytest.raises(EngineFailed) as caught:
        await engine(ScriptedHttp(b"<html>Bad Request</html>", status=400)).answer(chat(), soon(), Collected())
    assert caught.value.failure == "malformed"


@pytest.mark.anyio
async def test_what_we_added_to_go_on_is_not_the_callers_mistake() -> None:
    http = ScriptedHttp(
        envelope("invalid_request_error", "This model does not support assistant message prefill."), status=400
    )
    with pytest.raises(Unfit):
        await engine(http).answer(chat(stream=True, said="The gate"), soon(), Collected())


@pytest.mark.anyio
async def test_a_stream_that_comes_as_a_page_is_malformed() -> None:
    with pytest.raises(EngineFailed) as caught:
        await engine(ScriptedHttp(b"<html>hello</html>")).answer(chat(stream=True), soon(), Collected())
    assert caught.value.failure == "malformed"


@pytest.mark.anyio
async def test_a_local_mistake_is_refused_before_anything_is_sent() -> None:
    http = ScriptedHttp()
    with pytest.raises(BadRequest):
        await engine(http).answer(chat(n=2), soon(), Collected())
    with pytest.raises(BadRequest):
        engine(http).drops(chat(n=2))
    assert http.sent == []


def test_what_only_others_can_do_is_no_dropped_field() -> None:
    assert engine(ScriptedHttp()).drops(msgspec.structs.replace(chat(input="x"), kind="embed")) == ()


def test_it_drops_what_it_says_it_drops() -> None:
    assert engine(ScriptedHttp()).drops(chat(seed=1, temperature=0.3)) == ("seed",)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://api.anthropic.example", "/v1/messages"),
        ("https://host.example/v1", "/messages"),
        ("https://h.example/x/v1/", "/messages"),
    ],
)
async def test_the_address_may_have_the_version_or_not(url: str, path: str) -> None:
    http = ScriptedHttp(envelope("api_error"), status=500)
    with pytest.raises(EngineFailed):
        await engine(http, url).answer(chat(), soon(), Collected())
    assert http.sent[0][:2] == ("POST", path)
    assert http.request()["model"] == "claude-haiku-4-5"


@pytest.mark.anyio
async def test_its_models_are_those_that_the_api_lists() -> None:
    http = ScriptedHttp(b'{"data":[{"id":"claude-a","type":"model"},{"id":"claude-b"}],"has_more":false}')
    assert await engine(http).models(soon()) == ["claude-a", "claude-b"]
    assert http.sent[0][:2] == ("GET", "/v1/models?limit=1000")
    for wrong in (ScriptedHttp(b"<html>"), ScriptedHttp(b'{"data":[{"id":"\xff"}]}'), ScriptedHttp(b"", status=500)):
        with pytest.raises(EngineFailed):
            await engine(wrong).models(soon())


@pytest.mark.anyio
async def test_closing_closes_the_connections() -> None:
    http = ScriptedHttp()
    await engine(http).aclose()
    assert http.closed


@pytest.mark.parametrize(("model", "version"), [("claude-haiku-4-5", "2023-06-01"), ("claude-opus-5", "2026-10-21")])
def test_the_version_is_the_last_that_gives_the_model_all_it_takes(model: str, version: str) -> None:
    assert dict(headers(model, "secret")) == {"x-api-key": "secret", "anthropic-version": version}


# -- against a server that plays every fault


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with rehearsal_server() as running:
        yield running


GOOD = {mode for mode in Mode if mode.layer == "good"} - {Mode.GZIP}
# What is wrong with a reply of these modes is for the one who asked to find: the bytes are a message.
SOUND = {
    Mode.BLANK,
    Mode.NO_ROLE,
    Mode.WRONG_SHAPE,
    Mode.FENCED,
    Mode.NO_TOOL,
    Mode.WRONG_TOOL,
    Mode.CUT_ARGUMENTS,
    Mode.EMPTY_CHOICES,
}
WHOLE_ONLY = {Mode.NO_DONE, Mode.EMPTY_FINISH, Mode.NO_FINISH, Mode.HUGE_LINE}
STREAM_ONLY = {Mode.NO_CHOICES}
SILENT = {Mode.SILENT, Mode.STALL, Mode.DRIP, Mode.SLOW_HEADERS, Mode.ENDLESS, Mode.ENDLESS_EMPTY, Mode.LONG_LENGTH}
REFUSED = {Mode.EARLY}


async def played(stage: Stage, mode: Mode, ask: Ask, **more: object) -> tuple[bytes, Collected]:
    part = msgspec.structs.replace(Part(mode=mode), **more)
    url = stage.url_as(part)
    cloud = AnthropicEngine(
        "cloud",
        EngineSpec(kind="anthropic", url=url, model="claude-haiku-4-5"),
        PlainHttp(url, headers("claude-haiku-4-5", "sk")),
    )
    sink = Collected()
    try:
        return (await cloud.answer(ask, soon(), sink)).body, sink
    finally:
        await cloud.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("mode", [mode for mode in Mode if mode not in SILENT])
async def test_every_fault_is_told_as_a_failure_and_every_good_reply_as_an_answer(
    stage: Stage, mode: Mode, stream: bool
) -> None:
    good = mode in GOOD | SOUND | (STREAM_ONLY if stream else WHOLE_ONLY)
    ask = chat(stream=stream)
    if good:
        body, sink = await played(stage, mode, ask)
        assert bool(body) != stream
        assert bool(sink.chunks) == stream
    elif mode in REFUSED:
        with pytest.raises(Refused):
            await played(stage, mode, ask)
    else:
        with pytest.raises(EngineFailed):
            await played(stage, mode, ask)


@pytest.mark.anyio
@pytest.mark.parametrize("mode", sorted(SILENT - {Mode.ENDLESS, Mode.ENDLESS_EMPTY}))
async def test_leaving_a_silent_server_leaves_nothing_behind(stage: Stage, mode: Mode) -> None:
    task = asyncio.create_task(played(stage, mode, chat(stream=True)))
    await stage.ledger.until(lambda: stage.ledger.attempts > 0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await stage.ledger.until(lambda: stage.ledger.open_sockets == 0)
    assert stage.ledger.abandoned == 1


@pytest.mark.anyio
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("arguments", ['{"n":7}', '{"n":12345678901234567890,"é":"a \\"x\\""}', ""])
async def test_a_tool_call_makes_the_round_trip_byte_for_byte(stage: Stage, stream: bool, arguments: str) -> None:
    ask = chat(stream=stream, shape="tool", tools=[TOOL], tool_choice="required")
    body, sink = await played(stage, Mode.PLAIN, ask, arguments=arguments)
    if stream:
        shape = StreamShape(ask)
        for chunk in sink.chunks:
            shape.take(chunk)
        shape.check()
        pieces = [
            fragment["function"]["arguments"]
            for payload in sink.payloads
            for choice in msgspec.json.decode(payload)["choices"]
            for fragment in choice["delta"].get("tool_calls", [])
        ]
        heard = "".join(pieces)
    else:
        check_whole(ask, body)
        heard = msgspec.json.decode(body)["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]
    assert heard == arguments or (not arguments and heard == '{"n":0}')


@pytest.mark.anyio
@pytest.mark.parametrize("mode", [Mode.NO_TOOL, Mode.WRONG_TOOL, Mode.CUT_ARGUMENTS])
async def test_a_broken_tool_call_is_found_by_its_shape(stage: Stage, mode: Mode) -> None:
    ask = chat(shape="tool", tools=[TOOL], tool_choice="required")
    body, _ = await played(stage, mode, ask)
    with pytest.raises(EngineFailed) as caught:
        check_whole(ask, body)
    assert caught.value.failure == "wrong_shape"


@pytest.mark.anyio
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_demanded_schema_is_kept(stage: Stage, stream: bool) -> None:
    schema = {
        "type": "object",
        "properties": {"mood": {"enum": ["calm"]}, "n": {"type": "integer", "minimum": 3}},
        "required": ["mood", "n"],
    }
    ask = chat(
        stream=stream,
        shape="schema",
        response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}},
    )
    body, sink = await played(stage, Mode.PLAIN, ask)
    content = sink.text if stream else msgspec.json.decode(body)["choices"][0]["message"]["content"]
    assert msgspec.json.decode(content) == {"mood": "calm", "n": 3}
    if not stream:
        check_whole(ask, body)


@pytest.mark.anyio
async def test_tokens_reach_the_answer(stage: Stage) -> None:
    _, sink = await played(stage, Mode.PLAIN, chat(stream=True), prompt_tokens=12, cached_tokens=5, completion_tokens=7)
    usage = sink.chunks[-1].usage
    assert usage is not None
    assert usage.prompt_tokens_details is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.prompt_tokens_details.cached_tokens) == (12, 7, 5)
