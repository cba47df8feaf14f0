"""Reading a reply in one piece: is it an answer, what did it cost, and small repairs that clients need."""

from __future__ import annotations

import msgspec

from tiercel.terms.errors import EngineFailed
from tiercel.terms.json import NOT_JSON
from tiercel.terms.reply import Answer, Usage

__all__ = ["read_completion", "read_embeddings"]


class _Message(msgspec.Struct):
    role: str | None = None
    content: str | None = None
    tool_calls: list[msgspec.Raw] | None = None
    function_call: dict[str, msgspec.Raw] | None = None
    refusal: str | None = None

    @property
    def blank(self) -> bool:
        return not (self.content or self.tool_calls or self.function_call or self.refusal)


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Completion(msgspec.Struct):
    choices: list[_Choice] = []
    usage: Usage | None = None
    error: dict[str, msgspec.Raw] | str | None = None


class _Vector(msgspec.Struct):
    embedding: msgspec.Raw


class _Embeddings(msgspec.Struct):
    data: list[_Vector]
    usage: Usage | None = None


_completion = msgspec.json.Decoder(_Completion).decode
_embeddings = msgspec.json.Decoder(_Embeddings).decode


def read_completion(body: bytes) -> Answer:
    """Return the answer in a ``chat.completion``; raise ``EngineFailed`` when the bytes are none."""
    try:
        seen = _completion(body)
    except NOT_JSON as error:
        raise EngineFailed("malformed", f"the reply is no chat completion: {_brief(error)}") from None
    if seen.error is not None:
        raise EngineFailed("server_error", "an error with status 200")
    if not seen.choices:
        raise EngineFailed("malformed", "the reply has no choices")
    blank = True
    for choice in seen.choices:
        if choice.message.role is None or not choice.finish_reason:
            body = _repair(body)
            break
    for choice in seen.choices:
        blank = blank and choice.message.blank
    return Answer(body=body, usage=seen.usage, finish=seen.choices[0].finish_reason or "stop", blank=blank)


def read_embeddings(body: bytes) -> Answer:
    """Return the answer in an embeddings list."""
    try:
        seen = _embeddings(body)
    except NOT_JSON as error:
        raise EngineFailed("malformed", f"the reply is no list of embeddings: {_brief(error)}") from None
    if not seen.data:
        raise EngineFailed("malformed", "the reply has no embeddings")
    return Answer(body=body, usage=seen.usage)


def _repair(body: bytes) -> bytes:
    """Put in the role and the finish reason that some servers leave out and some clients break without."""
    whole = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    choices = msgspec.json.decode(whole["choices"], type=list[dict[str, msgspec.Raw]])
    for choice in choices:
        message = msgspec.json.decode(choice["message"], type=dict[str, msgspec.Raw])
        if bytes(message.get("role", b"null")) == b"null":
            message = {"role": msgspec.Raw(b'"assistant"'), **{k: v for k, v in message.items() if k != "role"}}
        choice["message"] = msgspec.Raw(msgspec.json.encode(message))
        if bytes(choice.get("finish_reason", b"null")) in {b"null", b'""'}:
            choice["finish_reason"] = msgspec.Raw(b'"tool_calls"' if "tool_calls" in message else b'"stop"')
    whole["choices"] = msgspec.Raw(msgspec.json.encode(choices))
    return msgspec.json.encode(whole)


def _brief(error: Exception) -> str:
    """Say where decoding failed, without any of the model's words."""
    return type(error).__name__ if isinstance(error, RecursionError) else str(error)[:120]
