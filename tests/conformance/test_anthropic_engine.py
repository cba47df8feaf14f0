"""An engine of Anthropic's behind our API, seen by a client of OpenAI's: nothing is lost, or its name is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import quote

import msgspec
import openai
import pytest
from openai.types.chat import ChatCompletion

from conformance.live import CANARY_KEY, Live, running
from conformance.questions import FORCED, MESSAGES, SCHEMA_FORMAT, TOOLS, report_of, words_of
from tiercel.engines.catalogue.spec import EngineSpec
from tiercel.route.spec import TierSpec

# As a model writes them: order, escapes, numbers and emptiness are its own.
ARGUMENTS = [
    '{"to":"gate"}',
    '{"n":-0.5,"to":"\\u00e9tang \\"east\\"","list":[1,2,{"deep":null}],"big":12345678901234567890}',
    "{}",
]


def anthropic(part: str = "plain", **parameters: str) -> EngineSpec:
    """Describe an engine of Anthropic's that plays this part."""
    told = ",".join(f"{name}={quote(value, safe='')}" for name, value in parameters.items())
    return EngineSpec(kind="anthropic", model=f"{part}:{told}" if told else part, connect_ms=5000.0, gap_ms=200.0)


ENGINES = {
    "plain": anthropic(cached="4", reasoning="3"),
    "claude-opus-4-7": anthropic(),
    "cut": anthropic("cut:k=2"),
    "no-done": anthropic("no_done"),
    "overloaded": anthropic("overloaded:retry=3"),
    "limited": anthropic("rate_limited:retry=3"),
    "claude-wrong-shape": anthropic("wrong_shape"),
    "no-tool": anthropic("no_tool"),
    **{f"tooler-{i}": anthropic(tool="walk", arguments=said, calls="2") for i, said in enumerate(ARGUMENTS)},
}


@pytest.fixture(scope="module")
def house() -> Iterator[Live]:
    """Run engines that speak Anthropic's messages, and no other."""
    with running(ENGINES, TierSpec(rungs=("overloaded", "plain", "template"), first_ms=1000.0)) as live:
        yield live


def calls_of(reply: ChatCompletion) -> list[tuple[str, str, str]]:
    """Return id, name and arguments of each call."""
    calls = reply.choices[0].message.tool_calls or []
    return [(call.id, call.function.name, call.function.arguments) for call in calls if call.type == "function"]


def test_a_completion_is_whole(client: openai.OpenAI, house: Live) -> None:
    reply = client.chat.completions.create(model="plain", messages=MESSAGES)
    assert words_of(reply).startswith("word1 word2 ")
    assert (reply.object, reply.choices[0].message.role, reply.choices[0].finish_reason) == (
        "chat.completion",
        "assistant",
        "stop",
    )
    assert reply.usage is not None
    assert reply.usage.prompt_tokens_details is not None
    assert (reply.usage.prompt_tokens, reply.usage.prompt_tokens_details.cached_tokens) == (12, 4)
    assert reply.usage.completion_tokens_details is not None
    assert reply.usage.completion_tokens_details.reasoning_tokens == 3
    assert report_of(reply)["kind"] == "model"
    heard = house.ledger.heard[-1]
    assert heard.path.endswith("/v1/messages")
    assert heard.headers["x-api-key"] == CANARY_KEY


