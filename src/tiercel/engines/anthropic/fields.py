"""Every field of a chat request and what becomes of it here: mapped, refused or dropped by name - never silent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from tiercel.engines.anthropic.words import NOT_JSON
from tiercel.terms.errors import BadRequest

__all__ = ["FIELDS", "Fate", "Field", "present", "sort_out"]

Fate = Literal["mapped", "refused", "dropped"]


class Field(msgspec.Struct, frozen=True):
    """What becomes of one field; a value in ``moot`` asks for nothing and needs neither a map nor a word."""

    fate: Fate
    moot: tuple[object, ...] = ()


MAPPED = Field("mapped")
REFUSED = Field("refused")
DROPPED = Field("dropped")

# Features are refused, since an answer without them would be another one; what only leans on the answer is dropped.
# A field that is not here is dropped by its name.
FIELDS: Mapping[str, Field] = {
    "messages": MAPPED,
    "model": MAPPED,
    "stream": MAPPED,
    "stream_options": MAPPED,
    "max_tokens": MAPPED,
    "max_completion_tokens": MAPPED,
    "stop": MAPPED,
    "tools": MAPPED,
    "tool_choice": MAPPED,
    "parallel_tool_calls": MAPPED,
    "response_format": MAPPED,
    "reasoning_effort": MAPPED,
    "temperature": MAPPED,
    "top_p": MAPPED,
    "top_k": MAPPED,
    "user": MAPPED,
    "safety_identifier": MAPPED,
    "service_tier": MAPPED,
    "thinking": MAPPED,
    "tiercel": MAPPED,
    "n": Field("refused", (1,)),
    "functions": Field("refused", ([],)),
    "function_call": Field("refused", ("auto", "none")),
    "modalities": Field("refused", (["text"], [])),
    "audio": REFUSED,
    "web_search_options": REFUSED,
    "frequency_penalty": Field("dropped", (0,)),
    "presence_penalty": Field("dropped", (0,)),
    "logit_bias": Field("dropped", ({},)),
    "logprobs": Field("dropped", (False,)),
    "top_logprobs": Field("dropped", (0,)),
    "seed": DROPPED,
    "store": Field("dropped", (False,)),
    "metadata": Field("dropped", ({},)),
    "moderation": DROPPED,
    "prediction": DROPPED,
    "prompt_cache_key": DROPPED,
    "prompt_cache_options": DROPPED,
    "prompt_cache_retention": DROPPED,
    "verbosity": Field("dropped", ("medium",)),
}

_WHY: Mapping[str, str] = {
    "n": "this engine gives one answer to a request",
    "functions": "functions are not taken by this engine; offer them as tools",
    "function_call": "function_call is not taken by this engine; say tool_choice",
    "modalities": "this engine answers with text only",
    "audio": "this engine answers with text only",
    "web_search_options": "this engine does not search the web",
}


def present(fields: Mapping[str, msgspec.Raw], name: str) -> msgspec.Raw | None:
    """Return a field's bytes; null is as good as absent."""
    raw = fields.get(name)
    return None if raw is None or bytes(raw).strip() == b"null" else raw


def sort_out(fields: Mapping[str, msgspec.Raw], lost: dict[str, None]) -> dict[str, msgspec.Raw]:
    """Return the fields that are mapped; name the dropped ones in ``lost``; raise for a refused one."""
    kept: dict[str, msgspec.Raw] = {}
    for name in fields:
        raw = present(fields, name)
        field = FIELDS.get(name, DROPPED)
        if raw is None or (field.moot and _is_moot(raw, field)):
            continue
        if field.fate == "refused":
            raise BadRequest(_WHY[name], param=name)
        if field.fate == "dropped":
            lost[name] = None
        else:
            kept[name] = raw
    return kept


def _is_moot(raw: msgspec.Raw, field: Field) -> bool:
    try:
        return msgspec.json.decode(raw) in field.moot
    except NOT_JSON:
        return False
