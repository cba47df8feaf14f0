"""The real anthropic client is content with the rehearsed engine, and fails where the faults say it should."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import anthropic
import httpx2
import pytest

from tiercel.engines.rehearsal.modes import Mode
from tiercel.engines.rehearsal.part import Part
from tiercel.engines.rehearsal.server import Stage

if TYPE_CHECKING:
    from anthropic.types import MessageParam, OutputConfigParam, ToolParam

pytestmark = pytest.mark.anyio

_MESSAGES: list[MessageParam] = [{"role": "user", "content": "hello"}]
_TOOLS: list[ToolParam] = [
    {
        "name": "walk",
        "input_schema": {"type": "object", "properties": {"to": {"type": "string"}}, "required": ["to"]},
    }
]


@pytest.fixture
def anyio_backend() -> str:
    """Need one loop only: that both send the same bytes is proven on bare sockets."""
    return "asyncio"


@pytest.fixture
async def client(stage: Stage) -> AsyncIterator[anthropic.AsyncAnthropic]:
    """Open a client that does not retry, so that attempts are ours to count."""
    async with anthropic.AsyncAnthropic(base_url=stage.origin, api_key="none", max_retries=0) as opened:
        yield opened


async def test_a_message_is_whole(client: anthropic.AsyncAnthropic) -> None:
    reply = await client.messages.create(
        model="plain:text=hello there,prompt=12,cached=4", max_tokens=99, messages=_MESSAGES
    )
    (block,) = reply.content
    assert block.type == "text"
    assert block.text == "hello there"
    assert (reply.role, reply.stop_reason) == ("assistant", "end_turn")
    assert (reply.usage.input_tokens, reply.usage.cache_read_input_tokens) == (8, 4)
    assert reply._request_id == "req_anthropic"


@pytest.mark.parametrize(
    ("finish", "reason"), [("stop", "end_turn"), ("length", "max_tokens"), ("content_filter", "refusal")]
)
async def test_a_message_says_why_it_ended(client: anthropic.AsyncAnthropic, finish: str, reason: str) -> None:
    reply = await client.messages.create(model=f"plain:finish={finish}", max_tokens=99, messages=_MESSAGES)
    assert reply.stop_reason == reason


@pytest.mark.parametrize("mode", [mode for mode in Mode if mode.layer == "good"])
async def test_every_good_mode_is_good_whole_and_streamed(client: anthropic.AsyncAnthropic, mode: Mode) -> None:
    whole = await client.messages.create(model=mode.value, max_tokens=99, messages=_MESSAGES)
    async with client.messages.stream(model=mode.value, max_tokens=99, messages=_MESSAGES) as stream:
        said = "".join([text async for text in stream.text_stream])
        final = await stream.get_final_message()
    (block,) = whole.content
    assert block.type == "text"
    assert said == block.text
    assert final.usage.output_tokens == whole.usage.output_tokens
    assert final.stop_reason == "end_turn"


async def test_a_prescribed_form_is_kept_whole_and_streamed(client: anthropic.AsyncAnthropic) -> None:
    schema: dict[str, object] = {"type": "object", "properties": {"hp": {"type": "integer"}}, "required": ["hp"]}
    config: OutputConfigParam = {"format": {"type": "json_schema", "schema": schema}}
    whole = await client.messages.create(model="plain", max_tokens=99, messages=_MESSAGES, output_config=config)
    async with client.messages.stream(model="plain", max_tokens=99, messages=_MESSAGES, output_config=config) as stream:
        said = "".join([text async for text in stream.text_stream])
    (block,) = whole.content
    assert block.type == "text"
    assert block.text == said == '{"hp":0}'


async def test_thoughts_are_counted_apart(client: anthropic.AsyncAnthropic) -> None:
    reply = await client.messages.create(model="plain:reasoning=3", max_tokens=99, messages=_MESSAGES)
    assert reply.usage.output_tokens_details is not None
    assert reply.usage.output_tokens_details.thinking_tokens == 3


async def test_a_tool_is_called_whole_and_streamed(client: anthropic.AsyncAnthropic) -> None:
    model = Part(tool="walk", arguments='{"to": "gate"}', calls=2).as_model()
    whole = await client.messages.create(model=model, max_tokens=99, messages=_MESSAGES, tools=_TOOLS)
    async with client.messages.stream(model=model, max_tokens=99, messages=_MESSAGES, tools=_TOOLS) as stream:
        final = await stream.get_final_message()
    for reply in (whole, final):
        assert reply.stop_reason == "tool_use"
        assert [(block.type == "tool_use" and block.input) for block in reply.content] == [{"to": "gate"}] * 2


async def test_a_forced_tool_gets_arguments_that_fit(client: anthropic.AsyncAnthropic) -> None:
    reply = await client.messages.create(
        model="plain", max_tokens=99, messages=_MESSAGES, tools=_TOOLS, tool_choice={"type": "tool", "name": "walk"}
    )
    (block,) = reply.content
    assert block.type == "tool_use"
    assert block.input == {"to": "word"}


@pytest.mark.parametrize(
    ("model", "error", "kind"),
    [
        ("rate_limited", anthropic.RateLimitError, "rate_limit_error"),
        ("broken", anthropic.InternalServerError, "api_error"),
        ("busy", anthropic.InternalServerError, "api_error"),
        ("overloaded", anthropic.APIStatusError, "overloaded_error"),
        ("unauthorized", anthropic.AuthenticationError, "authentication_error"),
        ("no_model", anthropic.NotFoundError, "not_found_error"),
        ("cut:j=1", anthropic.BadRequestError, "invalid_request_error"),
    ],
)
async def test_a_refusal_has_its_class_and_type(
    client: anthropic.AsyncAnthropic, model: str, error: type[anthropic.APIStatusError], kind: str
) -> None:
    with pytest.raises(error) as caught:
        await client.messages.create(model=model, max_tokens=99, messages=_MESSAGES)
    body = caught.value.body
    assert isinstance(body, dict)
    assert body["error"]["type"] == kind
    assert caught.value.request_id == "req_anthropic"


async def test_a_key_may_come_in_either_header_but_must_come(stage: Stage) -> None:
    bare = {"Authorization": anthropic.omit}
    for headers in ({}, bare | {"X-Api-Key": "k"}):
        async with anthropic.AsyncAnthropic(base_url=stage.origin, api_key="k", max_retries=0) as client:
            reply = await client.messages.create(
                model="plain", max_tokens=99, messages=_MESSAGES, extra_headers=headers
            )
            assert reply.stop_reason == "end_turn"
    async with anthropic.AsyncAnthropic(base_url=stage.origin, api_key="k", max_retries=0) as client:
        with pytest.raises(anthropic.AuthenticationError):
            await client.messages.create(model="plain", max_tokens=99, messages=_MESSAGES, extra_headers=bare)


@pytest.mark.parametrize(
    ("model", "error", "words"),
    [
        ("error_before", anthropic.APIStatusError, 0),
        ("error_after:k=3", anthropic.APIStatusError, 3),
        ("cut:k=3", httpx2.RemoteProtocolError, 3),  # the client does not translate what its HTTP library raises
        ("reset:k=3", httpx2.ReadError, 3),
    ],
)
async def test_a_broken_stream_is_noticed_after_its_words(
    client: anthropic.AsyncAnthropic, model: str, error: type[Exception], words: int
) -> None:
    said: list[str] = []

    async def listen() -> None:
        async with client.messages.stream(model=model, max_tokens=99, messages=_MESSAGES) as stream:
            async for text in stream.text_stream:
                said.append(text)  # noqa: PERF401 - what was said before the failure counts

    with pytest.raises(error):
        await listen()
    assert len(said) == words


@pytest.mark.parametrize(("model", "attempts"), [("overloaded", 3), ("rate_limited", 3), ("unauthorized", 1)])
async def test_attempts_are_counted_at_the_engine(stage: Stage, model: str, attempts: int) -> None:
    async with anthropic.AsyncAnthropic(base_url=stage.origin, api_key="none", max_retries=2) as client:
        with pytest.raises(anthropic.APIStatusError):
            await client.messages.create(model=f"{model}:retry=0.001", max_tokens=99, messages=_MESSAGES)
    assert stage.ledger.attempts == attempts


async def test_models_are_listed(client: anthropic.AsyncAnthropic) -> None:
    assert [model.id async for model in client.models.list()] == [mode.value for mode in Mode]
