"""OpenAI's chat completion as one JSON body, and its error envelope."""

from __future__ import annotations

from typing import Final

import msgspec

from tiercel.engines.rehearsal.fit import Json
from tiercel.engines.rehearsal.heard import Asked
from tiercel.engines.rehearsal.modes import Mode
from tiercel.engines.rehearsal.part import Part
from tiercel.engines.rehearsal.refusals import Refusal
from tiercel.engines.rehearsal.said import Cost, Said

ID: Final = "chatcmpl-rehearsal"
CREATED: Final = 1_767_225_600
"""Always the same instant: equal questions get equal bytes."""


def reply(asked: Asked, part: Part, said: Said) -> bytes:
    """Write the body of a whole reply, with the flaw that the part's mode wants in it."""
    body: dict[str, Json] = {"id": ID, "object": "chat.completion", "created": CREATED, "model": asked.model}
    if part.mode is not Mode.NO_CHOICES:
        count = 0 if part.mode is Mode.EMPTY_CHOICES else asked.n
        body["choices"] = [_choice(index, asked, part, said) for index in range(count)]
    body["usage"] = usage(said.cost)
    body["system_fingerprint"] = "fp_rehearsal"
    return msgspec.json.encode(body)


def refuse(refusal: Refusal) -> bytes:
    """Write an error in OpenAI's envelope."""
    return msgspec.json.encode({"error": envelope(refusal)})


def envelope(refusal: Refusal) -> Json:
    """Write what stands under ``error``, in a body as in a stream."""
    return {"message": refusal.message, "type": refusal.openai, "param": refusal.param, "code": refusal.code}


def usage(cost: Cost) -> Json:
    """Write the tokens the way OpenAI nests them."""
    return {
        "prompt_tokens": cost.prompt,
        "completion_tokens": cost.completion,
        "total_tokens": cost.prompt + cost.completion,
        "prompt_tokens_details": {"cached_tokens": cost.cached},
        "completion_tokens_details": {"reasoning_tokens": cost.reasoning},
    }


def logprobs(asked: Asked, pieces: tuple[str, ...]) -> Json:
    """Write what each piece was worth, or null when nobody asked."""
    if not asked.logprobs:
        return None
    return {
        "content": [
            {"token": piece, "logprob": -0.5, "bytes": list(piece.encode()), "top_logprobs": []} for piece in pieces
        ],
        "refusal": None,
    }


def finish_reason(part: Part, said: Said) -> str:
    """Why it ends, or the empty string some servers send in its place."""
    return "" if part.mode is Mode.EMPTY_FINISH else said.finish


def call_id(index: int) -> str:
    """Name a reply's calls: always the same names."""
    return f"call_rehearsal{index}"


def _choice(index: int, asked: Asked, part: Part, said: Said) -> Json:
    message: dict[str, Json] = {} if part.mode is Mode.NO_ROLE else {"role": "assistant"}
    message["content"] = None if said.calls else said.text
    message["refusal"] = None
    if said.calls:
        message["tool_calls"] = [
            {
                "id": call_id(number),
                "type": "function",
                "function": {"name": call.name, "arguments": "".join(call.pieces)},
            }
            for number, call in enumerate(said.calls)
        ]
    choice: dict[str, Json] = {"index": index, "message": message, "logprobs": logprobs(asked, said.pieces)}
    if part.mode is not Mode.NO_FINISH:
        choice["finish_reason"] = finish_reason(part, said)
    return choice
