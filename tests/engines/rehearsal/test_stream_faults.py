"""What is wrong with the words: each mode of time, cut, status and body, as the bytes that leave."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.engines.rehearsal.bare import Parsed
from tiercel.engines.rehearsal.fit import Json
from tiercel.engines.rehearsal.heard import Heard
from tiercel.engines.rehearsal.modes import Mode
from tiercel.engines.rehearsal.part import Part
from tiercel.engines.rehearsal.script import Beat, rehearse

_CHAT = "/v1/chat/completions"
_MESSAGES = "/v1/messages"
_BOTH = pytest.mark.parametrize("path", [_CHAT, _MESSAGES])
_SIGNED = {"x-api-key": "k", "anthropic-version": "2026-10-21"}
_TOOL: dict[str, Json] = {
    _CHAT: [{"type": "function", "function": {"name": "walk", "parameters": {"type": "object"}}}],
    _MESSAGES: [{"name": "walk", "input_schema": {"type": "object"}}],
}
_FORCED: dict[str, Json] = {_CHAT: "required", _MESSAGES: {"type": "any"}}


def ask(path: str, *, stream: bool = True, **fields: Json) -> Heard:
    body: dict[str, Json] = {"model": "m", "messages": [{"role": "user", "content": "x"}], "max_tokens": 9}
    return Heard.of("POST", path, _SIGNED, msgspec.json.encode(body | fields | {"stream": stream}))


def sent(beats: list[Beat]) -> bytes:
    return b"".join(beat.data for beat in beats)


def words(data: bytes) -> list[str]:
    """Collect the words of a stream, however it ended."""
    found: list[str] = []
    for event in Parsed(data).events:
        if event in {b"[DONE]", b""}:
            continue
        value: Any = msgspec.json.decode(event)
        if value.get("type") == "content_block_delta":
            found.append(value["delta"]["text"])
        elif value.get("choices"):
            found.append(value["choices"][0]["delta"].get("content", ""))
    return [word for word in found if word]


def decoded(request: Heard, part: Part) -> Any:
    return msgspec.json.decode(Parsed(sent(rehearse(request, part))).body)


@_BOTH
@given(k=st.integers(0, 8))
@pytest.mark.parametrize(("mode", "end"), [(Mode.STALL, "hang"), (Mode.CUT, "close"), (Mode.RESET, "reset")])
def test_k_words_arrive_and_then_the_fault_comes(path: str, mode: Mode, end: str, k: int) -> None:
    beats = rehearse(ask(path), Part(mode=mode, k=k, first_s=0.5, gap_s=0.25))
    whole = sent(rehearse(ask(path), Part()))
    data = sent(beats)
    assert whole.startswith(data)
    assert [beat.end for beat in beats[:-1]] == [""] * (len(beats) - 1)
    assert beats[-1].end == end
    said = sent(beats[: k + 1])
    assert words(said) == [f"word{index} " for index in range(1, 8)][:k] + (["end."] if k == 8 else [])
    assert Parsed(said).complete == 0
    if mode is not Mode.STALL:
        assert 0 < len(beats[-1].data) < len(whole) - len(said)


@_BOTH
@pytest.mark.parametrize("k", [0, 3])
def test_a_clean_cut_ends_the_http_but_not_the_answer(path: str, k: int) -> None:
    data = sent(rehearse(ask(path), Part(mode=Mode.CLEAN_CUT, k=k)))
    assert Parsed(data).complete == 1
    assert len(words(data)) == k
    assert b'"stop"' not in data
    assert b"end_turn" not in data
    assert b"[DONE]" not in data
    assert b"message_stop" not in data


@_BOTH
def test_cuts_before_the_first_word_leave_a_head_or_a_role(path: str) -> None:
    (head,) = rehearse(ask(path), Part(mode=Mode.CUT_HEADERS))
    assert head.end == "close"
    assert head.data.endswith(b"\r\n\r\n")
    assert b"200 OK" in head.data
    (role,) = rehearse(ask(path), Part(mode=Mode.CUT_ROLE))
    assert role.end == "close"
    assert role.data.startswith(head.data)
    assert b'"role":"assistant"' in role.data
    assert words(role.data) == []


@_BOTH
def test_an_error_comes_before_or_after_the_first_word(path: str) -> None:
    for mode, said in ((Mode.ERROR_BEFORE, 0), (Mode.ERROR_AFTER, 3)):
        data = sent(rehearse(ask(path), Part(mode=mode, k=3)))
        parsed = Parsed(data)
        assert parsed.complete == 1
        assert len(words(data)) == said
        assert msgspec.json.decode(parsed.events[-1])["error"]["message"]
        assert (b"event: error\n" in data) == (path == _MESSAGES)
        assert Parsed(sent(rehearse(ask(path, stream=False), Part(mode=mode)))).statuses == [200]
        assert "error" in decoded(ask(path, stream=False), Part(mode=mode))


@_BOTH
def test_what_is_missing_is_missing_and_nothing_else(path: str) -> None:
    good = sent(rehearse(ask(path), Part()))
    done = b"data: [DONE]\n\n" if path == _CHAT else b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
    assert done in good
    assert done not in sent(rehearse(ask(path), Part(mode=Mode.NO_DONE)))
    unfinished = sent(rehearse(ask(path), Part(mode=Mode.NO_FINISH)))
    assert done in unfinished
    reason = b'"finish_reason":"stop"' if path == _CHAT else b'"stop_reason":"end_turn"'
    assert reason in good
    assert reason not in unfinished
    empty = reason.split(b":")[0] + b':""'
    assert empty in sent(rehearse(ask(path), Part(mode=Mode.EMPTY_FINISH)))
    assert b'"role"' not in sent(rehearse(ask(path), Part(mode=Mode.NO_ROLE)))
    assert words(sent(rehearse(ask(path), Part(mode=Mode.BLANK)))) == []
    assert words(sent(rehearse(ask(path), Part(mode=Mode.EMPTY_CHOICES)))) == []


@_BOTH
def test_a_whole_reply_has_the_same_flaws(path: str) -> None:
    def reply(mode: Mode) -> Any:
        return decoded(ask(path, stream=False), Part(mode=mode))

    def choice(mode: Mode) -> Any:
        return reply(mode)["choices"][0] if path == _CHAT else reply(mode)

    content = "choices" if path == _CHAT else "content"
    assert content not in reply(Mode.NO_CHOICES)
    assert reply(Mode.EMPTY_CHOICES)[content] == []
    reason = "finish_reason" if path == _CHAT else "stop_reason"
    assert choice(Mode.EMPTY_FINISH)[reason] == ""
    assert reason not in choice(Mode.NO_FINISH)
    assert "role" not in (choice(Mode.NO_ROLE)["message"] if path == _CHAT else choice(Mode.NO_ROLE))
    assert reply(Mode.ERROR_IN_200)["error"]
    for mode in (Mode.BAD_JSON, Mode.CLEAN_CUT):
        with pytest.raises(msgspec.DecodeError):
            reply(mode)


@_BOTH
def test_one_line_of_a_stream_is_not_json(path: str) -> None:
    wrong = 0
    for event in Parsed(sent(rehearse(ask(path), Part(mode=Mode.BAD_JSON)))).events:
        try:
            msgspec.json.decode(event)
        except msgspec.DecodeError:
            wrong += event != b"[DONE]"
    assert wrong == 1


@_BOTH
@pytest.mark.parametrize("stream", [True, False])
def test_a_huge_line_has_its_size_and_no_line_end(path: str, stream: bool) -> None:
    parsed = Parsed(sent(rehearse(ask(path, stream=stream), Part(mode=Mode.HUGE_LINE, megabytes=2))))
    assert parsed.complete == 1
    longest = max(parsed.body.split(b"\n"), key=len)
    assert 2 << 20 <= len(longest) < (2 << 20) + 2000
    assert msgspec.json.decode(longest.removeprefix(b"data: "))


def test_the_pieces_of_a_huge_line_share_their_memory() -> None:
    beats = rehearse(ask(_CHAT, stream=False), Part(mode=Mode.HUGE_LINE, megabytes=100))
    assert len({id(beat.data) for beat in beats}) < 10


@_BOTH
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("mode", [Mode.ENDLESS, Mode.ENDLESS_EMPTY])
def test_an_endless_reply_repeats_one_beat_and_never_in_no_time(path: str, mode: Mode, stream: bool) -> None:
    beats = rehearse(ask(path, stream=stream), Part(mode=mode))
    assert beats[-1].end == "again"
    assert beats[-1].after_s > 0
    assert beats[-1].data
    assert Parsed(sent(beats) + beats[-1].data * 10).complete == 0
    if stream:
        assert bool(words(sent(beats))) == (mode is Mode.ENDLESS)


@_BOTH
@pytest.mark.parametrize("stream", [True, False])
def test_dripping_and_slow_heads_send_the_same_bytes_slowly(path: str, stream: bool) -> None:
    good = sent(rehearse(ask(path, stream=stream), Part()))
    head = good.index(b"\r\n\r\n") + 4
    drip = rehearse(ask(path, stream=stream), Part(mode=Mode.DRIP, gap_s=0.001))
    slow = rehearse(ask(path, stream=stream), Part(mode=Mode.SLOW_HEADERS))
    assert sent(drip) == good == sent(slow)
    assert all(0 < len(beat.data) <= 7 and beat.after_s == 0.001 for beat in drip[1:])
    assert all(len(beat.data) == 1 and beat.after_s > 0 for beat in slow[:head])


@_BOTH
def test_the_odd_stream_says_what_the_plain_one_does(path: str) -> None:
    odd = sent(rehearse(ask(path), Part(mode=Mode.ODD_SSE)))
    assert b"data: " not in odd
    assert words(odd) == words(sent(rehearse(ask(path), Part())))
    assert sent(rehearse(ask(path), Part(mode=Mode.LUMP))) == sent(rehearse(ask(path), Part()))
    assert len(rehearse(ask(path), Part(mode=Mode.LUMP))) == 1


@_BOTH
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("mode", "status", "openai", "anthropic"),
    [
        (Mode.RATE_LIMITED, 429, "requests", "rate_limit_error"),
        (Mode.BROKEN, 500, "server_error", "api_error"),
        (Mode.BUSY, 503, "server_error", "api_error"),
        (Mode.OVERLOADED, 529, "server_error", "overloaded_error"),
        (Mode.UNAUTHORIZED, 401, "invalid_request_error", "authentication_error"),
        (Mode.NO_MODEL, 404, "invalid_request_error", "not_found_error"),
        (Mode.EARLY, 413, "invalid_request_error", "request_too_large"),
    ],
)
def test_a_refusal_has_its_status_and_its_dialect(
    path: str,
    stream: bool,
    mode: Mode,
    status: int,
    openai: str,
    anthropic: str,
) -> None:
    parsed = Parsed(sent(rehearse(ask(path, stream=stream), Part(mode=mode, retry_after_s=47))))
    assert parsed.statuses == [status]
    body = msgspec.json.decode(parsed.body)
    assert body["error"]["type"] == (openai if path == _CHAT else anthropic)
    assert parsed.headers.get("retry-after") == ("47" if status in {429, 503, 529} else None)


def test_a_retry_after_in_parts_of_a_second_is_rounded_up_and_said_exactly() -> None:
    headers = Parsed(sent(rehearse(ask(_CHAT), Part(mode=Mode.RATE_LIMITED, retry_after_s=0.2)))).headers
    assert (headers["retry-after"], headers["retry-after-ms"]) == ("1", "200")


@_BOTH
def test_pages_and_redirects_are_no_json(path: str) -> None:
    page = Parsed(sent(rehearse(ask(path), Part(mode=Mode.HTML))))
    assert page.statuses == [200]
    assert page.headers["content-type"].startswith("text/html")
    away = Parsed(sent(rehearse(ask(path), Part(mode=Mode.REDIRECT, location="http://other.invalid/x"))))
    assert (away.statuses, away.headers["location"]) == ([302], "http://other.invalid/x")


@_BOTH
def test_a_forced_tool_is_missed_misnamed_or_cut_short(path: str) -> None:
    def call(mode: Mode) -> Any:
        body = decoded(ask(path, stream=False, tools=_TOOL[path], tool_choice=_FORCED[path]), Part(mode=mode))
        if path == _MESSAGES:
            block = body["content"][0]
            return (block["name"], block["input"]) if block["type"] == "tool_use" else None
        calls = body["choices"][0]["message"].get("tool_calls")
        return (calls[0]["function"]["name"], calls[0]["function"]["arguments"]) if calls else None

    assert call(Mode.PLAIN) == ("walk", "{}" if path == _CHAT else {})
    assert call(Mode.NO_TOOL) is None
    assert call(Mode.WRONG_TOOL)[0] == "tool_nobody_offered"
    assert call(Mode.CUT_ARGUMENTS)[1] == "{"


@pytest.mark.parametrize("stream", [True, False])
def test_a_demanded_shape_is_missed_in_two_ways(stream: bool) -> None:
    schema: Json = {"type": "object", "properties": {"hp": {"type": "integer"}}, "required": ["hp"]}
    wanted: Json = {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}

    def text(mode: Mode) -> str:
        request = ask(_CHAT, stream=stream, response_format=wanted)
        if stream:
            return "".join(words(sent(rehearse(request, Part(mode=mode)))))
        return str(decoded(request, Part(mode=mode))["choices"][0]["message"]["content"])

    assert msgspec.json.decode(text(Mode.PLAIN)) == {"hp": 0}
    assert msgspec.json.decode(text(Mode.WRONG_SHAPE)) == {"hp": "wrong"}
    assert '```json\n{"hp":0}\n```' in text(Mode.FENCED)
