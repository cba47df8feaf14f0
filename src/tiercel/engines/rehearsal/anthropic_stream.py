"""Anthropic's message as a stream of named events, from message_start to message_stop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from tiercel.engines.rehearsal.anthropic_reply import ID, call_id, refuse, stop_reason, usage
from tiercel.engines.rehearsal.fit import Json
from tiercel.engines.rehearsal.heard import Asked
from tiercel.engines.rehearsal.modes import Mode
from tiercel.engines.rehearsal.part import Part
from tiercel.engines.rehearsal.refusals import FAULTS
from tiercel.engines.rehearsal.reply import Stream
from tiercel.engines.rehearsal.said import Call, Said

_MARK: Final = "\0huge\0"
_SILENT: Final = frozenset({Mode.NO_CHOICES, Mode.EMPTY_CHOICES})


def stream(asked: Asked, part: Part, said: Said) -> Stream:
    """Write every event of a streamed message, with the flaw that the part's mode wants in it."""
    refusal = FAULTS.get(part.mode, FAULTS[Mode.ERROR_BEFORE])
    before, _, after = _text(_MARK).partition(msgspec.json.encode(_MARK)[1:-1])
    return Stream(
        opening=_opening(asked, part, said),
        content=() if part.mode in _SILENT else _content(said),
        closing=_closing(part, said),
        done=b"" if part.mode is Mode.NO_DONE else _event("message_stop", {}),
        error=b"event: error\ndata: " + refuse(refusal) + b"\n\n",
        void=_event("ping", {}),
        broken=b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{\n\n',
        huge=(before, after),
    )


def _opening(asked: Asked, part: Part, said: Said) -> tuple[bytes, ...]:
    """Begin the message; a block of words begins here too, for an empty block says nothing yet."""
    message: dict[str, Json] = {"id": ID, "type": "message"}
    if part.mode is not Mode.NO_ROLE:
        message["role"] = "assistant"
    message |= {"model": asked.model, "content": [], "stop_reason": None, "stop_sequence": None}
    message["usage"] = usage(said.cost) | {"output_tokens": 1}
    start = _event("message_start", {"message": message})
    ping = _event("ping", {})
    if said.calls or part.mode in _SILENT:
        return (start, ping)
    return (start, _event("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}), ping)


def _content(said: Said) -> tuple[bytes, ...]:
    if said.calls:
        return tuple(_fragments(said.calls))
    return tuple(_text(piece) for piece in said.pieces)


def _fragments(calls: tuple[Call, ...]) -> Iterator[bytes]:
    """Begin each call with its name, send its arguments, and end it before the next; the last ends in the closing."""
    for index, call in enumerate(calls):
        block: Json = {"type": "tool_use", "id": call_id(index), "name": call.name, "input": {}}
        begin = _event("content_block_start", {"index": index, "content_block": block})
        yield _stop(index - 1) + begin if index else begin
        for piece in call.pieces:
            delta: Json = {"type": "input_json_delta", "partial_json": piece}
            yield _event("content_block_delta", {"index": index, "delta": delta})


def _closing(part: Part, said: Said) -> tuple[bytes, ...]:
    stop = () if part.mode in _SILENT else (_stop(max(0, len(said.calls) - 1)),)
    if part.mode is Mode.NO_FINISH:
        return stop
    delta: Json = {"stop_reason": stop_reason(part, said), "stop_sequence": None}
    return (*stop, _event("message_delta", {"delta": delta, "usage": {"output_tokens": said.cost.completion}}))


def _stop(index: int) -> bytes:
    return _event("content_block_stop", {"index": index})


def _text(piece: str) -> bytes:
    return _event("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": piece}})


def _event(name: str, fields: dict[str, Json]) -> bytes:
    data: dict[str, Json] = {"type": name, **fields}
    return b"event: " + name.encode() + b"\ndata: " + msgspec.json.encode(data) + b"\n\n"
