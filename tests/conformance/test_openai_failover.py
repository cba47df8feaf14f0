"""What a client of OpenAI's sees of a stream whose engine dies in the middle: one message, or an honest error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import openai
import pytest

from conformance.live import engine, running
from conformance.questions import MESSAGES, report_of, words_of
from tiercel.route.spec import TierSpec

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionChunk


def heard(url: str, into: list[ChatCompletionChunk], **extra: object) -> None:
    """Read a stream to its end, or up to an error."""
    with openai.OpenAI(base_url=url, api_key="none") as client:
        stream = client.chat.completions.create(model="silver", messages=MESSAGES, stream=True, extra_body=extra)
        into.extend(stream)


@pytest.mark.parametrize("fault", ["cut:k=3", "stall:k=3", "error_after:k=3"])
def test_a_broken_stream_goes_on_with_the_next_rung_as_one_message(fault: str) -> None:
    """Statement 6: where the configuration says so, the words go on."""
    engines = {"first": engine(fault), "second": engine("plain:text=and%20so%20on.")}
    chunks: list[ChatCompletionChunk] = []
    with running(engines, TierSpec(rungs=("first", "second", "template"))) as live:
        heard(live.url, chunks)
        said = msgspec.json.decode(live.body_heard("second")["messages"])[-1]
    assert words_of(chunks) == "word1 word2 word3 and so on."
    assert said == {"role": "assistant", "content": "word1 word2 word3 "}
    assert len({chunk.id for chunk in chunks}) == 1
    assert report_of(chunks[-1])["rung"] == "second"


def test_the_clients_accumulator_takes_what_goes_on_for_one_message() -> None:
    engines = {"first": engine("cut:k=3"), "second": engine("plain:text=and%20so%20on.")}
    with (
        running(engines, TierSpec(rungs=("first", "second", "template"))) as live,
        openai.OpenAI(base_url=live.url, api_key="none") as client,
        client.chat.completions.stream(model="silver", messages=MESSAGES) as stream,
    ):
        (choice,) = stream.get_final_completion().choices
    assert (choice.message.role, choice.finish_reason) == ("assistant", "stop")
    assert choice.message.content == "word1 word2 word3 and so on."


def test_the_template_closes_a_sentence_that_was_cut() -> None:
    chunks: list[ChatCompletionChunk] = []
    with running({"first": engine("cut:k=3")}, TierSpec(rungs=("first", "template"))) as live:
        heard(live.url, chunks, tiercel={"persona": "innkeeper"})
    assert words_of(chunks).startswith("word1 word2 word3 ")
    assert words_of(chunks)[-1] in ".!?…"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert (report_of(chunks[-1])["kind"], report_of(chunks[-1])["degraded"]) == ("template", True)


def test_a_broken_stream_ends_with_an_error_where_the_configuration_says_so() -> None:
    ladder = TierSpec(rungs=("first", "second", "template"), after_content="error")
    chunks: list[ChatCompletionChunk] = []
    with running({"first": engine("cut:k=3"), "second": engine()}, ladder) as live:
        with pytest.raises(openai.APIError) as caught:
            heard(live.url, chunks)
        assert live.attempts("second") == 0
    assert words_of(chunks) == "word1 word2 word3 "
    assert caught.value.code == "exhausted"
