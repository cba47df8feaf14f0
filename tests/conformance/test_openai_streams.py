"""The real openai client reads our streams to the end, and is told when there is none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec
import openai
import pytest

from conformance.live import Live, engine, running
from conformance.questions import MESSAGES, report_of, words_of
from tiercel.route.spec import TierSpec

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionChunk

pytestmark = pytest.mark.anyio

SAID = "word1 word2 word3 word4 word5 word6 word7 end."
# Streams that break, by what is wrong with them; each breaks after two words.
BREAKS = {
    "cut": "cut:k=2",
    "reset": "reset:k=2",
    "clean-cut": "clean_cut:k=2",
    "stall": "stall:k=2",
    "error-after": "error_after:k=2",
    "bad-json": "bad_json:k=2",
    "no-finish": "no_finish",
    "endless": "endless",
}
# Streams with nothing in them that a client could use.
STILLBORN = {"cut-role": "cut_role", "error-before": "error_before", "cut-headers": "cut_headers", "html": "html"}
ENGINES = {
    "plain": engine(),
    "no-done": engine("no_done"),
    "odd-sse": engine("odd_sse"),
    "empty-finish": engine("empty_finish:chunks=3"),
    "uncounted": msgspec.structs.replace(engine(), usage_in_streams=False),
    **{name: engine(part) for name, part in (BREAKS | STILLBORN).items()},
}


@pytest.fixture(scope="module")
def house() -> Iterator[Live]:
    """Run a model, and engines whose streams go wrong in every way."""
    with running(ENGINES, TierSpec(rungs=("cut-role", "plain", "template"))) as live:
        yield live


async def heard(
    client: openai.AsyncOpenAI, model: str, into: list[ChatCompletionChunk] | None = None, **extra: object
) -> list[ChatCompletionChunk]:
    """Read a stream to its end; ``into`` keeps what came before an error."""
    chunks = [] if into is None else into
    stream = await client.chat.completions.create(model=model, messages=MESSAGES, stream=True, extra_body=extra)
    async for chunk in stream:
        chunks.append(chunk)
    return chunks


async def test_a_stream_has_one_id_one_role_and_one_end(aclient: openai.AsyncOpenAI) -> None:
    chunks = await heard(aclient, "plain")
    assert words_of(chunks) == SAID
    assert len({chunk.id for chunk in chunks}) == 1
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert [chunk.choices[0].delta.role for chunk in chunks].count("assistant") == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert [chunk.usage for chunk in chunks] == [None] * len(chunks)


async def test_the_last_chunk_says_how_the_answer_was_won(aclient: openai.AsyncOpenAI) -> None:
    *first, last = await heard(aclient, "silver")
    assert all("tiercel" not in (chunk.model_extra or {}) for chunk in first)
    report = report_of(last)
    assert (report["rung"], report["degraded"]) == ("plain", True)
    assert [(tried["rung"], tried["outcome"]) for tried in report["attempts"]] == [
        ("cut-role", "truncated"),
        ("plain", "ok"),
    ]
    assert last.id == f"chatcmpl-{report['request_id']}"


async def test_the_head_of_a_stream_says_what_is_known_when_it_begins(aclient: openai.AsyncOpenAI) -> None:
    raw = await aclient.chat.completions.with_raw_response.create(model="plain", messages=MESSAGES, stream=True)
    assert raw.headers["content-type"] == "text/event-stream"
    assert raw.headers["cache-control"] == "no-cache"
    assert raw.headers["x-tiercel-rung"] == "plain"
    # What it cost is known at its end, and told there.
    assert raw.headers["x-tiercel-cost"] == "unknown"
    assert [chunk async for chunk in raw.parse()][-1].choices[0].finish_reason == "stop"


async def test_the_usage_comes_in_a_chunk_of_its_own_when_it_is_asked_for(aclient: openai.AsyncOpenAI) -> None:
    *words, last = await heard(aclient, "plain", stream_options={"include_usage": True})
    assert words_of(words) == SAID
    assert last.choices == []
    assert last.usage is not None
    assert (last.usage.prompt_tokens, last.usage.completion_tokens, last.usage.total_tokens) == (12, 8, 20)
    assert report_of(last)["usage_counted_by"] == "engine"
    assert all(chunk.usage is None for chunk in words)
    assert len({chunk.id for chunk in [*words, last]}) == 1


async def test_what_else_a_stream_is_asked_for_reaches_the_engine(aclient: openai.AsyncOpenAI, house: Live) -> None:
    """Statement 31: we ask for the usage ourselves, and lose no other option for that."""
    await heard(aclient, "plain", stream_options={"include_usage": False, "continuous_usage_stats": True})
    options = json.loads(bytes(house.body_heard("plain")["stream_options"]))
    assert options == {"include_usage": True, "continuous_usage_stats": True}
    await heard(aclient, "uncounted", stream_options={"include_usage": True})
    assert "stream_options" not in house.body_heard("uncounted")


async def test_we_count_what_the_engine_does_not(aclient: openai.AsyncOpenAI) -> None:
    last = (await heard(aclient, "uncounted", stream_options={"include_usage": True}))[-1]
    assert last.usage is not None
    assert 8 <= last.usage.completion_tokens <= 16
    assert last.usage.total_tokens == last.usage.prompt_tokens + last.usage.completion_tokens
    assert report_of(last)["usage_counted_by"] == "tiercel"


async def test_the_clients_own_accumulator_puts_a_stream_together(aclient: openai.AsyncOpenAI) -> None:
    async with aclient.chat.completions.stream(model="plain", messages=MESSAGES, n=2) as stream:
        final = await stream.get_final_completion()
    assert [(choice.index, choice.message.role, choice.message.content) for choice in final.choices] == [
        (0, "assistant", SAID),
        (1, "assistant", SAID),
    ]


@pytest.mark.parametrize("model", ["no-done", "odd-sse"])
async def test_an_odd_engine_makes_a_good_stream(aclient: openai.AsyncOpenAI, model: str) -> None:
    assert words_of(await heard(aclient, model)) == SAID


async def test_an_empty_finish_reason_is_none(aclient: openai.AsyncOpenAI) -> None:
    """Statement 7: an engine that never says why it ended did not end."""
    chunks: list[ChatCompletionChunk] = []
    with pytest.raises(openai.APIError):
        await heard(aclient, "empty-finish", chunks)
    assert {choice.finish_reason for chunk in chunks for choice in chunk.choices} == {None}


@pytest.mark.parametrize("model", BREAKS)
async def test_a_stream_that_breaks_ends_with_an_error(aclient: openai.AsyncOpenAI, model: str) -> None:
    """Statements 6 and 7, with a real client: an error in the stream, and never a clean end on half an answer."""
    chunks: list[ChatCompletionChunk] = []
    with pytest.raises(openai.APIError) as caught:
        await heard(aclient, model, chunks, tiercel={"total_ms": 400})
    assert words_of(chunks).startswith("word1 word2 ") or model == "endless"
    assert type(caught.value) is openai.APIError, "in the stream, not by cutting the connection"
    assert caught.value.code in {"exhausted", "deadline"}
    assert all(choice.finish_reason is None for chunk in chunks for choice in chunk.choices)


async def test_the_error_in_a_stream_is_the_last_event_and_says_what_was_tried(aclient: openai.AsyncOpenAI) -> None:
    async with aclient.chat.completions.with_streaming_response.create(
        model="cut", messages=MESSAGES, stream=True
    ) as raw:
        events = [line.removeprefix("data: ") async for line in raw.iter_lines() if line]
    assert "[DONE]" not in events
    last = json.loads(events[-1])
    assert last["error"]["code"] == "exhausted"
    assert [tried["outcome"] for tried in last["tiercel"]["attempts"]] == ["truncated"]
    assert last["tiercel"]["rung"] == "cut"


@pytest.mark.parametrize("model", STILLBORN)
async def test_an_error_before_the_first_word_is_an_error_and_no_stream(
    aclient: openai.AsyncOpenAI, model: str, house: Live
) -> None:
    before = house.attempts(model)
    with pytest.raises(openai.InternalServerError) as caught:
        await heard(aclient, model)
    assert caught.value.code == "exhausted"
    # Nothing better is below, so a failure that came at once is tried once more; the client does not add to it.
    assert house.attempts(model) - before <= 2


async def test_another_engine_takes_over_unseen_before_the_first_word(aclient: openai.AsyncOpenAI) -> None:
    """Statement 8, with a real client: a role is no content."""
    chunks = await heard(aclient, "silver")
    assert words_of(chunks) == SAID
    assert [chunk.choices[0].delta.role for chunk in chunks].count("assistant") == 1
