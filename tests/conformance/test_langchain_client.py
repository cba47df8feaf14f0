"""The real LangChain client is content: it is pickier about replies than the library it stands on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec
import openai
import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel, SecretStr

from conformance.live import Live, engine, running
from tiercel.engines.rehearsal.embeddings import vector
from tiercel.route.spec import TierSpec

SAID = "word1 word2 word3 word4 word5 word6 word7 end."
ENGINES = {
    "plain": engine(),
    "tooler": engine("plain:tool=walk,arguments=%7B%22to%22%3A%22gate%22%7D,chunks=4"),
    "no-role": engine("no_role"),
    "no-choices": engine("no_choices"),
    "wrong-shape": engine("wrong_shape"),
    "limited": engine("rate_limited:retry=7"),
    "cut": engine("cut:k=2"),
    "embedder": msgspec.structs.replace(engine(), embeddings=True, chat=False),
}


class State(BaseModel):
    """What an NPC is like."""

    hp: int
    mood: Literal["calm", "angry"]


@tool
def walk(to: str) -> str:
    """Walk somewhere."""
    return f"you are at the {to}"


@pytest.fixture(scope="module")
def house() -> Iterator[Live]:
    """Run good engines and some that LangChain breaks on when it meets them itself."""
    with running(ENGINES, TierSpec(rungs=("no-choices", "no-role", "template"), first_ms=1000.0)) as live:
        yield live


def chat(house: Live, model: str, **extra: object) -> ChatOpenAI:
    """Return LangChain's chat model."""
    return ChatOpenAI(
        base_url=house.url, api_key=SecretStr("none"), model=model, max_retries=2, extra_body=extra or None
    )


def test_an_answer_is_a_message_with_its_usage(house: Live) -> None:
    message = chat(house, "plain").invoke("Is the bridge open?")
    assert isinstance(message, AIMessage)
    assert message.content == SAID
    assert message.usage_metadata is not None
    assert (message.usage_metadata["input_tokens"], message.usage_metadata["output_tokens"]) == (12, 8)
    assert message.response_metadata["finish_reason"] == "stop"


def test_an_answer_without_its_role_is_repaired(house: Live) -> None:
    message = chat(house, "silver").invoke("Is the bridge open?")
    assert message.content == SAID


@pytest.mark.anyio
async def test_the_asynchronous_way_is_the_same(house: Live) -> None:
    message = await chat(house, "plain").ainvoke([HumanMessage("Is the bridge open?")])
    assert message.content == SAID


@pytest.mark.parametrize("model", ["plain", "silver"])
def test_a_stream_adds_up_to_the_message(house: Live, model: str) -> None:
    whole: AIMessageChunk | None = None
    for chunk in chat(house, model).stream("Is the bridge open?"):
        assert isinstance(chunk, AIMessageChunk)
        whole = chunk if whole is None else whole + chunk
    assert whole is not None
    assert whole.content == SAID
    assert whole.response_metadata["finish_reason"] == "stop"


def test_a_stream_tells_its_usage_when_it_is_asked(house: Live) -> None:
    model = ChatOpenAI(base_url=house.url, api_key=SecretStr("none"), model="plain", stream_usage=True)
    counted = [chunk.usage_metadata for chunk in model.stream("hello") if chunk.usage_metadata]
    assert [(usage["input_tokens"], usage["output_tokens"]) for usage in counted] == [(12, 8)]


def test_a_bound_tool_is_called_and_its_result_goes_back(house: Live) -> None:
    called = chat(house, "tooler").bind_tools([walk]).invoke("Go to the gate.")
    assert isinstance(called, AIMessage)
    (call,) = called.tool_calls
    assert (call["name"], call["args"]) == ("walk", {"to": "gate"})
    result = walk.invoke(call)
    assert isinstance(result, ToolMessage)
    answer = chat(house, "plain").invoke([HumanMessage("Go to the gate."), called, result])
    assert answer.content == SAID
    heard = msgspec.json.decode(house.body_heard("plain")["messages"])
    assert heard[-1] == {"role": "tool", "tool_call_id": call["id"], "content": "you are at the gate"}


def test_a_streamed_call_adds_up_to_the_call(house: Live) -> None:
    whole: AIMessageChunk | None = None
    for chunk in chat(house, "tooler").bind_tools([walk]).stream("Go to the gate."):
        assert isinstance(chunk, AIMessageChunk)
        whole = chunk if whole is None else whole + chunk
    assert whole is not None
    assert [(call["name"], call["args"]) for call in whole.tool_calls] == [("walk", {"to": "gate"})]


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_a_prescribed_form_is_kept(house: Live, method: Literal["json_schema", "function_calling"]) -> None:
    answer = chat(house, "plain").with_structured_output(State, method=method).invoke("How are you?")
    assert answer == State(hp=0, mood="calm")


@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("nobody", openai.NotFoundError),
        ("no-choices", openai.InternalServerError),
        ("limited", openai.RateLimitError),
        ("bronze", openai.InternalServerError),
    ],
)
def test_an_error_has_its_class_and_is_not_tried_again(
    house: Live, model: str, error: type[openai.APIStatusError]
) -> None:
    before = house.attempts(model)
    with pytest.raises(error) as caught:
        chat(house, model).invoke("Is the bridge open?")
    assert caught.value.code
    assert house.attempts(model) - before <= 2


def test_a_wrong_field_is_named(house: Live) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        chat(house, "plain", tiercel={"sla": "yesterday"}).invoke("Is the bridge open?")
    assert caught.value.param == "tiercel.sla"


def test_an_answer_of_the_wrong_form_is_an_error_and_no_answer(house: Live) -> None:
    with pytest.raises(openai.InternalServerError):
        chat(house, "wrong-shape").with_structured_output(State, method="json_schema").invoke("How are you?")


def test_a_broken_stream_raises(house: Live) -> None:
    words: list[object] = []
    with pytest.raises(openai.APIError):
        words.extend(chunk.content for chunk in chat(house, "cut").stream("Is the bridge open?"))
    assert [word for word in words if word] == ["word1 ", "word2 "]


def test_texts_become_vectors(house: Live) -> None:
    model = OpenAIEmbeddings(
        base_url=house.url, api_key=SecretStr("none"), model="embedder", check_embedding_ctx_length=False
    )
    assert model.embed_query("a") == pytest.approx(vector("a", 16))
    assert model.embed_documents(["a", "b"]) == [pytest.approx(vector(text, 16)) for text in "ab"]
