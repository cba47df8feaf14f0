"""Whether an answer keeps the request's contract, whole or in pieces: both verdicts are the same."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripted_http import chat
from tiercel.engines.shape import MOST_KEPT_CHARS, StreamShape, check_request, check_whole, is_shaped
from tiercel.terms.ask import Ask
from tiercel.terms.errors import BadRequest, EngineFailed
from tiercel.terms.reply import Choice, Chunk, Delta

SCHEMA = {"type": "object", "properties": {"mood": {"enum": ["calm", "angry"]}}, "required": ["mood"]}
FORMAT = {"type": "json_schema", "json_schema": {"name": "line", "schema": SCHEMA}}
TOOL = {"type": "function", "function": {"name": "open_gate", "parameters": {"type": "object"}}}
OTHER = {"type": "function", "function": {"name": "close_gate"}}
WORDS = {"type": "custom", "custom": {"name": "sing"}}
NAMED = {"type": "function", "function": {"name": "open_gate"}}

PLAIN = chat()
JSON = chat(shape="json", response_format={"type": "json_object"})
BY_SCHEMA = chat(shape="schema", response_format=FORMAT)
OFFERED = chat(tools=[TOOL, OTHER, WORDS])
FORCED = chat(shape="tool", tools=[TOOL, OTHER], tool_choice=NAMED)
ANY = chat(shape="tool", tools=[TOOL, OTHER], tool_choice="required")
SOME = chat(
    shape="tool",
    tools=[TOOL, OTHER],
    tool_choice={"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [OTHER]}},
)
LEGACY = msgspec.structs.replace(
    chat(shape="tool", functions=[TOOL["function"]], function_call={"name": "open_gate"}), tools=True
)


def call(name: str = "open_gate", arguments: str | None = "{}", index: int = 0) -> dict[str, object]:
    return {
        "index": index,
        "id": f"call_{index}",
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


def song() -> dict[str, object]:
    return {"index": 0, "id": "call_0", "type": "custom", "custom": {"name": "sing", "input": "no { json"}}


def message(content: str | None = None, *calls: object, **more: object) -> dict[str, object]:
    return {"role": "assistant", "content": content, **({"tool_calls": calls} if calls else {}), **more}


GOOD = [
    (PLAIN, message("anything")),
    (PLAIN, message("")),
    (JSON, message('{"a":1}')),
    (JSON, message(' {"a":{}} \n')),
    (JSON, message(None, refusal="I would rather not.")),
    (BY_SCHEMA, message('{"mood":"calm"}')),
    (BY_SCHEMA, message(None, refusal="I would rather not.")),
    (OFFERED, message("words are fine")),
    (OFFERED, message(None, call(), call("close_gate", "", 1))),
    (OFFERED, message(None, song())),
    (FORCED, message(None, call(arguments='{"wide":true}'))),
    (FORCED, message("Here:", call("close_gate"), call(index=1))),
    (ANY, message(None, call("close_gate"))),
    (SOME, message(None, call("close_gate"))),
    (LEGACY, message(None, function_call={"name": "open_gate", "arguments": "{}"})),
    (chat(shape="json", response_format={"type": "json_object"}, tools=[TOOL]), message(None, call())),
]
BAD = [
    (JSON, message("[1]")),
    (JSON, message("")),
    (JSON, message('```json\n{"a":1}\n```')),
    (JSON, message('{"a":')),
    (BY_SCHEMA, message('{"mood":"glad"}')),
    (BY_SCHEMA, message("I am calm.")),
    (OFFERED, message(None, call("pull_lever"))),
    (OFFERED, message(None, call(arguments='{"a":'))),
    (OFFERED, message(None, call(arguments="[1]"))),
    (OFFERED, message(None, call(arguments='"cut'))),
    (FORCED, message("I will open it.")),
    (FORCED, message(None, call("close_gate"))),
    (ANY, message("I will not.")),
    (SOME, message(None, call("open_gate"))),
    (LEGACY, message("I will.")),
]


def raws(value: object) -> tuple[msgspec.Raw, ...]:
    return (msgspec.Raw(msgspec.json.encode(value)),)


def whole(*messages: object) -> bytes:
    return msgspec.json.encode({"choices": [{"index": i, "message": m} for i, m in enumerate(messages)]})


def pieces(said: dict[str, object], index: int = 0) -> list[Chunk]:
    """Cut a message into chunks: the content letter by letter, each call as a name and fragments without one."""
    deltas = [Delta(content="")]
    deltas += [Delta(content=letter) for letter in str(said["content"] or "")]
    if said.get("refusal"):
        deltas.append(Delta(refusal=str(said["refusal"])))
    if "function_call" in said:
        legacy = msgspec.convert(said["function_call"], dict[str, str])
        deltas.append(Delta(function_call={name: raws(value)[0] for name, value in legacy.items()}))
    for one in msgspec.convert(said.get("tool_calls", ()), list[dict[str, object]]):
        function = one.get("function")
        if not isinstance(function, dict):
            deltas.append(Delta(tool_calls=raws(one)))
            continue
        first = {**one, "function": {"name": function["name"], "arguments": None}}
        deltas.append(Delta(tool_calls=raws(first)))
        for letter in function["arguments"] or "":
            later = {"index": one["index"], "function": {"name": None, "arguments": letter}}
            deltas.append(Delta(tool_calls=raws(later)))
    return [Chunk("id", (Choice(index, delta),)) for delta in deltas] + [Chunk("id", (Choice(index, None, "stop"),))]


def judged(ask: Ask, chunks: list[Chunk]) -> None:
    shape = StreamShape(ask)
    for chunk in chunks:
        shape.take(chunk)
    shape.check()


@pytest.mark.parametrize(("ask", "said"), GOOD)
def test_an_answer_that_keeps_the_contract_passes(ask: Ask, said: dict[str, object]) -> None:
    check_request(ask)
    check_whole(ask, whole(said))
    judged(ask, pieces(said))


@pytest.mark.parametrize(("ask", "said"), BAD)
def test_an_answer_that_breaks_the_contract_is_a_failure_of_its_engine(ask: Ask, said: dict[str, object]) -> None:
    with pytest.raises(EngineFailed) as in_one_piece:
        check_whole(ask, whole(said))
    with pytest.raises(EngineFailed) as in_pieces:
        judged(ask, pieces(said))
    assert in_one_piece.value.failure == in_pieces.value.failure == "wrong_shape"


def test_every_choice_must_keep_it() -> None:
    good, bad = message('{"mood":"calm"}'), message('{"mood":"glad"}')
    check_whole(BY_SCHEMA, whole(good, good))
    mixed = list(itertools.chain(*zip(pieces(good), pieces(good, 1), strict=True)))
    judged(BY_SCHEMA, mixed)
    with pytest.raises(EngineFailed):
        check_whole(BY_SCHEMA, whole(good, bad))
    with pytest.raises(EngineFailed):
        judged(BY_SCHEMA, [*pieces(good), *pieces(bad, 1)])


def test_words_without_tools_are_not_even_read() -> None:
    assert not is_shaped(PLAIN)
    check_whole(PLAIN, b"\xff no JSON")
    judged(PLAIN, [])


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"choices":[]}', b'{"choices":[{"message":{"content":"\xff"}}]}', b"[" * 9999]
)
def test_what_is_no_answer_has_no_shape(body: bytes) -> None:
    with pytest.raises(EngineFailed) as caught:
        check_whole(JSON, body)
    assert caught.value.failure == "wrong_shape"


def test_a_stream_without_a_choice_has_no_shape() -> None:
    with pytest.raises(EngineFailed):
        judged(JSON, [Chunk("id")])


@pytest.mark.parametrize(
    "flood",
    [
        [Chunk("id", (Choice(0, Delta(content=" " * (MOST_KEPT_CHARS // 2))),))] * 3,
        [Chunk("id", (Choice(index, Delta(content="")),)) for index in range(1000)],
        [Chunk("id", (Choice(0, Delta(tool_calls=raws(call(index=i)))),)) for i in range(1000)],
        [Chunk("id", (Choice(0, Delta(tool_calls=raws({"index": "x"}))),))],
        [Chunk("id", (Choice(0, Delta(function_call={"name": raws(7)[0]})),))],
    ],
    ids=["words", "choices", "calls", "calls that are none", "a function call that is none"],
)
def test_a_flood_is_cut_off_while_it_runs(flood: list[Chunk]) -> None:
    with pytest.raises(EngineFailed):
        judged(JSON, [*flood, *pieces(message("{}"))] if len(flood) > 1 else flood)


@pytest.mark.parametrize(
    "wrong", [None, {"type": "json_schema"}, {"type": "json_schema", "json_schema": {"name": "x"}}, 7]
)
def test_a_request_for_a_schema_without_one_is_the_callers_mistake(wrong: object) -> None:
    with pytest.raises(BadRequest) as caught:
        check_request(chat(shape="schema", response_format=wrong))
    assert caught.value.param == "response_format"


def test_tools_that_are_none_are_the_callers_mistake() -> None:
    with pytest.raises(BadRequest) as caught:
        check_whole(chat(tools=7), whole(message("hello")))
    assert caught.value.param == "tools"


def embedding(inputs: object) -> Ask:
    return msgspec.structs.replace(chat(shape="embedding", input=inputs), kind="embed")


def vectors(*found: object) -> bytes:
    return msgspec.json.encode({"data": [{"index": i, "embedding": vector} for i, vector in enumerate(found)]})


@pytest.mark.parametrize(
    ("inputs", "found"),
    [
        ("one", ([0.5, 1],)),
        (["one"], ([0.5, 1],)),
        (["one", "two"], ([0.5, 1], [1, 2])),
        ([1, 2, 3], ([0.5, 1],)),
        ([[1, 2], [3]], ([0.5, 1], [1, 2])),
        ("one", ("AACAPw==",)),
    ],
)
def test_one_vector_for_each_input_is_right(inputs: object, found: tuple[object, ...]) -> None:
    check_whole(embedding(inputs), vectors(*found))


@pytest.mark.parametrize(
    ("inputs", "found"),
    [
        ("one", ()),
        ("one", ([],)),
        ("one", ([0.5], [0.5])),
        (["one", "two"], ([0.5],)),
        (["one", "two"], ([0.5], [0.5, 1])),
        ("one", (["x"],)),
        ("one", (None,)),
    ],
)
def test_vectors_that_miss_an_input_or_a_number_are_wrong(inputs: object, found: tuple[object, ...]) -> None:
    with pytest.raises(EngineFailed) as caught:
        check_whole(embedding(inputs), vectors(*found))
    assert caught.value.failure == "wrong_shape"


@given(
    content=st.none() | st.text(max_size=20) | st.sampled_from(['{"mood":"calm"}', '{"mood":"x"}', "{}", "[]"]),
    arguments=st.sampled_from(["{}", "", "[", '{"a":1}', "null"]),
    names=st.lists(st.sampled_from(["open_gate", "close_gate", "other"]), max_size=3),
    ask=st.sampled_from([PLAIN, JSON, BY_SCHEMA, OFFERED, FORCED, ANY, SOME]),
)
def test_a_stream_is_judged_like_the_same_answer_in_one_piece(
    content: str | None, arguments: str, names: list[str], ask: Ask
) -> None:
    said = message(content, *(call(name, arguments, index) for index, name in enumerate(names)))

    def verdict(judge: object) -> bool:
        try:
            assert callable(judge)
            judge()
        except EngineFailed:
            return False
        return True

    assert verdict(lambda: check_whole(ask, whole(said))) == verdict(lambda: judged(ask, pieces(said)))
