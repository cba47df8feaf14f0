"""A script is pure: equal questions get equal beats, good HTTP parses, and the counts add up."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tiercel.engines.rehearsal.bare import Parsed
from tiercel.engines.rehearsal.fit import Json
from tiercel.engines.rehearsal.heard import Heard
from tiercel.engines.rehearsal.modes import Mode
from tiercel.engines.rehearsal.part import Part
from tiercel.engines.rehearsal.script import Beat, _score, rehearse

_SIGNED = {"x-api-key": "k", "anthropic-version": "2026-10-21"}
_TOOLS: dict[str, Json] = {
    "/v1/chat/completions": [
        {
            "type": "function",
            "function": {"name": "walk", "parameters": {"type": "object", "properties": {"to": {"type": "string"}}}},
        },
        {"type": "function", "function": {"name": "talk"}},
    ],
    "/v1/messages": [
        {"name": "walk", "input_schema": {"type": "object", "properties": {"to": {"type": "string"}}}},
        {"name": "talk", "input_schema": {"type": "object"}},
    ],
}
_PATHS = list(_TOOLS)
_WHOLE = [
    mode
    for mode in Mode
    if mode.layer in {"good", "status", "body"} or mode in {Mode.DRIP, Mode.SLOW_HEADERS, Mode.CLEAN_CUT}
]
"""The modes whose bytes are one complete HTTP response."""


def ask(path: str, **fields: Json) -> Heard:
    body: dict[str, Json] = {"model": "m", "messages": [{"role": "user", "content": "x"}], "max_tokens": 9}
    return Heard.of("POST", path, _SIGNED, msgspec.json.encode(body | fields))


def joined(beats: Sequence[Beat]) -> bytes:
    return b"".join(beat.data for beat in beats)


def whole(request: Heard, part: Part) -> Any:
    return msgspec.json.decode(Parsed(joined(rehearse(request, part))).body)


def events(request: Heard, part: Part) -> list[Any]:
    """Decode the data of every event; the end mark stays what it is."""
    found = Parsed(joined(rehearse(request, part))).events
    return [event if event == b"[DONE]" else msgspec.json.decode(event) for event in found]


_REQUESTS = st.builds(
    ask,
    st.sampled_from(_PATHS),
    stream=st.booleans(),
    n=st.integers(1, 3),
    logprobs=st.booleans(),
    stream_options=st.sampled_from([{"include_usage": True}, None]),
)
_PARTS = st.builds(
    Part,
    mode=st.sampled_from(_WHOLE),
    text=st.text(max_size=60),
    chunks=st.integers(1, 12),
    k=st.integers(0, 12),
    first_s=st.floats(0, 1),
    gap_s=st.floats(0, 1),
    prompt_tokens=st.integers(50, 99),
    cached_tokens=st.integers(0, 50),
    megabytes=st.just(0.1),
)


@settings(max_examples=300)
@given(_REQUESTS, _PARTS)
def test_modes_that_are_good_http_are_read_as_one_whole_response(request: Heard, part: Part) -> None:
    beats = rehearse(request, part)
    read = Parsed(joined(beats))
    until_close = part.mode in {Mode.UNTIL_CLOSE, Mode.OLD_HTTP}
    assert read.statuses[:-1] == ([100, 103] if part.mode is Mode.INFORMATIONAL else [])
    assert read.complete == (0 if until_close else len(read.statuses))
    assert beats[-1].end == ("close" if until_close or part.mode is Mode.EARLY else "")
    assert all(beat.end == "" for beat in beats[:-1])
    assert rehearse(request, part) == beats


@given(_REQUESTS, _PARTS)
def test_a_kept_score_is_the_score_that_would_be_written_anew(request: Heard, part: Part) -> None:
    assert [beat.data for beat in rehearse(request, part)] == [data for _, data, _ in _score(request.asked, part)]


@given(st.text(max_size=80), st.integers(1, 20), st.integers(1, 4), st.booleans())
def test_the_words_and_what_they_cost_are_the_same_whole_and_streamed(
    text: str,
    chunks: int,
    n: int,
    usage: bool,
) -> None:
    part = Part(text=text, chunks=chunks, prompt_tokens=20, cached_tokens=5, reasoning_tokens=2)
    fields: dict[str, Json] = {"n": n, "stream_options": {"include_usage": usage}}
    body = whole(ask(_PATHS[0], **fields), part)
    heard = events(ask(_PATHS[0], stream=True, **fields), part)
    assert heard[-1] == b"[DONE]"
    spoken = [event for event in heard[:-1] if event["choices"]]
    for index in range(n):
        mine = [event["choices"][0] for event in spoken if event["choices"][0]["index"] == index]
        assert mine[0]["delta"]["role"] == "assistant"
        assert [choice["finish_reason"] for choice in mine] == [None] * (len(mine) - 1) + ["stop"]
        said = "".join(choice["delta"].get("content", "") for choice in mine)
        assert said == body["choices"][index]["message"]["content"]
        assert said == text or not text
    assert len({event["id"] for event in heard[:-1]}) == 1
    counted = [event["usage"] for event in heard[:-1] if event.get("usage")]
    assert counted == ([body["usage"]] if usage else [])
    cost = body["usage"]
    assert cost["total_tokens"] == cost["prompt_tokens"] + cost["completion_tokens"]
    assert cost["prompt_tokens_details"]["cached_tokens"] == 5


@given(st.text(max_size=80), st.integers(1, 20))
def test_a_message_and_its_stream_say_and_cost_the_same(text: str, chunks: int) -> None:
    part = Part(text=text, chunks=chunks, prompt_tokens=20, cached_tokens=5)
    body = whole(ask(_PATHS[1]), part)
    heard = events(ask(_PATHS[1], stream=True), part)
    names = [event["type"] for event in heard]
    assert names[:3] == ["message_start", "content_block_start", "ping"]
    assert names[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert set(names[3:-3]) == {"content_block_delta"}
    assert "".join(event["delta"]["text"] for event in heard[3:-3]) == body["content"][0]["text"]
    start, end = heard[0]["message"]["usage"], heard[-2]["usage"]
    assert (start["input_tokens"], start["cache_read_input_tokens"]) == (15, 5)
    assert body["usage"]["output_tokens"] == end["output_tokens"]
    assert body["usage"]["input_tokens"] + body["usage"]["cache_read_input_tokens"] == 20


@pytest.mark.parametrize("path", _PATHS)
@pytest.mark.parametrize("calls", [1, 2, 3])
def test_tool_calls_are_the_same_whole_and_streamed(path: str, calls: int) -> None:
    part = Part(tool="walk", calls=calls, chunks=4, arguments='{"to": "the gate", "n": 1.0}')
    request = {"tools": _TOOLS[path]}
    body = whole(ask(path, **request), part)
    heard = events(ask(path, stream=True, **request), part)
    names = ["walk", "talk", "walk"][:calls]
    if path == _PATHS[0]:
        given_calls = body["choices"][0]["message"]["tool_calls"]
        assert body["choices"][0]["finish_reason"] == "tool_calls"
        fragments = [c["delta"]["tool_calls"][0] for e in heard[1:-2] for c in e["choices"]]
        for index, call in enumerate(given_calls):
            mine = [fragment for fragment in fragments if fragment["index"] == index]
            assert (mine[0]["id"], mine[0]["function"]["name"]) == (call["id"], call["function"]["name"])
            assert all("id" not in fragment for fragment in mine[1:])
            assert "".join(fragment["function"]["arguments"] for fragment in mine) == part.arguments
        assert [call["function"]["name"] for call in given_calls] == names
        return
    assert body["stop_reason"] == "tool_use"
    assert [block["name"] for block in body["content"]] == names
    begun = [event for event in heard if event["type"] == "content_block_start"]
    assert [event["content_block"]["name"] for event in begun] == names
    for index in range(calls):
        deltas = [e for e in heard if e["type"] == "content_block_delta" and e["index"] == index]
        assert "".join(event["delta"]["partial_json"] for event in deltas) == part.arguments
    open_blocks = 0
    for event in heard:
        open_blocks += {"content_block_start": 1, "content_block_stop": -1}.get(event["type"], 0)
        assert 0 <= open_blocks <= 1


@pytest.mark.parametrize(
    ("choice", "called"),
    [
        (None, None),
        ("auto", None),
        ("none", None),
        ("required", "walk"),
        ({"type": "function", "function": {"name": "talk"}}, "talk"),
    ],
)
def test_a_forced_tool_is_called_without_being_told(choice: Json, called: str | None) -> None:
    request = ask(_PATHS[0], tools=_TOOLS[_PATHS[0]], tool_choice=choice)
    message = whole(request, Part())["choices"][0]["message"]
    assert (message["tool_calls"][0]["function"]["name"] if "tool_calls" in message else None) == called


def test_a_forbidden_tool_is_not_called_even_when_told() -> None:
    request = ask(_PATHS[0], tools=_TOOLS[_PATHS[0]], tool_choice="none")
    assert "tool_calls" not in whole(request, Part(tool="*"))["choices"][0]["message"]


@given(st.floats(0, 10), st.floats(0, 10), st.floats(0, 10), st.integers(1, 9))
def test_a_reply_takes_as_long_whole_as_streamed(head_s: float, first_s: float, gap_s: float, chunks: int) -> None:
    part = Part(head_s=head_s, first_s=first_s, gap_s=gap_s, chunks=chunks)
    whole = rehearse(ask(_PATHS[0]), part)
    stream = rehearse(ask(_PATHS[0], stream=True), part)
    assert [beat.after_s for beat in stream] == [head_s, first_s, *[gap_s] * (chunks - 1), 0]
    assert sum(beat.after_s for beat in whole) == pytest.approx(sum(beat.after_s for beat in stream))


def test_a_demanded_schema_is_kept_or_refused() -> None:
    def answer(schema: Json) -> Parsed:
        wanted: Json = {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}
        return Parsed(joined(rehearse(ask(_PATHS[0], response_format=wanted), Part())))

    kept = answer({"type": "object", "properties": {"hp": {"type": "integer", "minimum": 3}}, "required": ["hp"]})
    assert msgspec.json.decode(msgspec.json.decode(kept.body)["choices"][0]["message"]["content"]) == {"hp": 3}
    refused = answer({"type": "object", "properties": {"id": {"type": "string", "pattern": "^a$"}}})
    assert refused.statuses == [400]
    assert msgspec.json.decode(refused.body)["error"]["param"] == "response_format"


def test_a_compressed_reply_holds_the_plain_one() -> None:
    for stream in (False, True):
        request = ask(_PATHS[0], stream=stream)
        packed = Parsed(joined(rehearse(request, Part(mode=Mode.GZIP))))
        assert packed.headers["content-encoding"] == "gzip"
        assert gzip.decompress(packed.body) == Parsed(joined(rehearse(request, Part()))).body


def test_the_bytes_of_a_seed_do_not_change_by_accident() -> None:
    """A failing seed replays only while equal parts play equal bytes; who changes this number must mean it."""
    seen = 0
    for mode in Mode:
        if mode is Mode.GZIP:  # its bytes are the compressor's
            continue
        for path in _PATHS:
            for stream in (False, True):
                part = Part(mode=mode, megabytes=0.1)
                seen = zlib.crc32(joined(rehearse(ask(path, stream=stream, tools=_TOOLS[path]), part)), seen)
    assert seen == 3090368465
