"""Tools and prescribed forms with the real openai client: the real thing or an error, never something like it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import openai
import pytest
from pydantic import BaseModel

from conformance.live import Live, engine, running
from conformance.questions import FORCED, MESSAGES, SCHEMA_FORMAT, TOOLS, report_of
from tiercel.route.spec import TierSpec

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletion

# What a model may say: order, numbers, escapes and blanks are its own.
ARGUMENTS = '{ "to":"the \\u00e9tang", "n":1.50 }'
SPELLED = "%7B%20%22to%22%3A%22the%20%5Cu00e9tang%22%2C%20%22n%22%3A1.50%20%7D"
ENGINES = {
    "plain": engine(),
    "tooler": engine(f"plain:tool=walk,arguments={SPELLED},calls=2,chunks=5"),
    "no-tool": engine("no_tool"),
    "wrong-tool": engine("wrong_tool"),
    "cut-arguments": engine("cut_arguments"),
    "wrong-shape": engine("wrong_shape"),
    "fenced": engine("fenced"),
}
MISSHAPEN = ("no-tool", "wrong-tool", "cut-arguments")


class State(BaseModel):
    """What an NPC is like."""

    hp: int
    mood: Literal["calm", "angry"]


@pytest.fixture(scope="module")
def house() -> Iterator[Live]:
    """Run engines that keep a contract, and some that break it; Silver begins with one that does."""
    with running(ENGINES, TierSpec(rungs=("wrong-shape", "plain", "template"), first_ms=1000.0)) as live:
        yield live


def calls_of(reply: ChatCompletion) -> list[tuple[str, str, str]]:
    """Return id, name and arguments of each call."""
    calls = reply.choices[0].message.tool_calls or []
    return [(call.id, call.function.name, call.function.arguments) for call in calls if call.type == "function"]


def test_a_model_may_call_a_tool_and_its_arguments_stay_as_they_are(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(model="tooler", messages=MESSAGES, tools=TOOLS)
    assert reply.choices[0].finish_reason == "tool_calls"
    (one, walk, said), (other, wave, again) = calls_of(reply)
    assert (walk, wave, said, again) == ("walk", "wave", ARGUMENTS, ARGUMENTS)
    assert one != other


def test_a_streamed_call_is_put_together_by_the_client(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(model="tooler", messages=MESSAGES, tools=TOOLS) as stream:
        final = stream.get_final_completion()
    whole = client.chat.completions.create(model="tooler", messages=MESSAGES, tools=TOOLS)
    assert calls_of(final) == calls_of(whole)
    assert final.choices[0].finish_reason == "tool_calls"
    assert final.choices[0].message.role == "assistant"


def test_only_the_first_fragment_of_a_call_has_its_id_and_name(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(model="tooler", messages=MESSAGES, tools=TOOLS, stream=True)
    fragments = [call for chunk in stream for choice in chunk.choices for call in choice.delta.tool_calls or ()]
    for index in (0, 1):
        first, *rest = [fragment for fragment in fragments if fragment.index == index]
        assert first.id is not None
        assert first.function is not None
        assert first.function.name is not None
        assert rest
        assert all(later.id is None and later.function and later.function.name is None for later in rest)


@pytest.mark.parametrize(("choice", "name"), [(FORCED, "wave"), ("required", "walk")])
def test_a_demanded_tool_is_called(client: openai.OpenAI, choice: object, name: str) -> None:
    reply = client.chat.completions.create(
        model="plain", messages=MESSAGES, tools=TOOLS, extra_body={"tool_choice": choice}
    )
    assert [called for _, called, _ in calls_of(reply)] == [name]


def test_a_tool_may_be_forbidden(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(model="plain", messages=MESSAGES, tools=TOOLS, tool_choice="none")
    assert calls_of(reply) == []
    assert reply.choices[0].finish_reason == "stop"


def test_the_results_of_tools_go_back_as_they_were_called(client: openai.OpenAI, house: Live) -> None:
    called = client.chat.completions.create(model="tooler", messages=MESSAGES, tools=TOOLS).choices[0].message
    assert called.tool_calls
    results = [{"role": "tool", "tool_call_id": call.id, "content": "you are there"} for call in called.tool_calls]
    history = [*MESSAGES, called.model_dump(exclude_none=True), *results]
    client.chat.completions.create(model="plain", messages=MESSAGES, tools=TOOLS, extra_body={"messages": history})
    heard = json.loads(bytes(house.body_heard("plain")["messages"]))
    assert heard[1]["tool_calls"][0]["function"]["arguments"] == ARGUMENTS
    assert heard[2:] == results


@pytest.mark.parametrize("model", MISSHAPEN)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_wrong_call_is_no_answer(client: openai.OpenAI, model: str, *, streamed: bool) -> None:
    def ask() -> None:
        list(
            client.chat.completions.create(
                model=model, messages=MESSAGES, tools=TOOLS, tool_choice="required", stream=streamed
            )
        )

    with pytest.raises(openai.APIError) as caught:
        ask()
    assert caught.value.code == "exhausted"


def test_a_schema_is_kept_and_parsed(client: openai.OpenAI) -> None:
    reply = client.chat.completions.parse(model="plain", messages=MESSAGES, response_format=State)
    assert reply.choices[0].message.parsed == State(hp=0, mood="calm")


def test_a_streamed_schema_is_parsed_too(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(model="plain", messages=MESSAGES, response_format=State) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.parsed == State(hp=0, mood="calm")


def test_a_rung_that_breaks_the_schema_gives_way_to_one_that_keeps_it(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(
        model="silver", messages=MESSAGES, extra_body={"response_format": SCHEMA_FORMAT}
    )
    assert json.loads(reply.choices[0].message.content or "") == {"hp": 0, "mood": "calm"}
    tried = {one["rung"]: one["outcome"] for one in report_of(reply)["attempts"]}
    assert tried == {"template": "unfit", "wrong-shape": "wrong_shape", "plain": "ok"}


@pytest.mark.parametrize("model", ["wrong-shape", "fenced"])
def test_no_answer_is_better_than_one_of_the_wrong_shape(client: openai.OpenAI, model: str, house: Live) -> None:
    before = house.attempts(model)
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model=model, messages=MESSAGES, extra_body={"response_format": SCHEMA_FORMAT})
    assert caught.value.code == "exhausted"
    assert house.attempts(model) - before == 1


def test_a_json_object_is_an_object(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(model="plain", messages=MESSAGES, response_format={"type": "json_object"})
    assert isinstance(json.loads(reply.choices[0].message.content or ""), dict)


def test_a_template_never_stands_in_for_a_form(client: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(
            model="template", messages=MESSAGES, extra_body={"response_format": SCHEMA_FORMAT}
        )
    assert caught.value.code == "policy"
