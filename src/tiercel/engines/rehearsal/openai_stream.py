"""OpenAI's chat completion as a stream of chunks: role, words or call fragments, reason, usage, [DONE]."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from tiercel.engines.rehearsal.fit import Json
from tiercel.engines.rehearsal.heard import Asked
from tiercel.engines.rehearsal.modes import Mode
from tiercel.engines.rehearsal.openai_reply import CREATED, ID, call_id, envelope, finish_reason, logprobs, usage
from tiercel.engines.rehearsal.part import Part
from tiercel.engines.rehearsal.refusals import FAULTS
from tiercel.engines.rehearsal.reply import Stream
from tiercel.engines.rehearsal.said import Call, Said

_DONE: Final = b"data: [DONE]\n\n"
_MARK: Final = "\0huge\0"


def stream(asked: Asked, part: Part, said: Said) -> Stream:
    """Write every event of a streamed reply, with the flaw that the part's mode wants in it."""
    opening = (
        () if part.mode is Mode.NO_ROLE else (_said(asked, {"role": "assistant", "content": "", "refusal": None}),)
    )
    closing = [] if part.mode is Mode.NO_FINISH else [_finish(asked, part, said)]
    if asked.include_usage:
        closing.append(_event(_chunk(asked, []) | {"usage": usage(said.cost)}))
    refusal = FAULTS.get(part.mode, FAULTS[Mode.ERROR_BEFORE])
    before, _, after = _said(asked, {"content": _MARK}).partition(msgspec.json.encode(_MARK)[1:-1])
    return Stream(
        opening=opening,
        content=_content(asked, part, said),
        closing=tuple(closing),
        done=b"" if part.mode is Mode.NO_DONE else _DONE,
        error=_event({"error": envelope(refusal)}),
        void=_said(asked, {"content": ""}),
        broken=b'data: {"id":"' + ID.encode() + b'","choices":[{"index":0,"delta":{"content":\n\n',
        huge=(before, after),
    )


def _content(asked: Asked, part: Part, said: Said) -> tuple[bytes, ...]:
    if part.mode is Mode.NO_CHOICES:
        return tuple(_event(_chunk(asked, None)) for _ in said.pieces)
    if part.mode is Mode.EMPTY_CHOICES:
        return tuple(_event(_chunk(asked, [])) for _ in said.pieces)
    if said.calls:
        return tuple(_said(asked, delta) for delta in _call_deltas(said.calls))
    return tuple(_said(asked, {"content": piece}, logprobs(asked, (piece,))) for piece in said.pieces)


def _call_deltas(calls: tuple[Call, ...]) -> Iterator[Json]:
    """Name each call once, then send its arguments piece by piece under its index alone."""
    for number, call in enumerate(calls):
        function: Json = {"name": call.name, "arguments": ""}
        yield {"tool_calls": [{"index": number, "id": call_id(number), "type": "function", "function": function}]}
        for piece in call.pieces:
            yield {"tool_calls": [{"index": number, "function": {"arguments": piece}}]}


def _finish(asked: Asked, part: Part, said: Said) -> bytes:
    reason = finish_reason(part, said)
    return b"".join(_event(_chunk(asked, [_choice(index, {}, None, reason)])) for index in range(asked.n))


def _said(asked: Asked, delta: Json, worth: Json = None) -> bytes:
    """One event per choice, sent together: choices of one request grow at one pace."""
    return b"".join(_event(_chunk(asked, [_choice(index, delta, worth, None)])) for index in range(asked.n))


def _choice(index: int, delta: Json, worth: Json, reason: str | None) -> Json:
    return {"index": index, "delta": delta, "logprobs": worth, "finish_reason": reason}


def _chunk(asked: Asked, choices: list[Json] | None) -> dict[str, Json]:
    chunk: dict[str, Json] = {
        "id": ID,
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": asked.model,
        "system_fingerprint": "fp_rehearsal",
    }
    if choices is not None:
        chunk["choices"] = choices
    if asked.include_usage:
        chunk["usage"] = None
    return chunk


def _event(data: Json) -> bytes:
    return b"data: " + msgspec.json.encode(data) + b"\n\n"
