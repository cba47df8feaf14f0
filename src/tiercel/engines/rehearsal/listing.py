"""The list of models an engine of this kind offers: one for every mode, so that a fault is a name away."""

from __future__ import annotations

from typing import Final

import msgspec

from tiercel.engines.rehearsal.fit import Json
from tiercel.engines.rehearsal.modes import Mode
from tiercel.engines.rehearsal.openai_reply import CREATED

_DAY: Final = "2026-01-01T00:00:00Z"


def openai_models() -> bytes:
    """Write the list as OpenAI does."""
    data: Json = [{"id": mode.value, "object": "model", "created": CREATED, "owned_by": "rehearsal"} for mode in Mode]
    return msgspec.json.encode({"object": "list", "data": data})


def anthropic_models() -> bytes:
    """Write the list as Anthropic does."""
    names = [mode.value for mode in Mode]
    data: Json = [{"type": "model", "id": name, "display_name": name, "created_at": _DAY} for name in names]
    body = {"data": data, "has_more": False, "first_id": names[0], "last_id": names[-1]}
    return msgspec.json.encode(body)
