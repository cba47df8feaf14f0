"""A body becomes an ask: what is wrong is named, what is known is read, the rest stays as it was sent."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.app.http.asks import read_chat, read_embedding
from tiercel.app.http.limits import Limits
from tiercel.terms.ask import NO_WISHES, Ask, Wishes
from tiercel.terms.errors import BadRequest

HELLO = [{"role": "user", "content": "hello"}]
TOOL = {"type": "function", "function": {"name": "open_gate", "parameters": {"type": "object"}}}


def encoded(**fields: object) -> bytes:
    return msgspec.json.encode({"model": "auto", "messages": HELLO, **fields})


def read(wishes: Wishes = NO_WISHES, **fields: Any) -> Ask:
    return read_chat(encoded(**fields), wishes, "r-1")


def refused(body: bytes, limits: Limits = Limits()) -> BadRequest:  # noqa: B008 - frozen
    with pytest.raises(BadRequest) as caught:
        read_chat(body, NO_WISHES, "r-1", limits)
    assert caught.value.status == 400
    return caught.value


def test_a_short_chat_is_read() -> None:
    ask = read(max_tokens=64, temperature=0.7)
    assert (ask.id, ask.kind, ask.model, ask.n, ask.max_tokens) == ("r-1", "chat", "auto", 1, 64)
    assert (ask.stream, ask.include_usage, ask.shape, ask.tools, ask.wishes) == (False, False, "text", False, NO_WISHES)
    assert list(ask.fields) == ["model", "messages", "max_tokens", "temperature"]


def test_what_is_not_known_is_kept_byte_for_byte() -> None:
    body = b'{"model":"m","messages":[{"role":"user"}],"x_vendor":{ "a" : [1.50, "\\u00e9"] },"top_k":1e1}'
    fields = read_chat(body, NO_WISHES, "r").fields
    assert bytes(fields["x_vendor"]) == b'{ "a" : [1.50, "\\u00e9"] }'
    assert bytes(fields["top_k"]) == b"1e1"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"stream": True}, {"stream": True}),
        ({"stream": True, "stream_options": {"include_usage": True}}, {"include_usage": True}),
        ({"stream": None, "n": None, "stop": None, "tools": None}, {"stream": False, "n": 1, "tools": False}),
        ({"n": 8}, {"n": 8}),
        ({"n": 2.0, "max_tokens": 64.0, "seed": 1.0, "top_logprobs": 0.0}, {"n": 2, "max_tokens": 64}),
        ({"max_completion_tokens": 5, "max_tokens": 9}, {"max_tokens": 5}),
        ({"tools": [TOOL]}, {"tools": True, "shape": "text"}),
        ({"tools": [TOOL], "tool_choice": "auto"}, {"shape": "text"}),
        ({"tools": [TOOL], "tool_choice": "required"}, {"shape": "tool"}),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "open_gate"}}}, {"shape": "tool"}),
        (
            {"tools": [TOOL], "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}}},
            {"shape": "text"},
        ),
        (
            {"tools": [TOOL], "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required"}}},
            {"shape": "tool"},
        ),
        ({"functions": [{"name": "f"}], "function_call": {"name": "f"}}, {"shape": "tool", "tools": True}),
        ({"response_format": {"type": "text"}}, {"shape": "text"}),
        ({"response_format": {"type": "json_object"}}, {"shape": "json"}),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "n"}}}, {"shape": "schema"}),
        ({"stop": "END"}, {}),
        ({"stop": ["a", "b"]}, {}),
        ({"temperature": 2, "top_p": 0, "presence_penalty": -2, "seed": -1, "logprobs": True, "top_logprobs": 20}, {}),
    ],
)
def test_what_the_router_needs_is_read(fields: dict[str, Any], expected: dict[str, object]) -> None:
    ask = read(**fields)
    assert {name: getattr(ask, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": ""}, "model"),
        ({"model": None}, "model"),
        ({"model": "m" * 257}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"messages": [*HELLO, {"role": 1}]}, "messages[1].role"),
        ({"messages": [*HELLO, "x"]}, "messages[1]"),
        ({"stream": "yes"}, "stream"),
        ({"n": 0}, "n"),
        ({"n": 9}, "n"),
        ({"n": 1.5}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_completion_tokens": -1}, "max_completion_tokens"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"top_p": 1.1}, "top_p"),
        ({"presence_penalty": 3}, "presence_penalty"),
        ({"stop": 5}, "stop"),
        ({"stop": ["x"] * 17}, "stop"),
        ({"top_logprobs": 21}, "top_logprobs"),
        ({"tools": {}}, "tools"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": "always"}, "tool_choice"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"response_format": "json"}, "response_format"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"service_tier": "soon"}, "service_tier"),
        ({"tiercel": {"sla": "soon"}}, "tiercel.sla"),
        ({"tiercel": {"xyz": 1}}, "tiercel.xyz"),
        ({"tiercel": {"url": "http://10.0.0.1"}}, "tiercel.url"),
        ({"tiercel": {"hint_ms": 1}}, "tiercel.hint_ms"),
        ({"tiercel": {"total_ms": 0}}, "tiercel.total_ms"),
        ({"tiercel": {"total_ms": "1"}}, "tiercel.total_ms"),
        ({"tiercel": {"first_ms": 1e12}}, "tiercel.first_ms"),
        ({"tiercel": {"max_cost": -1}}, "tiercel.max_cost"),
        ({"tiercel": {"persona": "x" * 129}}, "tiercel.persona"),
        ({"tiercel": {"npc_id": "a\nb"}}, "tiercel.npc_id"),
        ({"tiercel": {"mood": "a\u2028b"}}, "tiercel.mood"),
        ({"tiercel": {"max_cost": 1e10}}, "tiercel.max_cost"),
        ({"tiercel": {"legal": ["x" * 129]}}, "tiercel.legal"),
        ({"tiercel": []}, "tiercel"),
        ({"api_base": "http://10.0.0.1"}, "api_base"),
        ({"base_url": "http://10.0.0.1"}, "base_url"),
        ({"extra_headers": {"a": "b"}}, "extra_headers"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, object], param: str) -> None:
    error = refused(encoded(**fields))
    assert error.param == param
    assert len(str(error)) < 300


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"),
        (b"{", "invalid_json"),
        (b"{}x", "invalid_json"),
        (b'{"model":"m","messages":[{"role":"\xff"}]}', "invalid_json"),
        (b'{"model":"m","messages":[{"role":"user"}],"x":"\xff"}', "invalid_json"),
        (b'{"model":"m","messages":[{"role":"user"}],"x":"\xed\xa0\x80"}', "invalid_json"),
        (b'{"model":"m","messages":[{"role":"\\ud800"}]}', "invalid_json"),
        (b"\xef\xbb\xbf{}", "invalid_json"),
        (b"[]", "invalid_value"),
        (b'"x"', "invalid_value"),
        (b"null", "invalid_value"),
        (b"{}", "invalid_value"),
        (b"[" * 100_000, "invalid_value"),
        (b'{"model":' + b"[" * 100_000, "too_deep"),
        (b'{"a":' * 100_000, "too_deep"),
        (b'{"model":"m","messages":[{"role":"user"}],"x":' + b"[" * 500 + b"]" * 500 + b"}", "too_deep"),
        (b'{"model":"m","messages":[{"role":"user"}],"x":[' + b"[]," * 70_000 + b"1]}", "too_complex"),
        (b'{"model":"m","messages":[{"role":"user"}],"x":[' + b"1," * 140_000 + b"1]}", "too_complex"),
        (b'{"model":"m","messages":[{"role":"user"}],"x":[' + b'"",' * 140_000 + b"1]}", "too_complex"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(body: bytes, code: str) -> None:
    assert refused(body).code == code


def test_what_is_in_strings_does_not_count() -> None:
    words = '[{,}]\\"' * 60_000
    assert bytes(read(x=words).fields["x"]) == msgspec.json.encode(words)


def test_the_number_of_messages_is_bounded() -> None:
    assert refused(encoded(messages=HELLO * 4097)).param == "messages"
    assert read(messages=HELLO * 4096).size_bytes > 100_000


def test_limits_can_be_set() -> None:
    assert refused(encoded(n=3), Limits(choices=2)).param == "n"
    assert refused(encoded(messages=HELLO * 3), Limits(messages=2)).param == "messages"
    assert refused(encoded(x=[[[1]]]), Limits(json_depth=3)).code == "too_deep"


words = st.text(st.sampled_from('ab"\\[]{}/u é'), max_size=8)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers() | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=3),
)


def depth_of(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


@given(values, st.integers(0, 5), st.integers(2, 9), st.integers(1, 6))
def test_the_depth_of_a_body_is_measured_exactly(value: object, deeper: int, limit: int, messages: int) -> None:
    """However many messages there are, and whatever brackets stand in strings."""
    for _ in range(deeper):
        value = [value]
    fields = {"model": "m", "messages": HELLO * messages, "x": value, '"[': '\\"{'}
    for body in (msgspec.json.encode(fields), msgspec.json.format(msgspec.json.encode(fields), indent=1)):
        if depth_of(fields) <= limit:
            read_chat(body, NO_WISHES, "r", Limits(json_depth=limit))
        else:
            assert refused(body, Limits(json_depth=limit)).code == "too_deep"


@given(st.binary(max_size=200))
def test_no_bytes_are_more_than_refused(body: bytes) -> None:
    for read_one in (read_chat, read_embedding):
        with suppress(BadRequest):
            read_one(body, NO_WISHES, "r")


@given(
    st.dictionaries(
        st.sampled_from(
            ["model", "messages", "stream", "n", "stop", "tools", "tool_choice", "response_format", "tiercel", "user"]
        )
        | words,
        values,
        max_size=8,
    )
)
def test_no_json_is_more_than_refused(fields: dict[str, object]) -> None:
    body = msgspec.json.encode({"model": "m", "messages": HELLO, **fields})
    with suppress(BadRequest):
        ask = read_chat(body, NO_WISHES, "r")
        assert set(ask.fields) == {"model", "messages", *fields} - {"tiercel", "service_tier"}


def test_what_is_said_to_us_is_not_said_to_an_engine() -> None:
    ask = read(tiercel={"sla": "async", "legal": ["flee", "fight"]}, service_tier="auto")
    assert not {"tiercel", "service_tier"} & set(ask.fields)
    assert ask.wishes == Wishes(sla="async", legal=("flee", "fight"))


@pytest.mark.parametrize(
    ("tier", "sla"), [("auto", None), ("default", None), ("flex", "async"), ("priority", "interactive"), (None, None)]
)
def test_a_service_tier_is_a_wish(tier: str | None, sla: str | None) -> None:
    assert read(service_tier=tier).wishes == Wishes(sla=sla)  # type: ignore[arg-type]


def test_our_own_word_wins_over_a_service_tier() -> None:
    assert read(service_tier="flex", tiercel={"sla": "realtime"}).wishes.sla == "realtime"
    assert read(Wishes(sla="realtime"), service_tier="flex").wishes.sla == "realtime"


def test_the_body_wins_over_the_headers_field_by_field() -> None:
    head = Wishes(sla="async", persona="guard", hint_ms=600_000.0)
    assert read(head, tiercel={"persona": "smith", "quality": "expert"}).wishes == Wishes(
        sla="async", persona="smith", quality="expert", hint_ms=600_000.0
    )
    assert read(head, tiercel={"total_ms": 50}).wishes.hint_ms is None
    assert read(head).wishes is head


@pytest.mark.parametrize("value", ["x", ["x", "y"], [1, 2.0], [[1], [2, 3]], [7] * 5_000])
def test_a_request_for_vectors_is_read(value: object) -> None:
    ask = read_embedding(msgspec.json.encode({"model": "e", "input": value, "dimensions": 8}), NO_WISHES, "r")
    assert (ask.kind, ask.shape, ask.model, list(ask.fields)) == (
        "embed",
        "embedding",
        "e",
        ["model", "input", "dimensions"],
    )


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": [{}]}, "input[0]"),
        ({"input": ["x"] * 2049}, "input"),
        ({"input": [[1]] * 2049}, "input"),
        ({"input": ["x", 1]}, "input"),
        ({"input": [-1]}, "input[0]"),
        ({"input": [[1, 2**32]]}, "input[0][1]"),
        ({"dimensions": 0}, "dimensions"),
        ({"encoding_format": "hex"}, "encoding_format"),
        ({"api_base": "x"}, "api_base"),
        ({"tiercel": {"x": 1}}, "tiercel.x"),
    ],
)
def test_a_wrong_field_of_a_request_for_vectors_is_named(fields: dict[str, object], param: str) -> None:
    body = msgspec.json.encode({"model": "e", "input": "x", **fields})
    with pytest.raises(BadRequest) as caught:
        read_embedding(body, NO_WISHES, "r")
    assert caught.value.param == param
