"""A whole message of Anthropic's as OpenAI's ``chat.completion``."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tiercel.engines.anthropic.faults import Fault, fault_in
from tiercel.engines.anthropic.request import Translation
from tiercel.engines.anthropic.words import NOT_JSON, Details, Tokens, compact, finish_of, refusal_of, usage_of
from tiercel.terms.errors import EngineFailed
from tiercel.terms.reply import Answer, Usage

__all__ = ["read_message"]


class _Block(msgspec.Struct):
    type: str
    text: str = ""
    thinking: str = ""
    id: str = ""
    name: str = ""
    input: msgspec.Raw = msgspec.Raw(b"{}")


class _Message(msgspec.Struct):
    id: str = ""
    model: str = ""
    content: list[_Block] | None = None
    stop_reason: str | None = None
    stop_details: Details | None = None
    usage: Tokens | None = None
    error: Fault | None = None


class _Function(msgspec.Struct):
    name: str
    arguments: str


class _Call(msgspec.Struct):
    id: str
    function: _Function
    type: str = "function"


class _Said(msgspec.Struct, omit_defaults=True):
    role: str
    content: str | None
    refusal: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(msgspec.Struct):
    index: int
    message: _Said
    finish_reason: str
    logprobs: None = None


class _Completion(msgspec.Struct):
    id: str
    object: str
    created: int
    model: str
    choices: list[_Choice]
    usage: Usage


_message = msgspec.json.Decoder(_Message).decode
_encode = msgspec.json.Encoder().encode


def read_message(body: bytes, translation: Translation, created: int) -> Answer:
    """Return the answer in a message; raise ``EngineFailed`` when the bytes are none."""
    try:
        told = _message(body)
        # Invalid UTF-8 can still hide in arguments, which were not decoded yet.
        body.decode()
    except NOT_JSON:
        raise EngineFailed("malformed", "the reply is no message") from None
    if told.error is not None:
        raise fault_in(told.error)
    if told.content is None or told.usage is None:
        raise EngineFailed("malformed", "the reply has no content")
    calls = [_call(block) for block in told.content if _is_call(block, translation)]
    reason = told.stop_reason or ("tool_use" if calls else "end_turn")
    finish = finish_of(reason, calls=bool(calls))
    said = _Said(
        role="assistant",
        content=_content(told.content, translation, calls=bool(calls)),
        refusal=refusal_of(reason, told.stop_details),
        reasoning_content="".join(block.thinking for block in told.content) or None,
        tool_calls=calls or None,
    )
    usage = usage_of(told.usage)
    whole = _Completion(told.id, "chat.completion", created, told.model, [_Choice(0, said, finish)], usage)
    blank = not (said.content or calls or said.refusal)
    return Answer(body=_encode(whole), usage=usage, finish=finish, blank=blank)


def _is_call(block: _Block, translation: Translation) -> bool:
    return block.type == "tool_use" and not (translation.answer_tool and block.name == translation.answer_tool)


def _content(blocks: Sequence[_Block], translation: Translation, *, calls: bool) -> str | None:
    """Return the words; where the answer comes through a tool, that tool's arguments and nothing beside them."""
    if translation.answer_tool:
        parts = [_arguments(block) for block in blocks if block.name == translation.answer_tool]
    else:
        parts = [block.text for block in blocks if block.type == "text"]
    words = "".join(parts)
    if translation.trimmed:
        words = words.lstrip()
    return None if calls and not words else words


def _call(block: _Block) -> _Call:
    if not block.id or not block.name:
        raise EngineFailed("malformed", "a tool call has no id or no name")
    return _Call(block.id, _Function(block.name, _arguments(block)))


def _arguments(block: _Block) -> str:
    return compact(bytes(block.input)).decode()
