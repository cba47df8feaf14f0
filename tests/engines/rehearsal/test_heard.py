"""What an engine hears of a request: the fields its reply depends on, and what a sound engine would refuse."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.engines.rehearsal.fit import Json
from tiercel.engines.rehearsal.heard import Heard
from tiercel.engines.rehearsal.modes import Mode
from tiercel.engines.rehearsal.part import Part, UnknownPart

_SIGNED = {"x-api-key": "k", "anthropic-version": "2026-10-21"}
_MESSAGES: Json = [{"role": "user", "content": "x"}]


def heard(target: str, body: dict[str, Json] | bytes, headers: dict[str, str] | None = None) -> Heard:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return Heard.of("POST", target, headers or {}, raw)


def test_the_fields_that_a_reply_depends_on_are_heard() -> None:
    asked = heard(
        "/v1/chat/completions?api-version=1",
        {
            "model": "m",
            "messages": _MESSAGES,
            "stream": True,
            "stream_options": {"include_usage": True},
            "n": 2,
            "logprobs": True,
            "tools": [{"type": "function", "function": {"name": "look"}}],
            "tool_choice": "required",
            "response_format": {"type": "json_object"},
            "unknown": {"deep": [1, 2]},
        },
    ).asked
    assert (asked.place, asked.problem, asked.model, asked.stream, asked.n) == ("chat", "", "m", True, 2)
    assert asked.include_usage
    assert asked.logprobs
    assert asked.tools.startswith(b"[{")
    assert asked.tool_choice == b'"required"'
    assert asked.response_format == b'{"type":"json_object"}'


def test_null_is_the_same_as_absent() -> None:
    empty: dict[str, Json] = {"tools": [], "tool_choice": None, "response_format": None, "stream": None, "n": None}
    plain: dict[str, Json] = {"model": "m", "messages": _MESSAGES}
    path = "/v1/chat/completions"
    assert heard(path, plain | empty | {"stream_options": None}).asked == heard(path, plain).asked


@pytest.mark.parametrize(
    ("target", "body", "problem"),
    [
        ("/v1/nothing", {}, "not_found"),
        ("/v1/models", {}, "method"),
        ("/v1/chat/completions", b"{", "bad_body"),
        ("/v1/chat/completions", b"[1]", "bad_body"),
        ("/v1/chat/completions", b'{"model":"m","messages":' + b"[" * 5000, "bad_body"),
        ("/v1/chat/completions", {"messages": _MESSAGES}, "model"),
        ("/v1/chat/completions", {"model": "m"}, "messages"),
        ("/v1/chat/completions", {"model": "m", "messages": []}, "messages"),
        ("/v1/chat/completions", {"model": "m", "messages": _MESSAGES, "n": 99}, "many"),
        ("/v1/embeddings", {"model": "m"}, "input"),
        ("/v1/embeddings", {"model": "m", "input": "x"}, ""),
    ],
)
def test_a_request_that_no_engine_would_serve_is_known(
    target: str, body: dict[str, Json] | bytes, problem: str
) -> None:
    assert heard(target, body).asked.problem == problem


def test_anthropic_wants_a_key_a_version_and_a_length() -> None:
    body: dict[str, Json] = {"model": "m", "messages": _MESSAGES, "max_tokens": 5}
    assert heard("/v1/messages", body).asked.problem == "key"
    assert heard("/v1/messages", body, {"x-api-key": "k"}).asked.problem == "version"
    assert heard("/v1/messages", {"model": "m", "messages": _MESSAGES}, _SIGNED).asked.problem == "max_tokens"
    assert heard("/v1/messages", body, _SIGNED).asked.problem == ""
    bearer = {"authorization": "Bearer k", "anthropic-version": "2026-10-21"}
    assert heard("/v1/messages", body, bearer).asked.problem == ""
    assert heard("/v1/messages", body, bearer | {"authorization": "Basic k"}).asked.problem == "key"


def test_a_path_names_a_part_for_every_model() -> None:
    body: dict[str, Json] = {"model": "m", "messages": _MESSAGES}
    named = heard("/as/cut%3Ak%3D3/v1/chat/completions", body)
    assert named.named == Part(mode=Mode.CUT, k=3)
    assert named.asked == heard("/v1/chat/completions", body).asked
    assert heard("/v1/chat/completions", body).named is None
    with pytest.raises(UnknownPart):
        _ = heard("/as/nonsense/v1/chat/completions", body).named


@given(st.binary(max_size=200), st.sampled_from(["/v1/chat/completions", "/v1/messages", "/v1/embeddings", "/x"]))
def test_no_body_breaks_the_ear(body: bytes, target: str) -> None:
    assert heard(target, body, _SIGNED).asked.problem


@given(st.text(max_size=30))
def test_equal_questions_are_equal_and_can_be_keys(model: str) -> None:
    body = msgspec.json.encode({"model": model, "messages": _MESSAGES})
    one, two = heard("/v1/chat/completions", body).asked, heard("/v1/chat/completions", bytes(bytearray(body))).asked
    assert one == two
    assert hash(one) == hash(two)
