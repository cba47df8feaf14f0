"""Words of our own, in the shapes that a model's words have: for rungs that answer without a model."""

from __future__ import annotations

import re
import time

import msgspec

from tiercel.engines.chain.show import BYTES_PER_TOKEN, reply_id
from tiercel.engines.port import Sink
from tiercel.terms.ask import Ask
from tiercel.terms.reply import Answer, Choice, Chunk, Delta, Usage

__all__ = ["heard_in", "say", "say_piece"]

WORD = re.compile(r"\s*\S+")

_encode = msgspec.json.Encoder().encode


class _Message(msgspec.Struct):
    role: str
    content: str | list[dict[str, msgspec.Raw]] | None = None


_messages = msgspec.json.Decoder(list[_Message]).decode


def heard_in(ask: Ask) -> str:
    """Return what the player said last, or nothing."""
    try:
        messages = _messages(ask.fields.get("messages", b"[]"))
    except msgspec.DecodeError:
        return ""
    for message in reversed(messages):
        if message.role == "user":
            return message.content if isinstance(message.content, str) else _text_of(message.content or [])
    return ""


def say(ask: Ask, text: str, sink: Sink) -> Answer:
    """Give ``text`` as the answer: whole, or word by word to the sink, each word with the space before it."""
    completion = int(len(text) / BYTES_PER_TOKEN) + 1
    usage = Usage(
        prompt_tokens=ask.prompt_tokens,
        completion_tokens=completion,
        total_tokens=ask.prompt_tokens + completion,
    )
    if not ask.stream:
        return Answer(body=_whole(ask, text, usage), usage=usage, blank=not text)
    sink.chunk(*_piece(ask, {"role": "assistant", "content": ""}, Delta(content=""), None))
    for word in WORD.findall(text):
        say_piece(ask, word, sink)
    sink.chunk(*_piece(ask, {}, Delta(), "stop"))
    return Answer(usage=usage, blank=not text)


def say_piece(ask: Ask, piece: str, sink: Sink) -> None:
    """Give one piece of an answer to the sink."""
    sink.chunk(*_piece(ask, {"content": piece}, Delta(content=piece), None))


def _whole(ask: Ask, text: str, usage: Usage) -> bytes:
    return _encode(
        {
            "id": reply_id(ask.id),
            "object": "chat.completion",
            "created": int(time.time()),
            "model": ask.model,
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text, "refusal": None},
                    "logprobs": None,
                    "finish_reason": "stop",
                }
            ],
            "usage": {
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "total_tokens": usage.total_tokens,
            },
        }
    )


def _piece(ask: Ask, delta: dict[str, str], seen: Delta, finish: str | None) -> tuple[bytes, Chunk]:
    payload = _encode(
        {
            "id": reply_id(ask.id),
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": ask.model,
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        }
    )
    return payload, Chunk(id=reply_id(ask.id), choices=(Choice(delta=seen, finish_reason=finish),))


def _text_of(parts: list[dict[str, msgspec.Raw]]) -> str:
    texts = [msgspec.json.decode(part["text"]) for part in parts if "text" in part]
    return " ".join(text for text in texts if isinstance(text, str))