def test_a_stream_is_one_of_openais(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="plain", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    *chunks, last = list(stream)
    assert words_of(chunks) == words_of(client.chat.completions.create(model="plain", messages=MESSAGES))
    assert [chunk.choices[0].delta.role for chunk in chunks].count("assistant") == 1
    assert [chunk.choices[0].finish_reason for chunk in chunks][-1] == "stop"
    assert len({chunk.id for chunk in [*chunks, last]}) == 1
    assert last.usage is not None
    assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (12, 11)
    assert report_of(last)["usage_counted_by"] == "engine"


@pytest.mark.parametrize("model", ["cut", "no-done"])
def test_a_stream_without_its_last_event_was_cut(client: openai.OpenAI, model: str) -> None:
    with pytest.raises(openai.APIError) as caught:
        list(client.chat.completions.create(model=model, messages=MESSAGES, stream=True))
    assert caught.value.code == "exhausted"


@pytest.mark.parametrize("index", range(len(ARGUMENTS)))
def test_calls_come_as_they_were_made_whole_or_streamed(client: openai.OpenAI, index: int) -> None:
    """Statement 30: from the engine to the client, byte for byte."""
    model, said = f"tooler-{index}", ARGUMENTS[index]
    with client.chat.completions.stream(model=model, messages=MESSAGES, tools=TOOLS) as stream:
        streamed = stream.get_final_completion()
    assert [(name, arguments) for _, name, arguments in calls_of(streamed)] == [("walk", said), ("wave", said)]
    whole = client.chat.completions.create(model=model, messages=MESSAGES, tools=TOOLS)
    assert [call_id for call_id, _, _ in calls_of(whole)] == [call_id for call_id, _, _ in calls_of(streamed)]
    # The rehearsed engine decodes and writes JSON anew for a whole reply, as its original does.
    assert [json.loads(arguments) for _, _, arguments in calls_of(whole)] == [json.loads(said)] * 2
    assert whole.choices[0].finish_reason == streamed.choices[0].finish_reason == "tool_calls"


@pytest.mark.parametrize("said", [*ARGUMENTS, '{"x": 1.50, "y":1e3}'])
def test_calls_go_back_as_they_were_made(client: openai.OpenAI, house: Live, said: str) -> None:
    """Statement 30: from the client to the engine, byte for byte."""
    function = {"name": "walk", "arguments": said}
    history = [
        *MESSAGES,
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "type": "function", "function": function}]},
        {"role": "tool", "tool_call_id": "c1", "content": "you are there"},
    ]
    client.chat.completions.create(model="plain", messages=MESSAGES, tools=TOOLS, extra_body={"messages": history})
    _, use, result = msgspec.json.decode(house.body_heard("plain")["messages"], type=list[dict[str, msgspec.Raw]])
    (call,) = msgspec.json.decode(use["content"], type=list[dict[str, msgspec.Raw]])
    assert bytes(call["input"]) == said.encode()
    assert (bytes(call["type"]), bytes(call["id"]), bytes(call["name"])) == (b'"tool_use"', b'"c1"', b'"walk"')
    (answer,) = json.loads(bytes(result["content"]))
    assert answer == {
        "type": "tool_result",
        "tool_use_id": "c1",
        "content": [{"type": "text", "text": "you are there"}],
    }


def test_the_schemas_of_tools_go_through_as_they_are(client: openai.OpenAI, house: Live) -> None:
    """Statement 30, for what a tool takes."""
    client.chat.completions.create(model="plain", messages=MESSAGES, tools=TOOLS)
    tools = msgspec.json.decode(house.body_heard("plain")["tools"])
    assert tools == [
        {
            "name": tool["function"]["name"],
            "description": "Do it.",
            "input_schema": tool["function"].get("parameters"),
        }
        for tool in TOOLS
    ]


@pytest.mark.parametrize(
    ("choice", "sent", "names"),
    [
        ("required", {"type": "any"}, ["walk"]),
        (FORCED, {"type": "tool", "name": "wave"}, ["wave"]),
        ("none", {"type": "none"}, []),
    ],
)
def test_a_choice_among_tools_is_translated(
    client: openai.OpenAI, house: Live, choice: object, sent: object, names: list[str]
) -> None:
    reply = client.chat.completions.create(
        model="plain", messages=MESSAGES, tools=TOOLS, extra_body={"tool_choice": choice}
    )
    assert json.loads(bytes(house.body_heard("plain")["tool_choice"])) == sent
    assert [name for _, name, _ in calls_of(reply)] == names


