"""What we send is what Anthropic's own client would: every field known to its types, with a value they allow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
import pytest
from anthropic.types import Message
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming, MessageCreateParamsStreaming
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import TypeAdapter

from contracts.engine_contract import Collected
from scripted_http import chat
from tiercel.engines.anthropic.chunks import ChunkWriter
from tiercel.engines.anthropic.reply import read_message
from tiercel.engines.anthropic.request import translate
from tiercel.engines.anthropic.traits import SAMPLING_VERSION, Traits
from tiercel.terms.errors import Refused, Unfit
from tiercel.terms.reply import Chunk, Usage

WHOLE: TypeAdapter[object] = TypeAdapter(MessageCreateParamsNonStreaming)
STREAM: TypeAdapter[object] = TypeAdapter(MessageCreateParamsStreaming)
# The client's types follow the current version of the API, which has lost these; the version before takes them.
GONE = {"temperature", "top_p", "top_k"}
MODELS = ("claude-sonnet-5", "claude-opus-5-5", "claude-haiku-4-5", "claude-opus-4-6", "npc-model")

CALLS: list[dict[str, object]] = [
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c.1", "type": "function", "function": {"name": "f", "arguments": '{"a":[1]}'}}],
    },
    {"role": "tool", "tool_call_id": "c.1", "content": [{"type": "text", "text": "done"}]},
]
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "high"}}
PAPER = {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0=", "filename": "a.pdf"}}
MARKED = {"type": "text", "text": "long", "cache_control": {"type": "ephemeral"}}
CLOSED = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
OPEN = {"type": "object", "properties": {"a": {"type": "string", "minLength": 1}}}


def function(name: str, **more: object) -> dict[str, object]:
    return {"type": "function", "function": {"name": name, **more}}


GROUPS: list[list[dict[str, object]]] = [
    [{"role": "system", "content": "Be a smith."}],
    [{"role": "developer", "content": [MARKED]}],
    [{"role": "user", "content": "Hello"}],
    [{"role": "user", "content": [{"type": "text", "text": "See"}, PICTURE, PAPER]}],
    [{"role": "assistant", "content": "Well met."}],
    [{"role": "assistant", "refusal": "No."}],
    CALLS,
]
MESSAGES = st.lists(st.sampled_from(GROUPS), max_size=6).map(
    lambda groups: [message for group in groups for message in group]
)
FIELDS = st.fixed_dictionaries(
    {"messages": MESSAGES},
    optional={
        "temperature": st.floats(0, 2),
        "top_p": st.floats(0, 1),
        "top_k": st.integers(1, 9),
        "max_tokens": st.integers(1, 9999),
        "stop": st.sampled_from(["END", ["a", "\n"]]),
        "tools": st.sampled_from(
            [
                [function("f")],
                [
                    function("f", parameters=OPEN, description="x", strict=True),
                    function("g", parameters=CLOSED, strict=True),
                ],
            ]
        ),
        "tool_choice": st.sampled_from(["auto", "none", "required", function("f")]),
        "parallel_tool_calls": st.booleans(),
        "response_format": st.sampled_from(
            [
                {"type": "json_object"},
                {"type": "json_schema", "json_schema": {"name": "x", "schema": CLOSED}},
                {"type": "json_schema", "json_schema": {"name": "x", "schema": OPEN, "description": "y"}},
            ]
        ),
        "reasoning_effort": st.sampled_from(["none", "minimal", "low", "medium", "high", "xhigh", "max"]),
        "user": st.text(max_size=9),
        "service_tier": st.sampled_from(["auto", "default", "flex"]),
        "thinking": st.just({"type": "adaptive"}),
        "seed": st.integers(),
    },
)


def plain(value: object) -> object:
    """Run through what validation left lazy, so that all of it is validated."""
    if isinstance(value, Mapping):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, str):
        return value
    return [plain(part) for part in value] if isinstance(value, Iterable) else value


@given(fields=FIELDS, model=st.sampled_from(MODELS), stream=st.booleans(), said=st.sampled_from(["", "The gate ", " "]))
def test_any_request_is_one_that_anthropics_client_could_have_sent(
    fields: dict[str, object],
    model: str,
    stream: bool,
    said: str,
) -> None:
    traits = Traits.of(model)
    try:
        body = translate(chat(fields, stream=stream, said=said), model, traits).body
    except (Refused, Unfit):
        return
    sent: dict[str, object] = msgspec.json.decode(body)
    if traits.version == SAMPLING_VERSION:
        sent = {name: value for name, value in sent.items() if name not in GONE}
    # The types let unknown fields through by leaving them out: what comes back must be what went in.
    assert plain((STREAM if stream else WHOLE).validate_python(sent)) == sent


def test_the_check_itself_notices_a_field_that_nobody_knows() -> None:
    sent = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "x", "mood": "calm"}]}
    assert plain(WHOLE.validate_python(sent)) != sent
    assert plain(WHOLE.validate_python({**sent, "temperature": 1, "messages": []})) != sent


@pytest.mark.parametrize("reason", ["end_turn", "max_tokens", "tool_use", "refusal"])
def test_a_message_of_anthropics_own_making_is_read(reason: str) -> None:
    message = Message.model_validate(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-sonnet-5",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "s"},
                {"type": "text", "text": "Yes."},
                {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}},
            ],
            "stop_reason": reason,
            "usage": {"input_tokens": 1, "output_tokens": 2},
        }
    )
    translation = translate(chat(), "claude-sonnet-5", Traits.of("claude-sonnet-5"))
    answer = read_message(message.model_dump_json().encode(), translation, 0)
    body = msgspec.json.decode(answer.body)
    assert body["choices"][0]["message"]["content"] == "Yes."
    assert body["choices"][0]["message"]["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"a":1}'}


def test_our_answers_are_what_openais_client_reads() -> None:
    block = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    body = {"id": "m", "model": "x", "content": [{"type": "text", "text": "Yes."}, block], "stop_reason": "tool_use"}
    reply = msgspec.json.encode({**body, "usage": {"input_tokens": 1, "output_tokens": 2}})
    translation = translate(chat(), "claude-sonnet-5", Traits.of("claude-sonnet-5"))
    completion = ChatCompletion.model_validate_json(read_message(reply, translation, 7).body, strict=True)
    assert completion.choices[0].message.tool_calls is not None
    sink = Collected()
    writer = ChunkWriter(sink, "m", "x", 7)
    writer.role()
    writer.think("Hm.")
    writer.say("Yes.")
    writer.call(0, "t", "f")
    writer.argue(0, "{}")
    writer.refuse("No.")
    writer.finish("tool_calls")
    writer.spent(Usage(1, 2, 3))
    for payload, chunk in zip(sink.payloads, sink.chunks, strict=True):
        assert ChatCompletionChunk.model_validate_json(payload, strict=True).id == "m"
        assert msgspec.json.decode(payload, type=Chunk) == chunk
