"""Anthropic's messages as OpenAI's answers, whole and streamed; both say the same."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.engine_contract import Collected
from scripted_http import StillTap, event
from tiercel.engines.anthropic.reply import read_message
from tiercel.engines.anthropic.request import Translation
from tiercel.engines.anthropic.stream import MessageReader
from tiercel.engines.anthropic.words import compact
from tiercel.terms.errors import EngineFailed
from tiercel.terms.reply import Answer

PLAIN = Translation(body=b"")
BY_TOOL = Translation(body=b"", answer_tool="give_answer")
TRIMMED = Translation(body=b"", trimmed=True)
CREATED = 1_790_000_000
USAGE = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 5,
    "cache_read_input_tokens": 7,
    "output_tokens": 9,
    "output_tokens_details": {"thinking_tokens": 4},
}


def text(words: str) -> dict[str, object]:
    return {"type": "text", "text": words}


def use(name: str = "open_gate", given: object = None, call_id: str = "toolu_1") -> dict[str, object]:
    return {"type": "tool_use", "id": call_id, "name": name, "input": {} if given is None else given}


def message(*content: object, reason: str | None = "end_turn", **more: object) -> bytes:
    return msgspec.json.encode(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-x",
            "content": content,
            "stop_reason": reason,
            "usage": USAGE,
            **more,
        }
    )


def whole(body: bytes, translation: Translation = PLAIN) -> tuple[Answer, dict[str, object]]:
    answer = read_message(body, translation, CREATED)
    return answer, msgspec.json.decode(answer.body, type=dict[str, object])


def first_choice(body: dict[str, object]) -> dict[str, object]:
    return msgspec.convert(body["choices"], list[dict[str, object]])[0]


def said(body: bytes, translation: Translation = PLAIN) -> dict[str, object]:
    return msgspec.convert(first_choice(whole(body, translation)[1])["message"], dict[str, object])


def begin(**usage: object) -> bytes:
    return event(
        "message_start",
        message={
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-x",
            "content": [],
            "usage": usage or USAGE,
        },
    )


def block(index: int, started: object, *deltas: object) -> list[bytes]:
    return [
        event("content_block_start", index=index, content_block=started),
        *(event("content_block_delta", index=index, delta=delta) for delta in deltas),
        event("content_block_stop", index=index),
    ]


def words(*pieces: str, index: int = 0) -> list[bytes]:
    return block(index, text(""), *({"type": "text_delta", "text": piece} for piece in pieces))


def arguments(*pieces: str, name: str = "open_gate", index: int = 0, call_id: str = "toolu_1") -> list[bytes]:
    return block(
        index, use(name, call_id=call_id), *({"type": "input_json_delta", "partial_json": piece} for piece in pieces)
    )


def end(reason: object = "end_turn", **more: object) -> list[bytes]:
    return [
        event(
            "message_delta", delta={"stop_reason": reason, "stop_sequence": None, **more}, usage={"output_tokens": 9}
        ),
        event("message_stop"),
    ]


def streamed(
    events: Sequence[bytes], translation: Translation = PLAIN, *, resumed: bool = False
) -> tuple[Answer, Collected]:
    sink = Collected()
    reader = MessageReader(sink, translation, CREATED, resumed=resumed)
    reader.opened(StillTap())
    for one in events:
        reader.feed(one)
    return reader.answer(), sink


def deltas(sink: Collected) -> list[dict[str, object]]:
    return [choice["delta"] for payload in sink.payloads for choice in msgspec.json.decode(payload)["choices"]]


def test_words_are_the_content() -> None:
    answer, body = whole(message(text("Well "), text("met.")))
    assert body["id"] == "msg_1"
    assert (body["object"], body["created"], body["model"]) == ("chat.completion", CREATED, "claude-x")
    assert first_choice(body) == {
        "index": 0,
        "message": {"role": "assistant", "content": "Well met."},
        "finish_reason": "stop",
        "logprobs": None,
    }
    assert (answer.finish, answer.blank) == ("stop", False)


def test_tokens_are_counted_once_and_the_cached_ones_named() -> None:
    answer, body = whole(message(text("x")))
    assert body["usage"] == {
        "prompt_tokens": 22,
        "completion_tokens": 9,
        "total_tokens": 31,
        "prompt_tokens_details": {"cached_tokens": 7},
        "completion_tokens_details": {"reasoning_tokens": 4},
    }
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 22


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("pause_turn", "length"),
        ("refusal", "content_filter"),
        ("a_reason_yet_to_be_invented", "stop"),
        ("tool_use", "stop"),
    ],
)
def test_every_reason_to_stop_has_a_name_in_openais_words(reason: str, finish: str) -> None:
    assert whole(message(text("x"), reason=reason))[0].finish == finish
    answer, sink = streamed([begin(), *words("x"), *end(reason)])
    assert answer.finish == finish
    assert [c.finish_reason for chunk in sink.chunks for c in chunk.choices if c.finish_reason] == [finish]


def test_calls_stand_beside_the_words() -> None:
    answer, body = whole(
        message(text("Yes."), use(given={"wide": True}), use("look", call_id="toolu_2"), reason="tool_use")
    )
    choice = first_choice(body)
    assert choice["finish_reason"] == answer.finish == "tool_calls"
    assert choice["message"] == {
        "role": "assistant",
        "content": "Yes.",
        "tool_calls": [
            {"id": "toolu_1", "function": {"name": "open_gate", "arguments": '{"wide":true}'}, "type": "function"},
            {"id": "toolu_2", "function": {"name": "look", "arguments": "{}"}, "type": "function"},
        ],
    }
    assert said(message(use(), reason="tool_use"))["content"] is None


@pytest.mark.parametrize(
    "raw",
    [b'{"b":1.0,"a":12345678901234567890,"c":1e400}', b'{"x":"\\u00e9 \\" { "}', '{"é":"a b\\\\"}'.encode(), b"{}"],
)
def test_arguments_come_back_byte_for_byte(raw: bytes) -> None:
    spaced = raw.replace(b":", b" :\n ", 1).replace(b"{", b"{\t", 1)
    for sent in (raw, spaced):
        body = message(use()).replace(b'"input":{}', b'"input":' + sent)
        function = msgspec.json.decode(msgspec.json.encode(said(body)["tool_calls"]))[0]["function"]
        assert function["arguments"].encode() == raw


def test_thoughts_stand_apart() -> None:
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "x"}
    assert said(message(thought, {"type": "redacted_thinking", "data": "x"}, text("Yes."))) == {
        "role": "assistant",
        "content": "Yes.",
        "reasoning_content": "Hm.",
    }


@pytest.mark.parametrize(
    "details", [None, {"type": "refusal", "explanation": None}, {"type": "refusal", "explanation": "Not that."}]
)
def test_a_refusal_says_so(details: dict[str, object] | None) -> None:
    told = (details or {}).get("explanation") or "The model declined to answer."
    assert said(message(reason="refusal", stop_details=details))["refusal"] == told
    _, sink = streamed([begin(), *end("refusal", stop_details=details)])
    assert {"refusal": told} in deltas(sink)


def test_an_answer_by_tool_goes_out_as_words() -> None:
    body = message(text("Here you are:"), use("give_answer", {"mood": "calm"}), reason="tool_use")
    answer = whole(body, BY_TOOL)[0]
    assert said(body, BY_TOOL) == {"role": "assistant", "content": '{"mood":"calm"}'}
    assert answer.finish == "stop"
    events = [
        begin(),
        *words("Here:"),
        *arguments('{"mood":', '"calm"}', name="give_answer", index=1),
        *end("tool_use"),
    ]
    answer, sink = streamed(events, BY_TOOL)
    assert (sink.text, answer.finish) == ('{"mood":"calm"}', "stop")


def test_a_real_call_beside_an_answer_by_tool_is_still_a_call() -> None:
    answer = whole(message(use("look"), reason="tool_use"), BY_TOOL)[0]
    assert answer.finish == "tool_calls"
    answer, sink = streamed([begin(), *arguments("{}", name="look"), *end("tool_use")], BY_TOOL)
    assert (sink.text, answer.finish) == ("", "tool_calls")


def test_white_space_that_was_cut_from_a_prefill_is_not_said_twice() -> None:
    assert said(message(text(" is open.")), TRIMMED)["content"] == "is open."
    _, sink = streamed([begin(), *words(" ", "\n is", " open."), *end()], TRIMMED)
    assert sink.text == "is open."


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html></html>",
        b"[" * 9999,
        b'{"content":"x"}',
        b'{"content":[{"type":"text","text":"\xff"}],"usage":{}}',
        message(use()).replace(b'"input":{}', b'"input":{"x":"\xff"}'),
        msgspec.json.encode({"id": "x", "usage": USAGE}),
        msgspec.json.encode({"content": [text("x")]}),
        message(use(call_id="")),
        message(use(name="")),
    ],
)
def test_what_is_no_message_is_malformed(body: bytes) -> None:
    with pytest.raises(EngineFailed) as caught:
        whole(body)
    assert caught.value.failure == "malformed"


def test_an_error_behind_a_200_is_an_error() -> None:
    with pytest.raises(EngineFailed) as caught:
        whole(b'{"type":"error","error":{"type":"overloaded_error","message":"x"}}')
    assert caught.value.failure == "overloaded"


@pytest.mark.parametrize("reason", [None, ""])
def test_a_whole_message_without_a_reason_is_given_one(reason: str | None) -> None:
    assert whole(message(text("x"), reason=reason))[0].finish == "stop"
    assert whole(message(use(), reason=reason))[0].finish == "tool_calls"


def test_a_message_without_content_is_blank() -> None:
    assert whole(message())[0].blank
    assert whole(message(text("")))[0].blank
    assert not whole(message(use()))[0].blank


def test_a_stream_begins_with_the_role_and_ends_with_a_reason_and_the_cost() -> None:
    answer, sink = streamed([begin(), event("ping"), *words("Well", " met."), *end()])
    assert [msgspec.json.decode(payload)["choices"] for payload in sink.payloads] == [
        [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]
        for delta, reason in [
            ({"role": "assistant", "content": ""}, None),
            ({"content": "Well"}, None),
            ({"content": " met."}, None),
            ({}, "stop"),
        ]
    ] + [[]]
    assert msgspec.json.decode(sink.payloads[-1])["usage"]["total_tokens"] == 31
    assert all(payload.startswith(b'{"id":"msg_1",') for payload in sink.payloads)
    assert answer == Answer(usage=answer.usage, finish="stop")


def test_what_goes_on_from_other_words_has_no_new_role() -> None:
    _, sink = streamed([begin(), *words("met."), *end()], resumed=True)
    assert deltas(sink)[0] == {"content": "met."}


def test_a_call_has_its_name_in_its_first_fragment_alone() -> None:
    _, sink = streamed(
        [
            begin(),
            *words("Yes."),
            *arguments("", '{"wi', 'de":true}', index=1),
            *arguments("{}", name="look", index=2, call_id="toolu_2"),
            *end("tool_use"),
        ]
    )
    fragments = [delta["tool_calls"] for delta in deltas(sink) if "tool_calls" in delta]
    first = {"id": "toolu_1", "type": "function", "function": {"name": "open_gate", "arguments": ""}}
    second = {"id": "toolu_2", "type": "function", "function": {"name": "look", "arguments": ""}}
    assert fragments == [
        [{"index": 0, **first}],
        [{"index": 0, "function": {"arguments": '{"wi'}}],
        [{"index": 0, "function": {"arguments": 'de":true}'}}],
        [{"index": 1, **second}],
        [{"index": 1, "function": {"arguments": "{}"}}],
    ]
    assert [bool(c.delta and c.delta.tool_calls) for chunk in sink.chunks for c in chunk.choices].count(True) == 5


def test_a_call_without_a_fragment_has_the_arguments_it_began_with() -> None:
    _, sink = streamed([begin(), *block(0, use(given={"a": 1})), *end("tool_use")])
    assert [{"index": 0, "function": {"arguments": '{"a":1}'}}] in [delta.get("tool_calls") for delta in deltas(sink)]


def test_thoughts_in_a_stream_stand_apart() -> None:
    thinking = {"type": "thinking", "thinking": "", "signature": ""}
    events = block(
        0, thinking, {"type": "thinking_delta", "thinking": "Hm."}, {"type": "signature_delta", "signature": "x"}
    )
    _, sink = streamed([begin(), *events, *words("Yes.", index=1), *end()])
    assert deltas(sink)[1:3] == [{"reasoning_content": "Hm."}, {"content": "Yes."}]


def test_later_counts_replace_earlier_ones() -> None:
    last = event("message_delta", delta={"stop_reason": "end_turn"}, usage={"input_tokens": 3, "output_tokens": 8})
    answer, _ = streamed([begin(input_tokens=1, cache_read_input_tokens=2), *words("x"), last, event("message_stop")])
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (5, 8)


def test_events_and_deltas_yet_to_be_invented_are_passed_over() -> None:
    events = [
        begin(),
        event("fanfare", volume=11),
        *block(0, {"type": "song"}, {"type": "song_delta", "note": "c"}),
        *words("x"),
        *end(),
    ]
    assert streamed(events)[1].text == "x"


@pytest.mark.parametrize("kept", range(6))
def test_a_stream_that_ends_before_message_stop_is_truncated(kept: int) -> None:
    events = [begin(), *words("Well", " met."), *end()]
    with pytest.raises(EngineFailed) as caught:
        streamed(events[:kept])
    assert caught.value.failure == "truncated"


@pytest.mark.parametrize("reason", [None, ""])
def test_a_stream_that_stops_without_a_reason_is_truncated(reason: object) -> None:
    with pytest.raises(EngineFailed) as caught:
        streamed([begin(), *words("x"), *end(reason)])
    assert caught.value.failure == "truncated"


@pytest.mark.parametrize(
    ("kind", "failure"),
    [
        ("overloaded_error", "overloaded"),
        ("rate_limit_error", "rate_limited"),
        ("api_error", "server_error"),
        ("timeout_error", "late"),
        ("authentication_error", "auth"),
        ("invalid_request_error", "server_error"),
    ],
)
def test_an_error_inside_the_stream_ends_it(kind: str, failure: str) -> None:
    with pytest.raises(EngineFailed) as caught:
        streamed([begin(), *words("x"), event("error", error={"type": kind, "message": "no"})])
    assert caught.value.failure == failure


@pytest.mark.parametrize(
    "events",
    [
        [b"data: {not json}\n\n"],
        [b'data: {"type":"message_start","message":{"id":"\xff"}}\n\n'],
        words("x"),
        [begin(), begin()],
        [event("message_start")],
        [begin(), event("content_block_start", index=0)],
        [begin(), event("content_block_delta", index=0)],
        [begin(), event("content_block_delta", index=0, delta={"type": "input_json_delta", "partial_json": "{}"})],
        [begin(), *block(0, use(call_id=""))],
        [begin(), *words("x"), *end(), event("ping")],
    ],
)
def test_a_stream_that_makes_no_sense_is_malformed(events: list[bytes]) -> None:
    with pytest.raises(EngineFailed) as caught:
        streamed(events)
    assert caught.value.failure == "malformed"


@given(
    pieces=st.lists(st.text(max_size=6), max_size=6),
    calls=st.lists(st.lists(st.sampled_from(['{"a', '":', ' "é\\n', '"}']), max_size=4), max_size=3),
    cuts=st.lists(st.integers(1, 40), max_size=30),
)
def test_a_stream_says_the_same_however_it_is_cut(pieces: list[str], calls: list[list[str]], cuts: list[int]) -> None:
    made = [arguments(*call, name=f"f{n}", index=n + 1, call_id=f"toolu_{n}") for n, call in enumerate(calls)]
    data = b"".join(
        [begin(), *words(*pieces), *(one for call in made for one in call), *end("tool_use" if calls else "end_turn")]
    )
    bits, at = [], 0
    for cut in cuts:
        bits.append(data[at : at + cut])
        at += cut
    _, sink = streamed([*bits, data[at:]])
    assert sink.text == "".join(pieces)
    heard: dict[int, str] = {}
    for delta in deltas(sink):
        for fragment in msgspec.convert(delta.get("tool_calls", []), list[dict[str, object]]):
            index = msgspec.convert(fragment["index"], int)
            heard[index] = heard.get(index, "") + msgspec.convert(fragment["function"], dict[str, str])["arguments"]
    assert heard == {n: "".join(call) or "{}" for n, call in enumerate(calls)}


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v), max_leaves=12
    )
)
def test_only_white_space_is_taken_out_of_json(value: object) -> None:
    tight = msgspec.json.encode(value)
    assert compact(tight) == tight
    assert compact(msgspec.json.format(tight, indent=2)) == tight