@pytest.mark.parametrize("streamed", [False, True])
def test_what_is_left_out_is_named_in_a_header_and_in_the_reply(client: openai.OpenAI, *, streamed: bool) -> None:
    """Statement 31: dropped, with its name."""
    raw = client.chat.completions.with_raw_response.create(
        model="plain",
        messages=MESSAGES,
        seed=7,
        frequency_penalty=0.5,
        temperature=0.4,
        presence_penalty=0,
        stop=["END"],
        user="player-1",
        extra_body={"min_p": 0.1, "tiercel": {"persona": "smith"}},
        stream=streamed,
    )
    assert set(raw.headers["x-tiercel-dropped"].split(",")) == {"seed", "frequency_penalty", "min_p"}
    parsed = raw.parse()
    last = parsed if isinstance(parsed, ChatCompletion) else list(parsed)[-1]
    assert set(report_of(last)["dropped"]) == {"seed", "frequency_penalty", "min_p"}


def test_what_is_kept_is_translated(client: openai.OpenAI, house: Live) -> None:
    """Statement 31: mapped."""
    raw = client.chat.completions.with_raw_response.create(
        model="plain",
        messages=[{"role": "system", "content": "You are a smith."}, *MESSAGES],
        max_completion_tokens=40,
        temperature=0.4,
        stop=["END"],
        user="player-1",
        parallel_tool_calls=False,
        tools=TOOLS,
    )
    heard = {name: json.loads(bytes(value)) for name, value in house.body_heard("plain").items() if name != "tools"}
    assert heard == {
        "model": "plain",
        "max_tokens": 40,
        "system": [{"type": "text", "text": "You are a smith."}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Is the bridge open?"}]}],
        "temperature": 0.4,
        "stop_sequences": ["END"],
        "metadata": {"user_id": "player-1"},
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    }
    assert "x-tiercel-dropped" not in raw.headers


def test_what_a_model_of_this_generation_refuses_is_dropped_by_name(client: openai.OpenAI, house: Live) -> None:
    """Statement 31: what may be sent depends on the model."""
    raw = client.chat.completions.with_raw_response.create(
        model="claude-opus-4-7", messages=MESSAGES, temperature=0.4, top_p=0.9
    )
    assert raw.headers["x-tiercel-dropped"] == "temperature,top_p"
    assert "temperature" not in house.body_heard("claude-opus-4-7")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"functions": [{"name": "walk", "parameters": {}}]}, "functions"),
        ({"messages": [*MESSAGES, {"role": "tool", "tool_call_id": "c9", "content": "?"}]}, "messages[1].tool_call_id"),
    ],
)
def test_what_cannot_be_kept_is_refused(
    client: openai.OpenAI, house: Live, fields: dict[str, object], param: str
) -> None:
    """Statements 16 and 31: refused, with its name, once and without asking the engine."""
    before = house.ledger.attempts
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="plain", messages=MESSAGES, extra_body=fields)
    assert caught.value.param == param
    assert house.ledger.attempts == before


@pytest.mark.parametrize("model", ["plain", "claude-opus-4-7"])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_schema_is_kept(client: openai.OpenAI, model: str, *, streamed: bool) -> None:
    reply = client.chat.completions.create(
        model=model, messages=MESSAGES, extra_body={"response_format": SCHEMA_FORMAT}, stream=streamed
    )
    said = words_of(reply if isinstance(reply, ChatCompletion) else list(reply))
    assert json.loads(said) == {"hp": 0, "mood": "calm"}


@pytest.mark.parametrize("model", ["claude-wrong-shape", "no-tool"])
def test_a_broken_schema_is_no_answer(client: openai.OpenAI, model: str) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model=model, messages=MESSAGES, extra_body={"response_format": SCHEMA_FORMAT})
    assert caught.value.code == "exhausted"


def test_a_rate_limit_has_its_retry_after(client: openai.OpenAI) -> None:
    """Statement 35, from Anthropic's envelope."""
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="limited", messages=MESSAGES)
    assert caught.value.response.headers["retry-after"] == "3"


def test_an_overloaded_engine_gives_way_to_the_next(client: openai.OpenAI) -> None:
    tried = report_of(client.chat.completions.create(model="silver", messages=MESSAGES))["attempts"]
    assert [(one["rung"], one["outcome"]) for one in tried] == [("overloaded", "overloaded"), ("plain", "ok")]


def test_it_makes_no_vectors(client: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        client.embeddings.create(model="plain", input="a")
    assert caught.value.code == "policy"
