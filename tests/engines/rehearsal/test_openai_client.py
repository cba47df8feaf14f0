"""The real openai client is content with the rehearsed engine, and fails where the faults say it should."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import openai
import pytest

from tiercel.engines.rehearsal.embeddings import vector
from tiercel.engines.rehearsal.modes import Mode
from tiercel.engines.rehearsal.part import Part
from tiercel.engines.rehearsal.server import Stage

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

pytestmark = pytest.mark.anyio

_MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hello"}]
_SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {"hp": {"type": "integer"}},
    "required": ["hp"],
    "additionalProperties": False,
}
_TOOLS: list[ChatCompletionToolParam] = [
    {
        "type": "function",
        "function": {
            "name": "walk",
            "parameters": {"type": "object", "properties": {"to": {"type": "string"}}, "required": ["to"]},
        },
    }
]


@pytest.fixture
def anyio_backend() -> str:
    """Need one loop only: that both send the same bytes is proven on bare sockets."""
    return "asyncio"


@pytest.fixture
async def client(stage: Stage) -> AsyncIterator[openai.AsyncOpenAI]:
    """Open a client that does not retry, so that attempts are ours to count."""
    async with openai.AsyncOpenAI(base_url=stage.url, api_key="none", max_retries=0) as opened:
        yield opened


async def test_a_completion_is_whole(client: openai.AsyncOpenAI) -> None:
    reply = await client.chat.completions.create(
        model="plain:text=hello there,cached=4,reasoning=3", messages=_MESSAGES, n=2, logprobs=True
    )
    assert [choice.message.content for choice in reply.choices] == ["hello there"] * 2
    assert reply.choices[0].message.role == "assistant"
    assert reply.choices[0].finish_reason == "stop"
    assert reply.choices[0].logprobs is not None
    tokens = reply.choices[0].logprobs.content
    assert tokens is not None
    assert "".join(token.token for token in tokens) == "hello there"
    assert reply.usage is not None
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
    assert reply.usage.prompt_tokens_details is not None
    assert reply.usage.prompt_tokens_details.cached_tokens == 4
    assert reply.usage.completion_tokens_details is not None
    assert reply.usage.completion_tokens_details.reasoning_tokens == 3
    assert reply._request_id == "req_openai"


@pytest.mark.parametrize("mode", [mode for mode in Mode if mode.layer == "good"])
async def test_every_good_mode_is_good_whole_and_streamed(client: openai.AsyncOpenAI, mode: Mode) -> None:
    whole = await client.chat.completions.create(model=mode.value, messages=_MESSAGES)
    stream = await client.chat.completions.create(
        model=mode.value, messages=_MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert said == whole.choices[0].message.content
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].usage == whole.usage
    assert {chunk.id for chunk in chunks} == {chunks[0].id}
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"


async def test_a_tool_is_called_whole_and_streamed(client: openai.AsyncOpenAI) -> None:
    model = Part(tool="walk", arguments='{"to":"gate"}', calls=2).as_model()
    whole = await client.chat.completions.create(model=model, messages=_MESSAGES, tools=_TOOLS)
    calls = whole.choices[0].message.tool_calls
    assert calls is not None
    assert [(call.type == "function" and call.function.arguments) for call in calls] == ['{"to":"gate"}'] * 2
    assert whole.choices[0].finish_reason == "tool_calls"
    async with client.chat.completions.stream(model=model, messages=_MESSAGES, tools=_TOOLS) as stream:
        final = await stream.get_final_completion()
    streamed = final.choices[0].message.tool_calls
    assert streamed is not None
    assert [(call.id, call.function.name, call.function.arguments) for call in streamed] == [
        (call.id, "walk", '{"to":"gate"}') for call in calls
    ]


async def test_a_schema_is_kept(client: openai.AsyncOpenAI) -> None:
    reply = await client.chat.completions.create(
        model="plain",
        messages=_MESSAGES,
        response_format={"type": "json_schema", "json_schema": {"name": "s", "schema": _SCHEMA, "strict": True}},
    )
    assert json.loads(reply.choices[0].message.content or "") == {"hp": 0}


async def test_embeddings_and_models_are_listed(client: openai.AsyncOpenAI) -> None:
    reply = await client.embeddings.create(model="m", input=["a", "b"], dimensions=8)  # asks for base64
    assert reply.data[1].embedding == pytest.approx(vector("b", 8))
    plain = await client.embeddings.create(model="m", input="a", encoding_format="float")
    assert plain.data[0].embedding == pytest.approx(vector("a", 16))
    assert [model.id async for model in client.models.list()] == [mode.value for mode in Mode]


@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("rate_limited", openai.RateLimitError),
        ("broken", openai.InternalServerError),
        ("busy", openai.InternalServerError),
        ("unauthorized", openai.AuthenticationError),
        ("no_model", openai.NotFoundError),
        ("cut:j=1", openai.BadRequestError),
        ("hangup", openai.APIConnectionError),
        ("refuse", openai.APIConnectionError),
        ("garbage_status", openai.APIConnectionError),
        ("tls", openai.APIConnectionError),
        ("cut", openai.APIConnectionError),
        ("reset", openai.APIConnectionError),
    ],
)
async def test_a_failure_has_its_class(
    client: openai.AsyncOpenAI, model: str, error: type[openai.APIConnectionError | openai.APIStatusError]
) -> None:
    with pytest.raises(error) as caught:
        await client.chat.completions.create(model=model, messages=_MESSAGES)
    if isinstance(caught.value, openai.APIStatusError):
        assert caught.value.type
        assert caught.value.request_id == "req_openai"


@pytest.mark.parametrize(
    ("model", "error", "words"),
    [
        ("error_before", openai.APIError, 0),
        ("error_after:k=3", openai.APIError, 3),
        ("cut:k=3", openai.APIConnectionError, 3),
        ("reset:k=3", openai.APIConnectionError, 3),
        ("bad_json:k=3", json.JSONDecodeError, 3),
    ],
)
async def test_a_broken_stream_is_noticed_after_its_words(
    client: openai.AsyncOpenAI, model: str, error: type[Exception], words: int
) -> None:
    said: list[str] = []

    async def listen() -> None:
        stream = await client.chat.completions.create(model=model, messages=_MESSAGES, stream=True)
        async for chunk in stream:
            said.extend(choice.delta.content or "" for choice in chunk.choices)

    with pytest.raises(error):
        await listen()
    assert len([word for word in said if word]) == words


@pytest.mark.parametrize("model", ["no_done", "no_finish", "clean_cut:k=3", "empty_finish", "empty_choices"])
async def test_some_faults_a_client_does_not_notice(client: openai.AsyncOpenAI, model: str) -> None:
    stream = await client.chat.completions.create(model=model, messages=_MESSAGES, stream=True)
    assert [chunk.id async for chunk in stream]


async def test_an_error_in_a_200_is_no_error_to_the_client(client: openai.AsyncOpenAI) -> None:
    for model in ("error_in_200", "no_choices"):
        reply = await client.chat.completions.create(model=model, messages=_MESSAGES)
        assert not reply.choices


@pytest.mark.parametrize(
    ("model", "attempts"), [("busy", 3), ("rate_limited", 3), ("unauthorized", 1), ("no_model", 1)]
)
async def test_attempts_are_counted_at_the_engine(stage: Stage, model: str, attempts: int) -> None:
    async with openai.AsyncOpenAI(base_url=stage.url, api_key="none", max_retries=2) as client:
        with pytest.raises(openai.APIStatusError):
            await client.chat.completions.create(model=f"{model}:retry=0.001", messages=_MESSAGES)
    assert stage.ledger.attempts == attempts
    counts = [heard.headers["x-stainless-retry-count"] for heard in stage.ledger.heard]
    assert counts == [str(index) for index in range(attempts)]


async def test_a_client_that_leaves_is_noticed(stage: Stage, client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(model="endless", messages=_MESSAGES, stream=True)
    async for chunk in stream:
        if chunk.choices[0].delta.content:
            break
    await stream.close()
    await stage.ledger.until(lambda: stage.ledger.abandoned == 1)
    assert stage.ledger.departures[0].mode is Mode.ENDLESS
