"""OpenAI's messages as Anthropic's: alternating turns, results beside their calls, arguments byte for byte."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.engines.anthropic.conversation import OPENING, PROCEED, RESUME, Conversation
from tiercel.terms.errors import BadRequest

USER = {"role": "user", "content": "Open it."}
PIXEL = "data:image/png;base64,iVBORw0KGgo="


def talk(*messages: object) -> Conversation:
    return Conversation(msgspec.Raw(msgspec.json.encode(messages)))


def turns(conversation: Conversation) -> list[dict[str, object]]:
    return msgspec.json.decode(msgspec.json.encode(conversation.turns), type=list[dict[str, object]])


def call(call_id: str = "c1", arguments: str = "{}", name: str = "open_gate") -> dict[str, object]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def calls(*which: object, content: object = None) -> dict[str, object]:
    return {"role": "assistant", "content": content, "tool_calls": which}


def result(call_id: str = "c1", content: object = "done") -> dict[str, object]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def text(words: str) -> dict[str, object]:
    return {"type": "text", "text": words}


def test_instructions_stand_apart_and_in_order() -> None:
    told = talk(
        {"role": "system", "content": "You are a smith."},
        USER,
        {"role": "developer", "content": [text("Be brief."), text(" ")]},
    )
    assert told.system == [text("You are a smith."), text("Be brief.")]
    assert turns(told) == [{"role": "user", "content": [text("Open it.")]}]


def test_what_one_side_says_in_pieces_is_one_turn() -> None:
    told = talk(USER, USER, {"role": "assistant", "content": "I"}, {"role": "assistant", "content": "will."}, USER)
    assert [turn["role"] for turn in turns(told)] == ["user", "assistant", "user"]
    assert turns(told)[1]["content"] == [text("I"), text("will.")]


def test_results_stand_first_in_the_turn_after_their_calls() -> None:
    told = talk(USER, calls(call("a"), call("b"), content="Yes."), result("b", "two"), result("a", "one"), USER)
    assistant, user = turns(told)[1:]
    assert assistant["content"] == [
        text("Yes."),
        {"type": "tool_use", "id": "a", "name": "open_gate", "input": {}},
        {"type": "tool_use", "id": "b", "name": "open_gate", "input": {}},
    ]
    assert user["content"] == [
        {"type": "tool_result", "tool_use_id": "b", "content": [text("two")]},
        {"type": "tool_result", "tool_use_id": "a", "content": [text("one")]},
        text("Open it."),
    ]


def test_an_empty_result_is_a_result() -> None:
    assert turns(talk(USER, calls(call()), result(content="")))[2]["content"] == [
        {"type": "tool_result", "tool_use_id": "c1"}
    ]


@pytest.mark.parametrize(
    "arguments",
    ['{"a":1.0,"b":12345678901234567890,"c":1e400}', '{"z":1,"a":2}', '{ "x" : "\\u00e9 é" }', '{"a":1,"a":2}', "{}"],
)
def test_arguments_arrive_byte_for_byte(arguments: str) -> None:
    told = talk(USER, calls(call(arguments=arguments)), result())
    assert b'"input":' + arguments.encode() in msgspec.json.encode(told.turns)


def test_no_arguments_are_an_empty_object() -> None:
    assert b'"input":{}' in msgspec.json.encode(talk(USER, calls(call(arguments="")), result()).turns)


@pytest.mark.parametrize("arguments", ["[1]", '{"a":', "open", "null", '{"a":1}}', '{"a":NaN}'])
def test_arguments_that_are_no_object_are_refused_and_never_tried_again(arguments: str) -> None:
    with pytest.raises(BadRequest) as caught:
        talk(USER, calls(call(arguments=arguments)), result())
    assert caught.value.param == "messages[1].tool_calls[0].function.arguments"


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([USER, calls(call()), USER], "messages[2]"),
        ([USER, calls(call())], "messages"),
        ([USER, calls(call("a"), call("b")), result("a"), calls(call("c"))], "messages[3]"),
        ([USER, result()], "messages[1].tool_call_id"),
        ([USER, calls(call()), result(), result()], "messages[3].tool_call_id"),
        ([USER, calls(call("a"), call("a")), result("a")], "messages[1].tool_calls[1].id"),
        ([USER, calls(call(""))], "messages[1].tool_calls[0].id"),
        ([USER, calls({"id": "a", "type": "custom", "custom": {"name": "x"}})], "messages[1].tool_calls[0]"),
        ([{"role": "function", "name": "f", "content": "x"}], "messages[0].role"),
        ([{"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}}], "messages[0].function_call"),
        ([{"role": "assistant", "audio": {"id": "x"}}], "messages[0].audio"),
        ([{"content": "x"}], "messages[0]"),
        ([{"role": "user", "content": 7}], "messages[0]"),
        ([{"role": "user", "content": [{"type": "input_audio"}]}], "messages[0].content[0].type"),
        (
            [{"role": "system", "content": [{"type": "image_url", "image_url": {"url": PIXEL}}]}],
            "messages[0].content[0].type",
        ),
    ],
)
def test_a_conversation_that_cannot_be_told_is_refused_at_its_place(messages: list[object], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        talk(*messages)
    assert caught.value.param == param


def test_ids_are_made_fit_and_never_used_twice() -> None:
    told = talk(
        USER,
        calls(call("functions.open:0")),
        result("functions.open:0"),
        calls(call("c")),
        result("c"),
        calls(call("c")),
        result("c"),
    )
    blocks = [block for turn in told.turns for block in turn.content]
    used = [str(block["id"]) for block in blocks if block["type"] == "tool_use"]
    assert used == [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
    assert len(set(used)) == 3
    assert all(name.replace("_", "").replace("-", "").isalnum() for name in used)


def test_pictures_and_papers_go_along() -> None:
    parts = [
        text("Look:"),
        {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://example.org/map.png"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0=", "filename": "map.pdf"}},
    ]
    told = talk({"role": "user", "content": parts})
    assert turns(told)[0]["content"] == [
        text("Look:"),
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
        {"type": "image", "source": {"type": "url", "url": "https://example.org/map.png"}},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
            "title": "map.pdf",
        },
    ]
    assert set(told.lost) == {"messages.image_url.detail"}


@pytest.mark.parametrize(
    "url", ["http://example.org/a.png", "file:///etc/passwd", "data:image/png,abc", "data:image/svg+xml;base64,abc", ""]
)
def test_a_picture_from_anywhere_else_is_refused(url: str) -> None:
    with pytest.raises(BadRequest) as caught:
        talk({"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]})
    assert caught.value.param == "messages[0].content[0].image_url.url"


@pytest.mark.parametrize(
    "file", [{"file_id": "f-1"}, {"file_data": "data:text/plain;base64,eA=="}, {"file_data": "JVBERi0="}]
)
def test_a_paper_that_is_not_here_or_no_paper_is_refused(file: object) -> None:
    with pytest.raises(BadRequest) as caught:
        talk({"role": "user", "content": [{"type": "file", "file": file}]})
    assert caught.value.param == "messages[0].content[0].file.file_data"


def test_what_a_message_says_beyond_its_words_is_named() -> None:
    told = talk(
        {"role": "user", "content": "Hi", "name": "Ann"},
        {
            "role": "assistant",
            "content": "Hi",
            "reasoning_content": "hm",
            "annotations": [],
            "audio": None,
            "refusal": None,
        },
    )
    assert set(told.lost) == {"messages.name", "messages.reasoning_content"}


def test_a_refusal_was_said_too() -> None:
    told = talk(USER, {"role": "assistant", "content": None, "refusal": "No."}, USER)
    assert turns(told)[1]["content"] == [text("No.")]


def test_marks_for_the_cache_go_along() -> None:
    told = talk({"role": "system", "content": [{**text("Long."), "cache_control": {"type": "ephemeral"}}]}, USER)
    assert b'"cache_control":{"type":"ephemeral"}' in msgspec.json.encode(told.system)


@pytest.mark.parametrize(
    "messages", [[], [{"role": "system", "content": "Speak."}], [{"role": "assistant", "content": "Hail."}, USER]]
)
def test_a_user_always_begins(messages: list[object]) -> None:
    assert turns(talk(*messages))[0] == {"role": "user", "content": [text(OPENING)]}


def test_a_model_that_takes_no_prefill_is_asked_to_go_on() -> None:
    told = talk(USER, {"role": "assistant", "content": "I will "})
    assert told.close(prefill=False) is False
    assert turns(told)[-1] == {"role": "user", "content": [text(PROCEED)]}


def test_a_prefill_does_not_end_with_white_space() -> None:
    told = talk(USER, {"role": "assistant", "content": "I will "})
    assert told.close(prefill=True) is True
    assert turns(told)[-1] == {"role": "assistant", "content": [text("I will")]}


def test_words_already_said_are_taken_up_by_prefill_or_by_request() -> None:
    first, second = talk(USER), talk(USER)
    assert first.close(prefill=True, said="The gate") is False
    assert turns(first)[-1] == {"role": "assistant", "content": [text("The gate")]}
    second.close(prefill=False, said="The gate ")
    assert turns(second)[1:] == [
        {"role": "assistant", "content": [text("The gate ")]},
        {"role": "user", "content": [text(RESUME)]},
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=4), part, max_size=3),
    max_leaves=8,
)
ARGUMENTS = st.dictionaries(st.text(max_size=4), JSON, max_size=3).map(
    lambda value: msgspec.json.encode(value).decode()
)
WORDS = st.text(max_size=12)
IDS = st.text(st.sampled_from("ab_-.:é"), min_size=1, max_size=3)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[list[object], list[str]]:
    """Draw any conversation that OpenAI would take, and the arguments in it."""
    messages: list[object] = []
    told: list[str] = []
    for kind in draw(st.lists(st.sampled_from(["system", "user", "assistant", "calls"]), max_size=8)):
        if kind != "calls":
            messages.append({"role": kind, "content": draw(WORDS)})
            continue
        ids = draw(st.lists(IDS, min_size=1, max_size=3, unique=True))
        made = [call(one, draw(ARGUMENTS)) for one in ids]
        told += [msgspec.convert(one["function"], dict[str, str])["arguments"] for one in made]
        messages.append(calls(*made, content=draw(st.none() | WORDS)))
        messages += [result(one, draw(WORDS)) for one in draw(st.permutations(ids))]
    return messages, told


@given(drawn=conversations(), prefill=st.booleans(), said=WORDS)
def test_any_conversation_becomes_one_that_the_api_takes(
    drawn: tuple[list[object], list[str]], prefill: bool, said: str
) -> None:
    messages, told = drawn
    conversation = talk(*messages)
    conversation.close(prefill=prefill, said=said)
    found = conversation.turns
    assert found[0].role == "user"
    assert all(turn.role != after.role for turn, after in itertools.pairwise(found))
    assert prefill or found[-1].role == "user"
    pending: set[object] = set()
    used: set[object] = set()
    arguments: list[bytes] = []
    for turn in found:
        assert turn.content
        results = [block["tool_use_id"] for block in turn.content if block["type"] == "tool_result"]
        assert all(block["type"] == "tool_result" for block in turn.content[: len(results)])
        assert set(results) == pending
        assert len(results) == len(pending)
        pending = {block["id"] for block in turn.content if block["type"] == "tool_use"}
        assert not pending & used
        used |= pending
        assert all(str(block["text"]).strip() for block in turn.content if block["type"] == "text")
        arguments += [bytes(msgspec.Raw(block["input"])) for block in turn.content if block["type"] == "tool_use"]  # type: ignore[call-overload]
    assert arguments == [one.encode() for one in told]
