"""Anthropic's message as one JSON body, and its error envelope."""

from __future__ import annotations

from typing import Final

import msgspec

from tiercel.engines.rehearsal.fit import Json
from tiercel.engines.rehearsal.heard import Asked
from tiercel.engines.rehearsal.modes import Mode
from tiercel.engines.rehearsal.part import Part
from tiercel.engines.rehearsal.refusals import Refusal
from tiercel.engines.rehearsal.said import Call, Cost, Said

ID: Final = "msg_rehearsal"
REQUEST_ID: Final = "req_rehearsal"
_REASONS: Final = {
    "stop": "end_turn",
    "length": "max_tokens",
    "content_filter": "refusal",
    "tool_calls": "tool_use",
}


def reply(asked: Asked, part: Part, said: Said) -> bytes:
    """Write the body of a whole message, with the flaw that the part's mode wants in it."""
    body: dict[str, Json] = {"id": ID, "type": "message"}
    if part.mode is not Mode.NO_ROLE:
        body["role"] = "assistant"
    body["model"] = asked.model
    if part.mode is not Mode.NO_CHOICES:
        body["content"] = [] if part.mode is Mode.EMPTY_CHOICES else _content(said)
    if part.mode is not Mode.NO_FINISH:
        body["stop_reason"] = stop_reason(part, said)
    body["stop_sequence"] = None
    body["usage"] = usage(said.cost)
    return msgspec.json.encode(body)


def refuse(refusal: Refusal) -> bytes:
    """Write an error in Anthropic's envelope."""
    error = {"type": refusal.anthropic, "message": refusal.message}
    return msgspec.json.encode({"type": "error", "error": error, "request_id": REQUEST_ID})


def usage(cost: Cost) -> dict[str, Json]:
    """Write the tokens the way Anthropic counts them: cached ones are not a part of the input's, but beside it."""
    return {
        "input_tokens": cost.prompt - cost.cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cost.cached,
        "output_tokens": cost.completion,
        **({"output_tokens_details": {"thinking_tokens": cost.reasoning}} if cost.reasoning else {}),
    }


def stop_reason(part: Part, said: Said) -> str:
    """Why it ends, in Anthropic's words, or the empty string in its place."""
    return "" if part.mode is Mode.EMPTY_FINISH else _REASONS[said.finish]


def call_id(index: int) -> str:
    """Name a reply's calls: always the same names."""
    return f"toolu_rehearsal{index}"


def _content(said: Said) -> list[Json]:
    if said.calls:
        return [_tool_use(index, call) for index, call in enumerate(said.calls)]
    return [{"type": "text", "text": said.text}]


def _tool_use(index: int, call: Call) -> Json:
    """Write one call; arguments that are no JSON stay text, as nothing else could carry them here."""
    text = "".join(call.pieces)
    try:
        value: Json = msgspec.json.decode(text)
    except msgspec.DecodeError:
        value = text
    return {"type": "tool_use", "id": call_id(index), "name": call.name, "input": value}
